//! What an attempt came to, and what that makes of its row: the only place
//! where an answer, or the lack of one, is given a meaning.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::order::ReasonCode;

/// How a row stands in the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// CoreCARD answered `Status` true.
    Cancelled,
    /// A code that the configuration says means that, or an earlier run did it.
    AlreadyCancelled,
    /// CoreCARD answered `Status` false: final.
    Rejected,
    /// Surely not done: refused, unreachable, throttled, attempts used up.
    Failed,
    /// Sent, no trustworthy answer came, attempts used up.
    InDoubt,
    /// The row cannot be sent.
    Invalid,
    /// The same order stands in an earlier row, which decides.
    Duplicate,
    /// The run stopped before the row was done.
    NotSent,
}

impl Status {
    /// Every status, in the order summaries show them.
    pub const ALL: [Status; 8] = [
        Status::Cancelled,
        Status::AlreadyCancelled,
        Status::Rejected,
        Status::Failed,
        Status::InDoubt,
        Status::Invalid,
        Status::Duplicate,
        Status::NotSent,
    ];

    /// The word in the results' `status` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Cancelled => "cancelled",
            Status::AlreadyCancelled => "already_cancelled",
            Status::Rejected => "rejected",
            Status::Failed => "failed",
            Status::InDoubt => "in_doubt",
            Status::Invalid => "invalid",
            Status::Duplicate => "duplicate",
            Status::NotSent => "not_sent",
        }
    }

    /// Whether the order is surely off the embosser's list.
    pub fn is_cancelled(self) -> bool {
        matches!(self, Status::Cancelled | Status::AlreadyCancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word is none of the eight statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a status")]
pub struct ParseStatusError;

impl FromStr for Status {
    type Err = ParseStatusError;

    fn from_str(word: &str) -> Result<Self, ParseStatusError> {
        Status::ALL.into_iter().find(|status| status.as_str() == word).ok_or(ParseStatusError)
    }
}

/// What one attempt showed, before anyone judged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A complete HTTP answer.
    Reply(Reply),
    /// The request surely never left this machine.
    NotSent {
        /// Which of our own codes names the cause.
        code: ReasonCode,
        /// The cause in words.
        detail: String,
    },
    /// The request may have left, and no complete answer came.
    Lost {
        /// Which of our own codes names the cause.
        code: ReasonCode,
        /// The cause in words.
        detail: String,
    },
    /// The server's certificate is not to be trusted, or the server did not
    /// accept ours: no request was taken.
    Untrusted {
        /// What is wrong with the certificate.
        detail: String,
    },
    /// The proxy did not accept our credentials: nothing was sent.
    ProxyRefused {
        /// The cause in words.
        detail: String,
    },
}

/// A complete HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status, 100 to 999.
    pub http_status: u16,
    /// How long the server asked everyone to wait, from now.
    pub retry_after: Option<Duration>,
    /// What the body said.
    pub body: Body,
}

/// What an answer's body said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A JSON object; any of its fields may be missing.
    Answer {
        /// `Status`, if it was present and plainly a boolean.
        status: Option<bool>,
        /// `ErrorCode`, letter for letter.
        error_code: Option<String>,
        /// `Message`.
        message: Option<String>,
    },
    /// Anything else, and what is wrong with it.
    Unreadable(String),
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it means.
    pub meaning: Meaning,
    /// Whether the request may have left this machine.
    pub sent: bool,
    /// CoreCARD's own code whenever it gave one, else one of ours.
    pub error_code: String,
    /// CoreCARD's message, or what went wrong in words.
    pub message: String,
    /// The HTTP status, if an answer came.
    pub http_status: Option<u16>,
    /// How long nobody may send, if the server said so.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    /// Its code, and its message if there is one.
    pub fn said(&self) -> String {
        match self.message.is_empty() {
            true => self.error_code.clone(),
            false => format!("{}, {}", self.error_code, self.message),
        }
    }

    /// What it tells of the server.
    pub fn sign(&self) -> Sign {
        match (self.meaning, self.http_status) {
            (Meaning::Cancelled | Meaning::AlreadyCancelled | Meaning::Rejected, _) => Sign::Works,
            (Meaning::Refused | Meaning::Stop(_) | Meaning::StopInDoubt(_), _) => Sign::Unclear,
            (Meaning::NotDone | Meaning::Doubt, Some(429)) => Sign::Throttled,
            (Meaning::NotDone | Meaning::Doubt, Some(503)) => Sign::Unavailable,
            (Meaning::Doubt, _) => Sign::Broken,
            (Meaning::NotDone, None) => Sign::Unreachable,
            (Meaning::NotDone, Some(200..=299)) => Sign::Works,
            (Meaning::NotDone, Some(500..)) => Sign::Unavailable,
            (Meaning::NotDone, Some(_)) => Sign::Unclear,
        }
    }
}

