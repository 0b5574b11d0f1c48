//! How a file is to be read.

/// How a file is to be read, as the user has set it.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// What separates fields; detected if `None`.
    pub delimiter: Option<u8>,
    /// The name of the admin number's column, if it is not a usual one.
    pub admin_column: Option<String>,
    /// The name of the sequence number's column, if it is not a usual one.
    pub sequence_column: Option<String>,
    /// The name of the priority's column, if there is one.
    pub priority_column: Option<String>,
    /// Whether admin numbers may look like card numbers.
    pub exempt_admin_column: bool,
}
