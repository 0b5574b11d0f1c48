//! [`Caller`], the trait that makes one call: all that the engine knows about CoreCARD.

use std::future::Future;

use crate::ledger::ClaimedRow;
use crate::model::Outcome;
use crate::policy::credential_refresh::RefreshOutcome;

/// Makes the call for one claimed row.
pub trait Caller: Send + 'static {
    /// A second caller for another thread. It makes the same calls over its own connections.
    fn clone_for_thread(&self) -> Self;

    /// Opens up to this many connections for the calls to come. A connection that cannot be
    /// opened is opened by the call that needs it.
    fn connect(&self, connections: usize) -> impl Future<Output = ()> {
        let _ = connections;
        std::future::ready(())
    }

    /// Sends the row and returns its outcome. Prepares everything that takes time before the
    /// first byte is written, then calls `may_start`; if that returns false, nothing is sent and
    /// the result is `None`.
    fn call(
        &self,
        claimed: &ClaimedRow,
        may_start: &dyn Fn() -> bool,
    ) -> impl Future<Output = Option<Outcome>>;

    /// Refreshes the credentials; every call made after that carries the new ones.
    fn refresh_credentials(&self) -> impl Future<Output = RefreshOutcome> {
        std::future::ready(RefreshOutcome::Failed)
    }
}
