//! A piece of the input, made fit to be shown in a message.

use super::guard;

/// How many characters are shown.
const LONGEST: usize = 40;

/// The text in quotes: shortened, control characters escaped, card numbers removed.
pub(super) fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let text = guard::redact(&text);
    let mut shown = String::from('"');
    for (count, char) in text.chars().enumerate() {
        match char {
            _ if count == LONGEST => {
                shown.push('…');
                break;
            }
            '"' | '\\' | '\'' => shown.push(char),
            _ => shown.extend(char.escape_debug()),
        }
    }
    shown.push('"');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_shown_as_it_is() {
        assert_eq!(excerpt("5\" Straße".as_bytes()), "\"5\" Straße\"");
    }

    #[test]
    fn a_long_text_is_shortened() {
        assert_eq!(excerpt(&[b'x'; 50]), format!("\"{}…\"", "x".repeat(40)));
    }

    #[test]
    fn what_could_act_on_a_terminal_is_escaped() {
        assert_eq!(excerpt("a\u{1b}[31m\r\u{202e}b".as_bytes()), "\"a\\u{1b}[31m\\r\\u{202e}b\"");
    }

    #[test]
    fn a_card_number_is_removed_even_where_the_text_is_cut() {
        let text = format!("{}4111111111111111", " ".repeat(30));
        assert!(!excerpt(text.as_bytes()).contains("411"));
    }
}
