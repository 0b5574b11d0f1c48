//! What an attempt came to, and what that makes of its row: the only place
//! where an answer, or the lack of one, is given a meaning.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::ReasonCode;

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
pub enum CallResult {
    /// A complete HTTP answer.
    Response(HttpResponse),
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
pub struct HttpResponse {
    /// The HTTP status, 100 to 999.
    pub http_status: u16,
    /// How long the server asked everyone to wait, from now.
    pub retry_after: Option<Duration>,
    /// What the body said.
    pub body: ResponseBody,
}

/// What an answer's body said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseBody {
    /// A JSON object; any of its fields may be missing.
    Api {
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
    pub verdict: Verdict,
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
    pub fn describe(&self) -> String {
        match self.message.is_empty() {
            true => self.error_code.clone(),
            false => format!("{}, {}", self.error_code, self.message),
        }
    }

    /// What it tells of the server.
    pub fn server_signal(&self) -> ServerSignal {
        match (self.verdict, self.http_status) {
            (Verdict::Cancelled | Verdict::AlreadyCancelled | Verdict::Rejected, _) => {
                ServerSignal::Works
            }
            (Verdict::Refused | Verdict::Stop(_) | Verdict::StopInDoubt(_), _) => {
                ServerSignal::Unclear
            }
            (Verdict::NotDone | Verdict::Doubt, Some(429)) => ServerSignal::Throttled,
            (Verdict::NotDone | Verdict::Doubt, Some(503)) => ServerSignal::Unavailable,
            (Verdict::Doubt, _) => ServerSignal::Broken,
            (Verdict::NotDone, None) => ServerSignal::Unreachable,
            (Verdict::NotDone, Some(200..=299)) => ServerSignal::Works,
            (Verdict::NotDone, Some(500..)) => ServerSignal::Unavailable,
            (Verdict::NotDone, Some(_)) => ServerSignal::Unclear,
        }
    }
}

/// What an attempt tells of the server, whatever it means for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerSignal {
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

impl ServerSignal {
    /// Whether a server that works would not have given it.
    pub fn is_failure(self) -> bool {
        !matches!(self, ServerSignal::Works | ServerSignal::Unclear)
    }
}

/// What an attempt means for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
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
    Stop(FatalCause),
    /// It may or may not be done, and nothing else may be sent.
    StopInDoubt(FatalCause),
}

impl Verdict {
    /// Whether it leaves the order in doubt.
    pub fn leaves_doubt(self) -> bool {
        matches!(self, Verdict::Doubt | Verdict::StopInDoubt(_))
    }

    /// Why nothing else may be sent, if that is so.
    pub fn fatal_cause(self) -> Option<FatalCause> {
        match self {
            Verdict::Stop(cause) | Verdict::StopInDoubt(cause) => Some(cause),
            _ => None,
        }
    }
}

/// An answer after which the whole run must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FatalCause {
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

impl FatalCause {
    /// The code that stands in the results of the rows left unsent.
    pub fn code(self) -> ReasonCode {
        match self {
            FatalCause::Unauthorized | FatalCause::Credentials => ReasonCode::Credentials,
            FatalCause::Redirected => ReasonCode::Redirected,
            FatalCause::Certificate => ReasonCode::Certificate,
            FatalCause::Code => ReasonCode::StopCode,
        }
    }
}

/// What the operator says a CoreCARD code on a rejection means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeMapping {
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
pub struct CodeMap(pub std::collections::BTreeMap<String, CodeMapping>);

impl CodeMap {
    /// The configured meaning of a code, if any.
    pub fn get(&self, code: &str) -> Option<CodeMapping> {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => code.starts_with(prefix),
            None => code == pattern,
        };
        self.0
            .iter()
            .filter(|(pattern, _)| matches(pattern))
            .max_by_key(|(pattern, _)| (!pattern.ends_with('*'), pattern.len()))
            .map(|(_, verdict)| *verdict)
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
    pub codes: CodeMap,
    /// Which HTTP statuses mean that nothing was done.
    pub not_processed: NotProcessed,
}