/// What an attempt tells of the server, whatever it means for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// CoreCARD itself answered, yes or no: it works.
    Works,
    /// HTTP 429: it was sent too many calls.
    Throttled,
    /// No connection: it does not work, whatever the row.
    Unreachable,
    /// HTTP 503: it does not work, or not for this row.
    Unavailable,
    /// The answer was lost or cannot be trusted: it does not work, or not for this row.
    Broken,
    /// Nothing can be told from it.
    Unclear,
}

impl Sign {
    /// Whether a server that works would not have given it.
    pub fn is_failure(self) -> bool {
        !matches!(self, Sign::Works | Sign::Unclear)
    }
}

/// What an attempt means for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Done.
    Cancelled,
    /// It was done before.
    AlreadyCancelled,
    /// CoreCARD said no: final.
    Rejected,
    /// Surely not done, and a repeat would go the same way.
    Refused,
    /// Surely not done; a repeat may succeed.
    NotDone,
    /// It may or may not be done.
    Doubt,
    /// Surely not done, and nothing else may be sent either.
    Stop(Halt),
    /// It may or may not be done, and nothing else may be sent.
    StopInDoubt(Halt),
}

impl Meaning {
    /// Whether it leaves the order in doubt.
    pub fn leaves_doubt(self) -> bool {
        matches!(self, Meaning::Doubt | Meaning::StopInDoubt(_))
    }

    /// Why nothing else may be sent, if that is so.
    pub fn halt(self) -> Option<Halt> {
        match self {
            Meaning::Stop(halt) | Meaning::StopInDoubt(halt) => Some(halt),
            _ => None,
        }
    }
}

/// An answer after which the whole run must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// The credentials were refused, and new ones may not be.
    Unauthorized,
    /// The credentials were refused, and new ones would be too.
    Credentials,
    /// A redirect, which is never followed.
    Redirected,
    /// The server's certificate is not valid.
    Certificate,
    /// A code that the configuration says must stop the run.
    Code,
}

impl Halt {
    /// The code that stands in the results of the rows left unsent.
    pub fn code(self) -> ReasonCode {
        match self {
            Halt::Unauthorized | Halt::Credentials => ReasonCode::Credentials,
            Halt::Redirected => ReasonCode::Redirected,
            Halt::Certificate => ReasonCode::Certificate,
            Halt::Code => ReasonCode::StopCode,
        }
    }
}

/// What the operator says a CoreCARD code on a rejection means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeMeaning {
    /// The order was cancelled before.
    AlreadyCancelled,
    /// The card is printed: rejected, like a code nobody listed.
    Printed,
    /// CoreCARD does not know the order: rejected, like a code nobody listed.
    NotFound,
    /// Not done, worth another attempt.
    Retry,
    /// Not done, and the run must stop.
    Stop,
}

/// The configured meanings of CoreCARD's codes. A code ending in `*` stands for
/// every code that begins so; the longest match decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
pub struct Codes(pub std::collections::BTreeMap<String, CodeMeaning>);

