//! The main loop of a run: completes calls that ended, claims the next rows and sends them, until
//! every row has ended or the run must stop.
//!
//! # Architecture
//!
//! [`Scheduler`] is a state machine without I/O: it consumes [`Event`]s with the time at which
//! they happened, and returns [`Actions`]. It is tested in virtual time, without a runtime.
//! [`run`] is the driver around it: it performs the actions and reports events. The ledger thread
//! makes the commits, and the executor's threads make the calls through a [`Caller`], so that no
//! decision waits for a disk or a server. [`RunPolicy`] holds the settings, and a [`Snapshot`] of
//! the state is published every 50 ms for the progress display and the metrics.
//!
//! ```text
//!               Actions                        CommitRequest
//!  Scheduler ─────────────▶ driver (run) ─────────────────────▶ ledger thread
//!      ▲                     │   ▲  ▲                                │
//!      └───── Event ─────────┘   │  └────────── CommitOutcome ───────┘
//!                                │ Ended, Expired
//!                       executor's threads ◀── Dispatch
//! ```

mod caller;
mod claim_queue;
mod clock;
mod commit_timer;
mod cut_off_timer;
mod driver;
mod elsewhere;
mod event_log;
mod events;
mod executor;
mod ledger_thread;
mod rate_guard;
mod retry_queue;
mod run_policy;
mod run_stats;
mod scheduler;
mod server_state;
mod snapshot;
mod staged_counts;
mod stop_state;

pub use caller::Caller;
pub use driver::{RunOutcome, run};
pub use elsewhere::RowsElsewhere;
pub use events::{Actions, CallTimings, Dispatch, Event, Now};
pub use run_policy::RunPolicy;
pub use run_stats::RunStats;
pub use scheduler::Scheduler;
pub use snapshot::Snapshot;
