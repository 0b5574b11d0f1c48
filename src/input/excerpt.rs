//! A piece of the input, made fit to be shown in a message.

use crate::model::card_numbers;

/// How many characters are shown.
const LONGEST: usize = 40;

/// The text in quotes: shortened, control characters escaped, card numbers removed.
pub(super) fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let text = card_numbers::redact(&text);
    let mut shown = String::from('"');
    for (count, char) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        escape(char, &mut shown);
    }
    shown.push('"');
    shown
}

/// Adds a character, escaped if it could act on a terminal.
fn escape(char: char, shown: &mut String) {
    match char {
        '"' | '\\' | '\'' => shown.push(char),
        _ => shown.extend(char.escape_debug()),
    }
}

/// The whole text in quotes: control characters and bytes that are no text escaped, card
/// numbers and digits in numbers that may be one removed.
pub(super) fn whole(text: &[u8]) -> String {
    let mut readable = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        readable.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| readable.push_str(&format!("\\x{byte:02x}")));
    }
    let mut shown = String::with_capacity(readable.len() + 2);
    shown.push('"');
    without_long_numbers(&card_numbers::redact(&readable))
        .chars()
        .for_each(|char| escape(char, &mut shown));
    shown.push('"');
    shown
}

/// The text without numbers that are long enough to be a mistyped card number.
fn without_long_numbers(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for run in text.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
        let is_number = run.first().is_some_and(u8::is_ascii_digit);
        if is_number && run.len() >= card_numbers::SHORTEST {
            shown.push_str(&format!("[{} digits]", run.len()));
        } else {
            shown.push_str(&String::from_utf8_lossy(run));
        }
    }
    shown
}

/// A name as it can be shown: what acts on a terminal, such as control characters and
/// marks of direction, is escaped, and card numbers are removed.
pub fn shown(name: &str) -> String {
    let mut shown = String::new();
    for char in card_numbers::redact(name).chars() {
        match char {
            '"' | '\\' | '\'' => shown.push(char),
            _ => shown.extend(char.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_whole_and_cannot_act() {
        let name = "o'Neill \\ \"Übersicht\".csv";
        assert_eq!(shown(name), name);
        assert_eq!(shown("a\u{1b}[31m\n\u{202e}b\u{200b}"), "a\\u{1b}[31m\\n\\u{202e}b\\u{200b}");
        assert_eq!(shown(&shown("a\nb")), shown("a\nb"), "once more changes nothing");
    }

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
    fn of_a_whole_text_nothing_is_lost() {
        let long = format!("1,\"a\"\n\0,{}", "x".repeat(500));
        let shown = whole(&[long.as_bytes(), b"\xe4"].concat());
        assert_eq!(shown, format!("\"1,\"a\"\\n\\0,{}\\xe4\"", "x".repeat(500)));
        assert_eq!(whole(b"4111111111111111,1"), "\"[card number removed],1\"");
        assert_eq!(whole("ä,4111111111111112,1".as_bytes()), "\"ä,[16 digits],1\"");
    }

    #[test]
    fn a_card_number_is_removed_even_where_the_text_is_cut() {
        let text = format!("{}4111111111111111", " ".repeat(30));
        assert!(!excerpt(text.as_bytes()).contains("411"));
    }
}
