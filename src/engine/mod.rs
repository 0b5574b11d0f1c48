//! The wheel: settles what ended, stakes what comes next, sends what is staked,
//! until every row has ended or the run must stop. The core decides, the shell does.

mod backoff;
mod shell;
mod story;
mod wheel;

pub use shell::{Caller, Finished, Snapshot, drive};
pub use story::Story;
pub use wheel::{Commands, Event, Now, Plan, Wheel};
