//! The head of an HTTP request: what of it matters here.

use std::mem::MaybeUninit;

/// The path of the call.
pub(super) const PATH: &str = "/api/CoreCredit/CardManagement/CancelPhysicalCardOrder";
/// The path of the login.
pub(super) const LOGIN_PATH: &str = "/api/CoreCredit/Token/Token";
/// How the text of a token begins that the login issued; its number follows.
pub(super) const TOKEN: &str = "simulator-token-";
/// The largest head, in bytes.
pub(super) const MAX_HEAD: usize = 16 * 1024;
/// The largest body, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// The most header lines.
const MAX_HEADERS: usize = 64;

/// A whole head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestHead {
    /// How many bytes the head takes.
    pub(super) length: usize,
    /// How many bytes of body follow.
    pub(super) body: usize,
    pub(super) target: RequestTarget,
    /// The number of the token that it carries; `None` if it carries none of the login's.
    pub(super) token: Option<u32>,
    /// Whether the connection ends with the answer.
    pub(super) close: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(super) expects_continue: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestTarget {
    Cancel,
    LogIn,
    WrongMethod,
    NotFound,
}

/// Why a request cannot be read to its end; what follows it cannot be read either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParseError {
    Malformed,
    HeadTooLarge,
    BodyTooLarge,
    Chunked,
}

/// Reads the head at the beginning of this input, if all of it has arrived.
pub(super) fn parse(input: &[u8]) -> Result<Option<RequestHead>, ParseError> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(input, &mut headers) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Partial) if input.len() < MAX_HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(ParseError::HeadTooLarge),
        Err(_) => return Err(ParseError::Malformed),
    };
    let mut head = RequestHead {
        length,
        body: 0,
        target: target(request.method, request.path),
        token: None,
        // HTTP/1.0 keeps nothing alive; a HEAD answer's body would read as the next answer.
        close: request.version == Some(0) || request.method == Some("HEAD"),
        expects_continue: false,
    };
    let mut length_seen = false;
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            if length_seen {
                return Err(ParseError::Malformed);
            }
            length_seen = true;
            head.body = body_length(header.value)?;
        } else if is("transfer-encoding") {
            return Err(ParseError::Chunked);
        } else if is("connection") {
            head.close |= names(header.value, "close");
        } else if is("expect") {
            head.expects_continue = names(header.value, "100-continue");
        } else if is("authorization") {
            head.token = number_of_token(header.value);
        }
    }
    Ok(Some(head))
}

fn target(method: Option<&str>, path: Option<&str>) -> RequestTarget {
    let path = path.unwrap_or_default().split('?').next();
    match (path, method) {
        (Some(PATH), Some("POST")) => RequestTarget::Cancel,
        (Some(LOGIN_PATH), Some("POST")) => RequestTarget::LogIn,
        (Some(PATH | LOGIN_PATH), _) => RequestTarget::WrongMethod,
        _ => RequestTarget::NotFound,
    }
}

/// The number in the header of a call; `None` if it carries no token of the login's.
fn number_of_token(header: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(header).ok()?;
    text.split_whitespace().last()?.strip_prefix(TOKEN)?.parse().ok()
}

fn body_length(value: &[u8]) -> Result<usize, ParseError> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ParseError::Malformed);
    }
    digits
        .iter()
        .try_fold(0, |length, digit| {
            let length = length * 10 + usize::from(digit - b'0');
            (length <= MAX_BODY).then_some(length)
        })
        .ok_or(ParseError::BodyTooLarge)
}

