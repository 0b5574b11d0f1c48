//! The scheduler: completes what ended, claims what comes next, sends what is claimed,
//! until every row has ended or the run must stop. The core decides, the driver does.

mod backoff;
mod clock;
mod commit_timer;
mod driver;
mod elsewhere;
mod events;
mod executor;
mod ledger_thread;
mod retry_queue;
mod run_stats;
mod scheduler;
mod staged_counts;

pub use driver::{Caller, RunOutcome, Snapshot, run};
pub use elsewhere::WaitsElsewhere;
pub use events::{Actions, CallTimings, Dispatch, Event, Now};
pub use run_stats::RunStats;
pub use scheduler::{RunPolicy, Scheduler};