/// Gives what was seen its meaning.
pub fn classify(seen: CallResult, rules: &AnswerRules) -> Outcome {
    let plain = |verdict, sent, code: ReasonCode, message| Outcome {
        verdict,
        sent,
        error_code: code.to_string(),
        message,
        http_status: None,
        retry_after: None,
    };
    match seen {
        CallResult::Response(reply) => classify_reply(reply, rules),
        CallResult::NotSent { code, detail } => plain(Verdict::NotDone, false, code, detail),
        CallResult::Lost { code, detail } => plain(Verdict::Doubt, true, code, detail),
        CallResult::Untrusted { detail } => {
            plain(Verdict::Stop(FatalCause::Certificate), false, ReasonCode::Certificate, detail)
        }
        CallResult::ProxyRefused { detail } => {
            plain(Verdict::Stop(FatalCause::Credentials), false, ReasonCode::Http(407), detail)
        }
    }
}

fn classify_reply(reply: HttpResponse, rules: &AnswerRules) -> Outcome {
    let HttpResponse { http_status, retry_after, body } = reply;
    let is_success = (200..=299).contains(&http_status);
    let (verdict, error_code, message) = match is_success {
        true => classify_answer(body, &rules.codes),
        false => classify_refusal(http_status, body, rules),
    };
    let may_ask = verdict == Verdict::NotDone || (verdict == Verdict::Doubt && !is_success);
    Outcome {
        verdict,
        sent: true,
        error_code,
        message,
        http_status: Some(http_status),
        retry_after: retry_after.filter(|_| may_ask),
    }
}

/// An answer of CoreCARD itself: only `Status` tells success from rejection, and
/// an answer without it must not read as a success.
fn classify_answer(body: ResponseBody, codes: &CodeMap) -> (Verdict, String, String) {
    let bad = || ReasonCode::BadAnswer.to_string();
    match body {
        ResponseBody::Api { status: Some(done), error_code, message } => {
            let verdict = match done {
                true => Verdict::Cancelled,
                false => rejection(error_code.as_deref(), codes).unwrap_or(Verdict::Rejected),
            };
            (verdict, error_code.unwrap_or_default(), message.unwrap_or_default())
        }
        ResponseBody::Api { status: None, error_code, message } => {
            let said = message.map(|message| format!("; it said: {message}")).unwrap_or_default();
            let message = format!("the answer had no plain Status{said}");
            (Verdict::Doubt, error_code.unwrap_or_else(bad), message)
        }
        ResponseBody::Unreadable(why) => (Verdict::Doubt, bad(), why),
    }
}

/// An answer whose HTTP status is not one of success.
fn classify_refusal(
    http_status: u16,
    body: ResponseBody,
    rules: &AnswerRules,
) -> (Verdict, String, String) {
    let verdict = refusal(http_status, &body, rules);
    let (error_code, message) = match body {
        ResponseBody::Api { error_code, message, .. } => (error_code, message),
        ResponseBody::Unreadable(why) => (None, Some(why)),
    };
    let error_code = error_code.unwrap_or_else(|| ReasonCode::Http(http_status).to_string());
    let message = message.unwrap_or_else(|| format!("the server answered HTTP {http_status}"));
    (verdict, error_code, message)
}

/// What the table "What an answer means" in docs/failures.md says. A gateway may have passed the
/// request on before it said no: only what is surely said before that is no doubt.
fn refusal(http_status: u16, body: &ResponseBody, rules: &AnswerRules) -> Verdict {
    let (done, code) = match body {
        ResponseBody::Api { status, error_code, .. } => (*status, error_code.as_deref()),
        ResponseBody::Unreadable(_) => (None, None),
    };
    // CoreCARD's own word, whatever HTTP status it goes with.
    let is_no = done == Some(false) && (400..=499).contains(&http_status);
    if is_no && let Some(verdict) = rejection(code, &rules.codes) {
        return verdict;
    }
    match http_status {
        // It contradicts itself: neither half can be believed.
        _ if done == Some(true) => Verdict::Doubt,
        _ if rules.not_processed.has(http_status) => Verdict::NotDone,
        // Both ask for the same request elsewhere; the others may point to what it came to.
        307 | 308 => Verdict::Stop(FatalCause::Redirected),
        300..=399 => Verdict::StopInDoubt(FatalCause::Redirected),
        401 => Verdict::Stop(FatalCause::Unauthorized),
        403 if is_no => Verdict::Stop(FatalCause::Credentials),
        // A firewall that dislikes an answer puts this in its place.
        403 => Verdict::StopInDoubt(FatalCause::Credentials),
        407 => Verdict::Stop(FatalCause::Credentials),
        408 => Verdict::Doubt,
        _ if is_no => Verdict::Rejected,
        400 | 404 | 405 | 413 | 415 | 422 => Verdict::Refused,
        _ => Verdict::Doubt,
    }
}