/// Whether a comma-separated header names this token.
fn names(value: &[u8], token: &str) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(headers: &str) -> Result<Option<RequestHead>, ParseError> {
        parse(format!("POST {PATH} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes())
    }

    #[test]
    fn a_head_says_how_long_its_body_is_and_what_it_wants() {
        let input = format!(
            "POST {PATH}?x=1 HTTP/1.1\r\ncontent-length: 12\r\nExpect: 100-Continue\r\n\r\n"
        );
        let head = RequestHead {
            length: input.len(),
            body: 12,
            target: RequestTarget::Cancel,
            token: None,
            close: false,
            expects_continue: true,
        };
        assert_eq!(parse(input.as_bytes()), Ok(Some(head)));
    }

    #[test]
    fn a_head_that_has_not_arrived_whole_is_waited_for() {
        let input = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\n\r\n");
        for end in 0..input.len() {
            assert_eq!(parse(&input.as_bytes()[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn only_post_to_a_path_that_is_served_does_something() {
        let target = |line: &str| {
            parse(format!("{line} HTTP/1.1\r\n\r\n").as_bytes())
                .map(|head| head.map(|head| head.target))
        };
        assert_eq!(target(&format!("POST {PATH}")), Ok(Some(RequestTarget::Cancel)));
        assert_eq!(target(&format!("GET {PATH}")), Ok(Some(RequestTarget::WrongMethod)));
        assert_eq!(target(&format!("POST {LOGIN_PATH}")), Ok(Some(RequestTarget::LogIn)));
        assert_eq!(target(&format!("GET {LOGIN_PATH}")), Ok(Some(RequestTarget::WrongMethod)));
        assert_eq!(target(&format!("POST {PATH}/")), Ok(Some(RequestTarget::NotFound)));
        assert_eq!(target("GET /"), Ok(Some(RequestTarget::NotFound)));
    }

    #[test]
    fn a_connection_ends_when_the_client_says_so_or_is_too_old() {
        let closes = |headers| post(headers).map(|head| head.map(|head| head.close));
        assert_eq!(closes(""), Ok(Some(false)));
        assert_eq!(closes("Connection: keep-alive\r\n"), Ok(Some(false)));
        assert_eq!(closes("connection: foo, Close\r\n"), Ok(Some(true)));
        let old = parse(format!("POST {PATH} HTTP/1.0\r\n\r\n").as_bytes());
        assert_eq!(old.map(|head| head.map(|head| head.close)), Ok(Some(true)));
    }

    #[test]
    fn a_length_must_be_one_number_within_bounds() {
        let body = |headers| post(headers).map(|head| head.map(|head| head.body));
        assert_eq!(body("Content-Length: 65536\r\n"), Ok(Some(MAX_BODY)));
        assert_eq!(body("Content-Length: 65537\r\n"), Err(ParseError::BodyTooLarge));
        assert_eq!(
            body("Content-Length: 99999999999999999999999\r\n"),
            Err(ParseError::BodyTooLarge)
        );
        for value in ["", "-1", "+1", "1 2", "0x10", "1, 1"] {
            let header = format!("Content-Length: {value}\r\n");
            assert_eq!(post(&header), Err(ParseError::Malformed), "{value}");
        }
        let twice = "Content-Length: 1\r\nContent-Length: 1\r\n";
        assert_eq!(post(twice), Err(ParseError::Malformed));
        assert_eq!(post("Transfer-Encoding: chunked\r\n"), Err(ParseError::Chunked));
    }

    #[test]
    fn a_head_that_goes_on_too_long_is_refused() {
        let long = format!("X: {}\r\n", "a".repeat(MAX_HEAD));
        assert_eq!(post(&long), Err(ParseError::HeadTooLarge));
        assert_eq!(parse(&vec![b'A'; MAX_HEAD]), Err(ParseError::HeadTooLarge));
        assert_eq!(post(&"X: 1\r\n".repeat(MAX_HEADERS)), Err(ParseError::HeadTooLarge));
    }

    proptest::proptest! {
        #[test]
        fn no_input_is_too_strange(input in proptest::collection::vec(0u8.., 0..300)) {
            let whole = [b"POST / HTTP/1.1\r\n".as_slice(), &input].concat();
            for input in [input, whole] {
                if let Ok(Some(head)) = parse(&input) {
                    assert!(head.length <= input.len() && head.body <= MAX_BODY);
                }
            }
        }
    }
}