impl Codes {
    /// The configured meaning of a code, if any.
    pub fn meaning(&self, code: &str) -> Option<CodeMeaning> {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => code.starts_with(prefix),
            None => code == pattern,
        };
        self.0
            .iter()
            .filter(|(pattern, _)| matches(pattern))
            .max_by_key(|(pattern, _)| (!pattern.ends_with('*'), pattern.len()))
            .map(|(_, meaning)| *meaning)
    }
}

/// The HTTP statuses that say of a request that it was not carried out, however it
/// looked on its way: those that a gateway gives before it passes anything on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotProcessed(Vec<u16>);

/// The text holds something that is not such a status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an HTTP status from 400 to 599, nor none")]
pub struct ParseNotProcessedError(String);

impl NotProcessed {
    /// All the statuses of these lists.
    pub fn all(lists: Vec<NotProcessed>) -> NotProcessed {
        NotProcessed(lists.into_iter().flat_map(|list| list.0).collect())
    }

    fn has(&self, http_status: u16) -> bool {
        self.0.contains(&http_status)
    }
}

impl Default for NotProcessed {
    /// What limits a rate does so before anything is done.
    fn default() -> NotProcessed {
        NotProcessed(vec![429])
    }
}

impl FromStr for NotProcessed {
    type Err = ParseNotProcessedError;

    fn from_str(text: &str) -> Result<Self, ParseNotProcessedError> {
        if text.trim() == "none" {
            return Ok(NotProcessed(Vec::new()));
        }
        let status = |word: &str| match word.trim().parse() {
            Ok(status @ 400..=599) => Ok(status),
            _ => Err(ParseNotProcessedError(word.trim().to_owned())),
        };
        text.split(',').map(status).collect::<Result<_, _>>().map(NotProcessed)
    }
}

/// What the operator says of the server's answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerRules {
    /// What CoreCARD's codes mean.
    pub codes: Codes,
    /// Which HTTP statuses mean that nothing was done.
    pub not_processed: NotProcessed,
}

/// Gives what was seen its meaning.
pub fn classify(seen: Seen, rules: &AnswerRules) -> Outcome {
    let plain = |meaning, sent, code: ReasonCode, message| Outcome {
        meaning,
        sent,
        error_code: code.to_string(),
        message,
        http_status: None,
        retry_after: None,
    };
    match seen {
        Seen::Reply(reply) => classify_reply(reply, rules),
        Seen::NotSent { code, detail } => plain(Meaning::NotDone, false, code, detail),
        Seen::Lost { code, detail } => plain(Meaning::Doubt, true, code, detail),
        Seen::Untrusted { detail } => {
            plain(Meaning::Stop(Halt::Certificate), false, ReasonCode::Certificate, detail)
        }
        Seen::ProxyRefused { detail } => {
            plain(Meaning::Stop(Halt::Credentials), false, ReasonCode::Http(407), detail)
        }
    }
}

fn classify_reply(reply: Reply, rules: &AnswerRules) -> Outcome {
    let Reply { http_status, retry_after, body } = reply;
    let is_success = (200..=299).contains(&http_status);
    let (meaning, error_code, message) = match is_success {
        true => classify_answer(body, &rules.codes),
        false => classify_refusal(http_status, body, rules),
    };
    let may_ask = meaning == Meaning::NotDone || (meaning == Meaning::Doubt && !is_success);
    Outcome {
        meaning,
        sent: true,
        error_code,
        message,
        http_status: Some(http_status),
        retry_after: retry_after.filter(|_| may_ask),
    }
}

/// An answer of CoreCARD itself: only `Status` tells success from rejection, and
/// an answer without it must not read as a success.
fn classify_answer(body: Body, codes: &Codes) -> (Meaning, String, String) {
    let bad = || ReasonCode::BadAnswer.to_string();
    match body {
        Body::Answer { status: Some(done), error_code, message } => {
            let meaning = match done {
                true => Meaning::Cancelled,
                false => rejection(error_code.as_deref(), codes).unwrap_or(Meaning::Rejected),
            };
            (meaning, error_code.unwrap_or_default(), message.unwrap_or_default())
        }
        Body::Answer { status: None, error_code, message } => {
            let said = message.map(|message| format!("; it said: {message}")).unwrap_or_default();
            let message = format!("the answer had no plain Status{said}");
            (Meaning::Doubt, error_code.unwrap_or_else(bad), message)
        }
        Body::Unreadable(why) => (Meaning::Doubt, bad(), why),
    }
}

