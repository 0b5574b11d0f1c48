//! Blanks and invisible characters, as spreadsheets and web pages leave them around values.

/// The end-of-file character of DOS.
const SUBSTITUTE: u8 = 0x1a;

/// Whether a character is invisible: a blank, a zero-width character or a byte order mark. Line
/// ends do not count.
pub fn is_invisible(char: char) -> bool {
    match char {
        '\n' | '\r' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => {
            true
        }
        '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => true,
        '\u{ffa0}' => true,
        _ => char.is_whitespace(),
    }
}

/// Direction overrides make a text look like another: the digits after one are displayed in
/// reverse.
const OVERRIDES: [char; 2] = ['\u{202d}', '\u{202e}'];

fn is_harmless(char: char) -> bool {
    is_invisible(char) && !OVERRIDES.contains(&char)
}

/// The text without the invisible characters at both ends.
pub fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    match text {
        [0x80..=0xff, ..] | [.., 0x80..=0xff] => {
            let visible = std::str::from_utf8(text).map(|text| text.trim_matches(is_harmless));
            visible.map_or(text, str::as_bytes)
        }
        _ => text,
    }
}

/// Whether a text consists of invisible characters only.
#[inline]
pub fn is_blank(text: &[u8]) -> bool {
    match text {
        [b'!'..=b'~', ..] => false,
        _ => trimmed(text).iter().all(|byte| byte.is_ascii_whitespace() || *byte == SUBSTITUTE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_removed_from_both_ends() {
        for text in ["7", " 7\t", "\u{a0}7", "\u{feff}\u{200b} 7\u{202f} ", "7\u{3000}"] {
            assert_eq!(trimmed(text.as_bytes()), b"7", "{text:?}");
        }
        assert_eq!(trimmed("7\u{a0}7".as_bytes()), "7\u{a0}7".as_bytes());
        assert_eq!(trimmed("\u{202e}21".as_bytes()), "\u{202e}21".as_bytes(), "it reads 12");
        assert_eq!(trimmed(b"\n7"), b"\n7");
        assert_eq!(trimmed(b"7\xff"), b"7\xff");
    }

    #[test]
    fn a_text_of_invisible_characters_is_blank() {
        for text in ["", " \t", "\u{a0}", "\u{feff}\u{200b}", "\n \r\n", "\u{1a}"] {
            assert!(is_blank(text.as_bytes()), "{text:?}");
        }
        for text in ["0", " x ", "\u{a0}\u{1f}", "é", "\0"] {
            assert!(!is_blank(text.as_bytes()), "{text:?}");
        }
    }
}
