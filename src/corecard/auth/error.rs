//! Why credentials cannot be had.

use super::secret::SecretError;

/// Why the credentials cannot be had. No message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The `[auth]` table is not as it should be.
    #[error("{0}")]
    Table(String),
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
}
