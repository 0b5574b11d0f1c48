//! The wheel: completes what ended, claims what comes next, sends what is claimed,
//! until every row has ended or the run must stop. The core decides, the shell does.

mod backoff;
mod clerk;
mod clock;
mod crew;
mod elsewhere;
mod events;
mod shell;
mod story;
mod wheel;

pub use elsewhere::WaitsElsewhere;
pub use events::{Commands, Event, Now, Times, ToSend};
pub use shell::{Caller, Finished, Snapshot, drive};
pub use story::Story;
pub use wheel::{Plan, Wheel};
