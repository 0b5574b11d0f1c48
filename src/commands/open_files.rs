//! The system's limit on open files: each call in flight holds one.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the program holds open beside its calls: the ledger, the input, the results.
const OWN: u64 = 64;

/// Raises the limit as far as it may be, and refuses more calls than it allows.
///
/// # Errors
/// When `concurrency` calls cannot be in flight at once.
pub fn allow(concurrency: u32) -> anyhow::Result<()> {
    let needed = u64::from(concurrency) + OWN;
    let limit = getrlimit(Resource::Nofile);
    let enough = |most: Option<u64>| most.is_none_or(|most| most >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if raised.is_err() || !enough(limit.maximum) {
        let most = limit.maximum.unwrap_or(0).saturating_sub(OWN);
        let lower = match most {
            0 => String::new(),
            most => format!("lower it to {most}, or "),
        };
        bail!(
            "--concurrency {concurrency} needs {needed} open files, more than this system allows: {lower}raise the limit (ulimit -n, or LimitNOFILE= of the service)"
        );
    }
    Ok(())
}
