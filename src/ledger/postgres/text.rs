//! Text in the form that PostgreSQL can store.

/// The text without NUL, the only character that PostgreSQL cannot store; a server may well send
/// it.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