/// An answer whose HTTP status is not one of success.
fn classify_refusal(
    http_status: u16,
    body: Body,
    rules: &AnswerRules,
) -> (Meaning, String, String) {
    let meaning = refusal(http_status, &body, rules);
    let (error_code, message) = match body {
        Body::Answer { error_code, message, .. } => (error_code, message),
        Body::Unreadable(why) => (None, Some(why)),
    };
    let error_code = error_code.unwrap_or_else(|| ReasonCode::Http(http_status).to_string());
    let message = message.unwrap_or_else(|| format!("the server answered HTTP {http_status}"));
    (meaning, error_code, message)
}

/// What the table "What an answer means" in docs/failures.md says. A gateway may have passed the
/// request on before it said no: only what is surely said before that is no doubt.
fn refusal(http_status: u16, body: &Body, rules: &AnswerRules) -> Meaning {
    let (done, code) = match body {
        Body::Answer { status, error_code, .. } => (*status, error_code.as_deref()),
        Body::Unreadable(_) => (None, None),
    };
    // CoreCARD's own word, whatever HTTP status it goes with.
    let is_no = done == Some(false) && (400..=499).contains(&http_status);
    if is_no && let Some(meaning) = rejection(code, &rules.codes) {
        return meaning;
    }
    match http_status {
        // It contradicts itself: neither half can be believed.
        _ if done == Some(true) => Meaning::Doubt,
        _ if rules.not_processed.has(http_status) => Meaning::NotDone,
        // Both ask for the same request elsewhere; the others may point to what it came to.
        307 | 308 => Meaning::Stop(Halt::Redirected),
        300..=399 => Meaning::StopInDoubt(Halt::Redirected),
        401 => Meaning::Stop(Halt::Unauthorized),
        403 if is_no => Meaning::Stop(Halt::Credentials),
        // A firewall that dislikes an answer puts this in its place.
        403 => Meaning::StopInDoubt(Halt::Credentials),
        407 => Meaning::Stop(Halt::Credentials),
        408 => Meaning::Doubt,
        _ if is_no => Meaning::Rejected,
        400 | 404 | 405 | 413 | 415 | 422 => Meaning::Refused,
        _ => Meaning::Doubt,
    }
}

/// What the operator says that a rejection with this code means, if anything.
fn rejection(error_code: Option<&str>, codes: &Codes) -> Option<Meaning> {
    Some(match codes.meaning(error_code?)? {
        CodeMeaning::AlreadyCancelled => Meaning::AlreadyCancelled,
        CodeMeaning::Retry => Meaning::NotDone,
        CodeMeaning::Stop => Meaning::Stop(Halt::Code),
        CodeMeaning::Printed | CodeMeaning::NotFound => Meaning::Rejected,
    })
}

/// What is done about a lost answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDoubt {
    /// Ask again within the run: the pair names one order, so a repeat is safe.
    #[default]
    Retry,
    /// Leave the row in doubt at once.
    Leave,
}

/// What an attempt makes of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The row ends so.
    End(Status),
    /// The row waits for another attempt.
    Again,
    /// The row goes back among those not sent; the run stops.
    Unsent,
}