/// What the operator says that a rejection with this code means, if anything.
fn rejection(error_code: Option<&str>, codes: &CodeMap) -> Option<Verdict> {
    Some(match codes.get(error_code?)? {
        CodeMapping::AlreadyCancelled => Verdict::AlreadyCancelled,
        CodeMapping::Retry => Verdict::NotDone,
        CodeMapping::Stop => Verdict::Stop(FatalCause::Code),
        CodeMapping::Printed | CodeMapping::NotFound => Verdict::Rejected,
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
pub enum RowTransition {
    /// The row ends so.
    End(Status),
    /// The row waits for another attempt.
    Retry,
    /// The row goes back among those not sent; the run stops.
    Unsent,
}

/// What an attempt makes of its row. `attempts_left` says whether another is
/// allowed; `doubt` whether this or any earlier answer of the row was lost.
pub fn transition(
    verdict: Verdict,
    attempts_left: bool,
    doubt: bool,
    on_doubt: OnDoubt,
) -> RowTransition {
    match verdict {
        Verdict::Cancelled => RowTransition::End(Status::Cancelled),
        Verdict::AlreadyCancelled => RowTransition::End(Status::AlreadyCancelled),
        Verdict::Rejected => RowTransition::End(Status::Rejected),
        Verdict::Doubt if attempts_left && on_doubt == OnDoubt::Retry => RowTransition::Retry,
        Verdict::NotDone if attempts_left => RowTransition::Retry,
        Verdict::StopInDoubt(_) if on_doubt == OnDoubt::Leave => {
            RowTransition::End(Status::InDoubt)
        }
        Verdict::Stop(_) | Verdict::StopInDoubt(_) => RowTransition::Unsent,
        // Once an answer was lost, a later "not done" speaks of the later attempt only.
        Verdict::Doubt | Verdict::NotDone | Verdict::Refused if doubt => {
            RowTransition::End(Status::InDoubt)
        }
        Verdict::Doubt => RowTransition::End(Status::InDoubt),
        Verdict::NotDone | Verdict::Refused => RowTransition::End(Status::Failed),
    }
}

/// How a row stands in the results when its run stopped before it ended: a row
/// with a lost answer behind it can no longer be called unsent.
pub fn status_when_stopped(doubt: bool) -> Status {
    if doubt { Status::InDoubt } else { Status::NotSent }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(http_status: u16, status: Option<bool>) -> CallResult {
        let body = ResponseBody::Api { status, error_code: Some("ERR7".to_owned()), message: None };
        CallResult::Response(HttpResponse {
            http_status,
            retry_after: Some(Duration::from_secs(1)),
            body,
        })
    }

    fn verdict(http_status: u16, status: Option<bool>) -> Verdict {
        classify(reply(http_status, status), &AnswerRules::default()).verdict
    }

    fn without_answer(http_status: u16) -> Verdict {
        let body = ResponseBody::Unreadable("a page".to_owned());
        let seen = CallResult::Response(HttpResponse { http_status, retry_after: None, body });
        classify(seen, &AnswerRules::default()).verdict
    }

    #[test]
    fn only_status_tells_success_from_rejection() {
        assert_eq!(verdict(200, Some(true)), Verdict::Cancelled);
        assert_eq!(verdict(200, Some(false)), Verdict::Rejected);
        assert_eq!(verdict(200, None), Verdict::Doubt);
    }

    #[test]
    fn an_answer_that_contradicts_its_http_status_is_a_doubt() {
        for http_status in [301, 400, 401, 409, 429, 500, 503] {
            assert_eq!(verdict(http_status, Some(true)), Verdict::Doubt, "{http_status}");
        }
    }

    #[test]
    fn a_status_that_nobody_listed_is_a_doubt() {
        for http_status in [100, 402, 408, 409, 425, 499, 500, 502, 503, 504, 520, 999] {
            assert_eq!(verdict(http_status, None), Verdict::Doubt, "{http_status}");
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
        assert_eq!(without_answer(308), Verdict::Stop(FatalCause::Redirected));
        assert_eq!(without_answer(303), Verdict::StopInDoubt(FatalCause::Redirected));
        assert_eq!(without_answer(403), Verdict::StopInDoubt(FatalCause::Credentials));
    }

    #[test]
    fn corecards_own_no_is_a_no_with_any_http_status_of_a_refusal() {
        for http_status in [200, 400, 402, 404, 409, 422, 499] {
            assert_eq!(verdict(http_status, Some(false)), Verdict::Rejected, "{http_status}");
        }
        assert_eq!(verdict(401, Some(false)), Verdict::Stop(FatalCause::Unauthorized));
        assert_eq!(verdict(403, Some(false)), Verdict::Stop(FatalCause::Credentials));
        assert_eq!(verdict(429, Some(false)), Verdict::NotDone);
        for http_status in [303, 408, 500, 503] {
            assert!(verdict(http_status, Some(false)).leaves_doubt(), "{http_status}");
        }
    }

    #[test]
    fn a_code_means_the_same_with_any_http_status_of_a_refusal() {
        let codes = CodeMap([("ERR7".to_owned(), CodeMapping::Retry)].into());
        let rules = AnswerRules { codes, ..AnswerRules::default() };
        for http_status in [200, 401, 403, 404, 408, 422] {
            let outcome = classify(reply(http_status, Some(false)), &rules);
            assert_eq!(outcome.verdict, Verdict::NotDone, "{http_status}");
        }
        let outcome = classify(reply(503, Some(false)), &rules);
        assert_eq!(outcome.verdict, Verdict::Doubt);
    }

    #[test]
    fn the_operator_says_which_statuses_come_before_anything_is_done() {
        let rules = |text: &str| AnswerRules {
            not_processed: text.parse().unwrap(),
            ..AnswerRules::default()
        };
        let means = |text, http_status| classify(reply(http_status, None), &rules(text)).verdict;
        assert_eq!(means("429, 503", 503), Verdict::NotDone);
        assert_eq!(means("503", 429), Verdict::Doubt);
        assert_eq!(means("none", 429), Verdict::Doubt);
        for bad in ["", "200", "302", "600", "429;503", "429,", "busy"] {
            assert!(bad.parse::<NotProcessed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_circuit_breaker_reads_503_and_429_whatever_they_mean_for_the_order() {
        let rules = AnswerRules { not_processed: "503".parse().unwrap(), ..AnswerRules::default() };
        for rules in [AnswerRules::default(), rules] {
            assert_eq!(
                classify(reply(503, None), &rules).server_signal(),
                ServerSignal::Unavailable
            );
            assert_eq!(classify(reply(429, None), &rules).server_signal(), ServerSignal::Throttled);
        }
    }

    #[test]
    fn a_code_means_what_the_longest_pattern_that_fits_it_says() {
        let codes = [
            ("ERR*", CodeMapping::Retry),
            ("ERR01*", CodeMapping::Stop),
            ("ERR0116", CodeMapping::AlreadyCancelled),
        ];
        let codes = CodeMap(codes.map(|(code, verdict)| (code.to_owned(), verdict)).into());
        assert_eq!(codes.get("ERR0116"), Some(CodeMapping::AlreadyCancelled));
        assert_eq!(codes.get("ERR01160"), Some(CodeMapping::Stop));
        assert_eq!(codes.get("ERR9"), Some(CodeMapping::Retry));
        assert_eq!(codes.get("OTHER"), None);
    }

    #[test]
    fn a_row_whose_answer_was_lost_never_ends_as_surely_not_done() {
        for verdict in [Verdict::Doubt, Verdict::NotDone, Verdict::Refused] {
            let transition = transition(verdict, false, true, OnDoubt::Retry);
            assert_eq!(transition, RowTransition::End(Status::InDoubt), "{verdict:?}");
        }
        assert_eq!(status_when_stopped(true), Status::InDoubt);
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_only_if_that_is_wanted_and_allowed() {
        let after = |left, on_doubt| transition(Verdict::Doubt, left, true, on_doubt);
        assert_eq!(after(true, OnDoubt::Retry), RowTransition::Retry);
        assert_eq!(after(true, OnDoubt::Leave), RowTransition::End(Status::InDoubt));
        assert_eq!(after(false, OnDoubt::Retry), RowTransition::End(Status::InDoubt));
    }

    #[test]
    fn every_status_reads_back_from_its_word() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
    }
}
