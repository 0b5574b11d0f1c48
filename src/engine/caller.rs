//! What makes a call: the only thing the engine needs to know of CoreCARD.

use std::future::Future;

use crate::ledger::ClaimedRow;
use crate::model::Outcome;
use crate::policy::credential_refresh::RefreshOutcome;

/// One call for one claimed row; it comes back with what it came to, if it was begun.
pub trait Caller: Send + 'static {
    /// The same for another thread: it makes the same calls over connections of its own.
    fn clone_for_thread(&self) -> Self;

    /// Opens so many connections for the calls to come, as far as that can be done.
    fn connect(&self, connections: usize) -> impl Future<Output = ()> {
        let _ = connections;
        std::future::ready(())
    }

    /// Sends the row and waits for its outcome. What takes time before the first byte leaves
    /// is done first; then `may_start` is asked, and if it may not, nothing is sent.
    fn call(
        &self,
        claimed: &ClaimedRow,
        may_start: &dyn Fn() -> bool,
    ) -> impl Future<Output = Option<Outcome>>;

    /// Fetches new credentials, which every call made from then on carries.
    fn refresh_credentials(&self) -> impl Future<Output = RefreshOutcome> {
        std::future::ready(RefreshOutcome::Failed)
    }
}
