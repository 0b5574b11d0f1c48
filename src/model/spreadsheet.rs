//! Keeps spreadsheets from taking text for a formula.

use std::borrow::Cow;

/// The text so that it cannot act as a formula in a spreadsheet. One apostrophe is put before what
/// might, and before what begins with one: taken off again, the text is what it was.
pub fn without_formula(text: &str) -> Cow<'_, str> {
    if may_be_formula(text) { format!("'{text}").into() } else { text.into() }
}

/// Whether a spreadsheet may take it for a formula, which some do behind what nobody sees
/// and with full-width signs, or begins as what was guarded.
fn may_be_formula(text: &str) -> bool {
    if text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return false;
    }
    let mut visible = text.trim_start_matches(is_invisible).chars();
    text.starts_with(['\t', '\r', '\''])
        || matches!(
            visible.next(),
            Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '\u{2212}')
        )
}

fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_may_take_for_a_formula_gets_an_apostrophe() {
        let formulas = [
            "=1+1",
            "+1",
            "-1",
            "@x",
            "\tx",
            "\r=1",
            " =1",
            "\u{200b}=1",
            "\u{feff}=1",
            "\u{a0}@x",
            "\u{202e}-1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "'=1",
        ];
        for text in formulas {
            assert_eq!(without_formula(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "Printed", "ERR01160", "1-1", "(no)", "é=1", "\u{200b}x", " x"] {
            assert_eq!(without_formula(text), text, "{text:?}");
        }
    }
}
