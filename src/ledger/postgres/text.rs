//! Text as PostgreSQL can store it.

/// PostgreSQL's text holds any character but one, which a server may well send.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
