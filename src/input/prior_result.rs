//! What an earlier run wrote about a row, read from its results.

use std::borrow::Cow;

use csv::ByteRecord;

use crate::model::Status;

use super::columns::ColumnMap;
use crate::model::result_columns;

/// What an earlier run wrote about a row. Spreadsheets change what they save, so
/// case, blanks, a leading apostrophe and other ways to say true are tolerated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorResult<'r> {
    /// Its number in the input of the first run, if the field holds one.
    pub row: Option<u32>,
    /// How the row stood, if the field holds a status.
    pub status: Option<Status>,
    /// CoreCARD's code, else one of ours.
    pub error_code: Cow<'r, str>,
    /// CoreCARD's message, or what went wrong in words.
    pub message: Cow<'r, str>,
    /// The HTTP status of the last answer.
    pub http_status: Option<u16>,
    /// How many requests were sent; 0 if the field is empty or unreadable.
    pub attempts: u32,
    /// Whether an answer was lost; `None` if the field is neither true nor false.
    pub doubt: Option<bool>,
    /// When the first request left.
    pub first_sent_at: Cow<'r, str>,
    /// When the row ended.
    pub ended_at: Cow<'r, str>,
}

/// The columns of a results file that hold results.
#[derive(Debug, Clone)]
pub(super) struct ResultColumns {
    row: Option<usize>,
    pub status: usize,
    error_code: Option<usize>,
    message: Option<usize>,
    http_status: Option<usize>,
    attempts: Option<usize>,
    pub doubt: Option<usize>,
    first_sent_at: Option<usize>,
    ended_at: Option<usize>,
}

impl ResultColumns {
    /// Finds them; `None` if there is no status column.
    pub fn find(columns: &ColumnMap) -> Option<ResultColumns> {
        Some(ResultColumns {
            row: columns.result(result_columns::ROW),
            status: columns.result(result_columns::STATUS)?,
            error_code: columns.result(result_columns::ERROR_CODE),
            message: columns.result(result_columns::MESSAGE),
            http_status: columns.result(result_columns::HTTP_STATUS),
            attempts: columns.result(result_columns::ATTEMPTS),
            doubt: columns.result(result_columns::DOUBT),
            first_sent_at: columns.result(result_columns::FIRST_SENT_AT),
            ended_at: columns.result(result_columns::ENDED_AT),
        })
    }

    pub fn read<'r>(&self, fields: &'r ByteRecord) -> PriorResult<'r> {
        let text = |column: Option<usize>| {
            column.and_then(|column| fields.get(column)).map(plain).unwrap_or_default()
        };
        let status = status(&text(Some(self.status)));
        PriorResult {
            row: text(self.row).parse().ok(),
            status,
            error_code: text(self.error_code),
            message: text(self.message),
            http_status: text(self.http_status).parse().ok(),
            attempts: text(self.attempts).parse().unwrap_or(0),
            doubt: match status {
                Some(Status::InDoubt) => Some(true),
                _ => yes_or_no(&text(self.doubt)),
            },
            first_sent_at: text(self.first_sent_at),
            ended_at: text(self.ended_at),
        }
    }
}

/// A field's text without blanks around it and without the apostrophe that keeps
/// a spreadsheet from reading it as a formula.
fn plain(field: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(field) {
        Cow::Borrowed(text) => Cow::Borrowed(stripped(text)),
        Cow::Owned(text) => Cow::Owned(stripped(&text).to_owned()),
    }
}

fn stripped(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('\'').unwrap_or(text).trim_start()
}

fn status(text: &str) -> Option<Status> {
    let same = |(ours, theirs): (char, char)| match ours {
        '_' => matches!(theirs, '_' | ' ' | '-'),
        _ => ours.eq_ignore_ascii_case(&theirs),
    };
    Status::ALL.into_iter().find(|status| {
        let word = status.as_str();
        word.len() == text.len() && word.chars().zip(text.chars()).all(same)
    })
}

/// Spreadsheets write the words of their own language for true and false.
const YES: [&str; 37] = [
    "true",
    "yes",
    "y",
    "t",
    "1",
    "wahr",
    "ja",
    "j",
    "vrai",
    "oui",
    "vero",
    "sì",
    "si",
    "sí",
    "verdadero",
    "verdadeiro",
    "sim",
    "waar",
    "prawda",
    "tak",
    "pravda",
    "ano",
    "áno",
    "igaz",
    "igen",
    "sant",
    "sann",
    "sand",
    "tosi",
    "kyllä",
    "doğru",
    "evet",
    "истина",
    "да",
    "true()",
    "adevărat",
    "真",
];
const NO: [&str; 37] = [
    "", "false", "no", "n", "f", "0", "falsch", "nein", "faux", "non", "falso", "não", "nao",
    "onwaar", "nee", "fałsz", "nie", "nepravda", "ne", "hamis", "nem", "falskt", "falsk", "usant",
    "usann", "nej", "nei", "epätosi", "ei", "yanlış", "hayır", "ложь", "нет", "false()", "fals",
    "nu", "偽",
];

fn yes_or_no(text: &str) -> Option<bool> {
    let text = text.to_lowercase();
    let is_among = |words: &[&str]| words.contains(&text.as_str());
    if is_among(&NO) { Some(false) } else { is_among(&YES).then_some(true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_and_false_are_read_in_the_languages_of_spreadsheets() {
        for (text, expected) in [
            ("FALSE", Some(false)),
            ("FALSCH", Some(false)),
            ("", Some(false)),
            ("0", Some(false)),
            ("WAHR", Some(true)),
            ("Vrai", Some(true)),
            ("ИСТИНА", Some(true)),
            ("maybe", None),
            ("1.0", None),
        ] {
            assert_eq!(yes_or_no(text), expected, "{text}");
        }
        assert!(!YES.iter().any(|yes| NO.contains(yes)));
    }
}