/// What an attempt makes of its row. `attempts_left` says whether another is
/// allowed; `doubt` whether this or any earlier answer of the row was lost.
pub fn next(meaning: Meaning, attempts_left: bool, doubt: bool, on_doubt: OnDoubt) -> Next {
    match meaning {
        Meaning::Cancelled => Next::End(Status::Cancelled),
        Meaning::AlreadyCancelled => Next::End(Status::AlreadyCancelled),
        Meaning::Rejected => Next::End(Status::Rejected),
        Meaning::Doubt if attempts_left && on_doubt == OnDoubt::Retry => Next::Again,
        Meaning::NotDone if attempts_left => Next::Again,
        Meaning::StopInDoubt(_) if on_doubt == OnDoubt::Leave => Next::End(Status::InDoubt),
        Meaning::Stop(_) | Meaning::StopInDoubt(_) => Next::Unsent,
        // Once an answer was lost, a later "not done" speaks of the later attempt only.
        Meaning::Doubt | Meaning::NotDone | Meaning::Refused if doubt => Next::End(Status::InDoubt),
        Meaning::Doubt => Next::End(Status::InDoubt),
        Meaning::NotDone | Meaning::Refused => Next::End(Status::Failed),
    }
}

/// How a row stands in the results when its run stopped before it ended: a row
/// with a lost answer behind it can no longer be called unsent.
pub fn unended(doubt: bool) -> Status {
    if doubt { Status::InDoubt } else { Status::NotSent }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(http_status: u16, status: Option<bool>) -> Seen {
        let body = Body::Answer { status, error_code: Some("ERR7".to_owned()), message: None };
        Seen::Reply(Reply { http_status, retry_after: Some(Duration::from_secs(1)), body })
    }

    fn meaning(http_status: u16, status: Option<bool>) -> Meaning {
        classify(reply(http_status, status), &AnswerRules::default()).meaning
    }

    fn without_answer(http_status: u16) -> Meaning {
        let body = Body::Unreadable("a page".to_owned());
        let seen = Seen::Reply(Reply { http_status, retry_after: None, body });
        classify(seen, &AnswerRules::default()).meaning
    }

    #[test]
    fn only_status_tells_success_from_rejection() {
        assert_eq!(meaning(200, Some(true)), Meaning::Cancelled);
        assert_eq!(meaning(200, Some(false)), Meaning::Rejected);
        assert_eq!(meaning(200, None), Meaning::Doubt);
    }

    #[test]
    fn an_answer_that_contradicts_its_http_status_is_a_doubt() {
        for http_status in [301, 400, 401, 409, 429, 500, 503] {
            assert_eq!(meaning(http_status, Some(true)), Meaning::Doubt, "{http_status}");
        }
    }

    #[test]
    fn a_status_that_nobody_listed_is_a_doubt() {
        for http_status in [100, 402, 408, 409, 425, 499, 500, 502, 503, 504, 520, 999] {
            assert_eq!(meaning(http_status, None), Meaning::Doubt, "{http_status}");
        }
    }

    #[test]
    fn only_an_answer_that_may_go_better_later_makes_everyone_wait() {
        let wait = |http_status| {
            classify(reply(http_status, None), &AnswerRules::default()).retry_after.is_some()
        };
        assert!(wait(429) && wait(503) && wait(408) && wait(500));
        assert!(!wait(200) && !wait(400) && !wait(302) && !wait(403));
    }

    #[test]
    fn what_a_gateway_may_say_after_it_passed_the_request_on_leaves_doubt() {
        for http_status in (300..=599).filter(|status| !matches!(status, 307 | 308 | 429)) {
            let is_before = matches!(http_status, 400 | 401 | 404 | 405 | 407 | 413 | 415 | 422);
            let leaves_doubt = without_answer(http_status).leaves_doubt();
            assert_eq!(leaves_doubt, !is_before, "{http_status}");
        }
        assert_eq!(without_answer(308), Meaning::Stop(Halt::Redirected));
        assert_eq!(without_answer(303), Meaning::StopInDoubt(Halt::Redirected));
        assert_eq!(without_answer(403), Meaning::StopInDoubt(Halt::Credentials));
    }

    #[test]
    fn corecards_own_no_is_a_no_with_any_http_status_of_a_refusal() {
        for http_status in [200, 400, 402, 404, 409, 422, 499] {
            assert_eq!(meaning(http_status, Some(false)), Meaning::Rejected, "{http_status}");
        }
        assert_eq!(meaning(401, Some(false)), Meaning::Stop(Halt::Unauthorized));
        assert_eq!(meaning(403, Some(false)), Meaning::Stop(Halt::Credentials));
        assert_eq!(meaning(429, Some(false)), Meaning::NotDone);
        for http_status in [303, 408, 500, 503] {
            assert!(meaning(http_status, Some(false)).leaves_doubt(), "{http_status}");
        }
    }

    #[test]
    fn a_code_means_the_same_with_any_http_status_of_a_refusal() {
        let codes = Codes([("ERR7".to_owned(), CodeMeaning::Retry)].into());
        let rules = AnswerRules { codes, ..AnswerRules::default() };
        for http_status in [200, 401, 403, 404, 408, 422] {
            let outcome = classify(reply(http_status, Some(false)), &rules);
            assert_eq!(outcome.meaning, Meaning::NotDone, "{http_status}");
        }
        let outcome = classify(reply(503, Some(false)), &rules);
        assert_eq!(outcome.meaning, Meaning::Doubt);
    }

    #[test]
    fn the_operator_says_which_statuses_come_before_anything_is_done() {
        let rules = |text: &str| AnswerRules {
            not_processed: text.parse().unwrap(),
            ..AnswerRules::default()
        };
        let means = |text, http_status| classify(reply(http_status, None), &rules(text)).meaning;
        assert_eq!(means("429, 503", 503), Meaning::NotDone);
        assert_eq!(means("503", 429), Meaning::Doubt);
        assert_eq!(means("none", 429), Meaning::Doubt);
        for bad in ["", "200", "302", "600", "429;503", "429,", "busy"] {
            assert!(bad.parse::<NotProcessed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_circuit_breaker_reads_503_and_429_whatever_they_mean_for_the_order() {
        let rules = AnswerRules { not_processed: "503".parse().unwrap(), ..AnswerRules::default() };
        for rules in [AnswerRules::default(), rules] {
            assert_eq!(classify(reply(503, None), &rules).sign(), Sign::Unavailable);
            assert_eq!(classify(reply(429, None), &rules).sign(), Sign::Throttled);
        }
    }

    #[test]
    fn a_code_means_what_the_longest_pattern_that_fits_it_says() {
        let codes = [
            ("ERR*", CodeMeaning::Retry),
            ("ERR01*", CodeMeaning::Stop),
            ("ERR0116", CodeMeaning::AlreadyCancelled),
        ];
        let codes = Codes(codes.map(|(code, meaning)| (code.to_owned(), meaning)).into());
        assert_eq!(codes.meaning("ERR0116"), Some(CodeMeaning::AlreadyCancelled));
        assert_eq!(codes.meaning("ERR01160"), Some(CodeMeaning::Stop));
        assert_eq!(codes.meaning("ERR9"), Some(CodeMeaning::Retry));
        assert_eq!(codes.meaning("OTHER"), None);
    }

    #[test]
    fn a_row_whose_answer_was_lost_never_ends_as_surely_not_done() {
        for meaning in [Meaning::Doubt, Meaning::NotDone, Meaning::Refused] {
            let next = next(meaning, false, true, OnDoubt::Retry);
            assert_eq!(next, Next::End(Status::InDoubt), "{meaning:?}");
        }
        assert_eq!(unended(true), Status::InDoubt);
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_only_if_that_is_wanted_and_allowed() {
        let after = |left, on_doubt| next(Meaning::Doubt, left, true, on_doubt);
        assert_eq!(after(true, OnDoubt::Retry), Next::Again);
        assert_eq!(after(true, OnDoubt::Leave), Next::End(Status::InDoubt));
        assert_eq!(after(false, OnDoubt::Retry), Next::End(Status::InDoubt));
    }

    #[test]
    fn every_status_reads_back_from_its_word() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }
}
