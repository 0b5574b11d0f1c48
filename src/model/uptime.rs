//! How long the machine has been up: a clock that nobody sets, and that goes on while the
//! machine sleeps.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A reading of the machine's uptime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uptime {
    /// Which start of which machine it counts from.
    pub boot: String,
    /// Nanoseconds since then.
    pub nanoseconds: u64,
}

/// Where Linux tells one start of a machine from every other.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl Uptime {
    /// The uptime now; `None` where the system does not tell its starts apart.
    pub fn now() -> Option<Uptime> {
        static BOOT: OnceLock<Option<String>> = OnceLock::new();
        let read = || std::fs::read_to_string(BOOT_ID).ok();
        let boot = BOOT.get_or_init(|| Some(read()?.trim().to_owned())).clone()?;
        let nanoseconds = u64::try_from(Uptime::since_boot().as_nanos()).ok()?;
        Some(Uptime { boot, nanoseconds })
    }

    /// The uptime alone.
    pub fn since_boot() -> Duration {
        Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
    }
}
