//! The machine's uptime: a clock that cannot be set, and that keeps running while the machine is
//! suspended (`CLOCK_BOOTTIME`).

use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A reading of the machine's uptime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uptime {
    /// The boot that it counts from: the kernel's random boot id.
    pub boot: String,
    /// Nanoseconds since that boot.
    pub nanoseconds: u64,
}

/// Linux generates a random id at each boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl Uptime {
    /// The current uptime; `None` on systems without a boot id.
    pub fn now() -> Option<Uptime> {
        static BOOT: OnceLock<Option<String>> = OnceLock::new();
        let read = || std::fs::read_to_string(BOOT_ID).ok();
        let boot = BOOT.get_or_init(|| Some(read()?.trim().to_owned())).clone()?;
        let nanoseconds = u64::try_from(Uptime::since_boot().as_nanos()).ok()?;
        Some(Uptime { boot, nanoseconds })
    }

    /// The uptime without the boot id.
    pub fn since_boot() -> Duration {
        Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
    }
}
