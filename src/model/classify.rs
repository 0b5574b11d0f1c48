//! Classifies the result of a call. No other code decides what an answer, or a missing one, means.

use super::{
    AnswerRules, CallResult, CodeMap, CodeMapping, FatalCause, HttpResponse, Outcome, ReasonCode,
    ResponseBody, Verdict,
};

/// Classifies the result of a call by the operator's rules.
pub fn classify(result: CallResult, rules: &AnswerRules) -> Outcome {
    let plain = |verdict, sent, code: ReasonCode, message| Outcome {
        verdict,
        sent,
        error_code: code.to_string(),
        message,
        http_status: None,
        retry_after: None,
    };
    match result {
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
    let (verdict, error_code, message) = if is_success {
        classify_success(body, &rules.codes)
    } else {
        classify_refusal(http_status, body, rules)
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

/// Classifies a response with HTTP status 2xx. Only `Status` distinguishes success from
/// rejection, and a response without it must not count as a success.
fn classify_success(body: ResponseBody, codes: &CodeMap) -> (Verdict, String, String) {
    let bad = || ReasonCode::BadAnswer.to_string();
    match body {
        ResponseBody::Api { status: Some(done), error_code, message } => {
            let verdict = if done {
                Verdict::Cancelled
            } else {
                rejection(error_code.as_deref(), codes).unwrap_or(Verdict::Rejected)
            };
            (verdict, error_code.unwrap_or_default(), message.unwrap_or_default())
        }
        ResponseBody::Api { status: None, error_code, message } => {
            let quoted =
                message.map(|message| format!("; its message: {message}")).unwrap_or_default();
            let message = format!("the answer had no clear Status{quoted}");
            (Verdict::Doubt, error_code.unwrap_or_else(bad), message)
        }
        ResponseBody::Unreadable(why) => (Verdict::Doubt, bad(), why),
    }
}

/// Classifies a response with any other HTTP status.
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

/// The verdict for a response that is not 2xx, as in the table "What an answer means" in
/// docs/failures.md. A gateway may have forwarded the request before it refused it, so anything
/// that does not prove the opposite is a doubt.
fn refusal(http_status: u16, body: &ResponseBody, rules: &AnswerRules) -> Verdict {
    let (done, code) = match body {
        ResponseBody::Api { status, error_code, .. } => (*status, error_code.as_deref()),
        ResponseBody::Unreadable(_) => (None, None),
    };
    // A rejection by CoreCARD itself counts, whatever the HTTP status.
    let is_no = done == Some(false) && (400..=499).contains(&http_status);
    if is_no && let Some(verdict) = rejection(code, &rules.codes) {
        return verdict;
    }
    match http_status {
        // Body and HTTP status contradict each other, so neither is trusted.
        _ if done == Some(true) => Verdict::Doubt,
        _ if rules.not_processed.contains(http_status) => Verdict::NotDone,
        // Both ask for the same request elsewhere; other redirects may point to its result.
        307 | 308 => Verdict::Stop(FatalCause::Redirected),
        300..=399 => Verdict::StopInDoubt(FatalCause::Redirected),
        401 => Verdict::Stop(FatalCause::Unauthorized),
        403 if is_no => Verdict::Stop(FatalCause::Credentials),
        // A firewall that blocks a response replaces it with a 403.
        403 => Verdict::StopInDoubt(FatalCause::Credentials),
        407 => Verdict::Stop(FatalCause::Credentials),
        408 => Verdict::Doubt,
        _ if is_no => Verdict::Rejected,
        400 | 404 | 405 | 413 | 415 | 422 => Verdict::Refused,
        _ => Verdict::Doubt,
    }
}

/// The verdict that the operator configured for a rejection with this code, if any.
fn rejection(error_code: Option<&str>, codes: &CodeMap) -> Option<Verdict> {
    Some(match codes.get(error_code?)? {
        CodeMapping::AlreadyCancelled => Verdict::AlreadyCancelled,
        CodeMapping::Retry => Verdict::NotDone,
        CodeMapping::Stop => Verdict::Stop(FatalCause::Code),
        CodeMapping::Printed | CodeMapping::NotFound => Verdict::Rejected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NotProcessed, ServerSignal};
    use std::time::Duration;

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
    fn only_status_distinguishes_success_from_rejection() {
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
    fn what_a_gateway_may_answer_after_it_forwarded_the_request_leaves_doubt() {
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
    fn corecards_own_rejection_counts_with_any_http_status_of_a_refusal() {
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
    fn the_operator_configures_which_statuses_come_before_anything_is_done() {
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
}
