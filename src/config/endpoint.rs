//! The base address of CoreCARD's API.

use url::Url;

use crate::corecard::url_policy::{has_userinfo, is_encrypted_or_loopback};

/// Why an address cannot be called. No message repeats it: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address.
    #[error("it is not an address ({0}): write it as https://host or https://host/path")]
    Malformed(url::ParseError),
    /// Neither https nor http.
    #[error("an address begins with https://, not {0}://")]
    Scheme(String),
    /// http to another machine.
    #[error("http to {0} would send orders unencrypted: use https (http only to this machine)")]
    Unencrypted(String),
    /// A user name or password in it.
    #[error("it holds a user name or password: take them out, and set [auth] in cardcancel.toml")]
    Credentials,
    /// A query or fragment in it.
    #[error("it holds a ? or a #: the API's path is appended to it, so it must end before them")]
    NotABase,
    /// The API's own path in it.
    #[error(
        "it holds {0}, a part of the API's path, which is appended to it: leave it out, and everything after it"
    )]
    ApiPath(&'static str),
}

/// How the API's path begins, which is appended to every address.
const API_PATH: &str = "/api/CoreCredit";

/// Reads a base address: https, or http to this machine; a path is fine.
pub fn endpoint(text: &str) -> Result<Url, EndpointError> {
    let url = Url::parse(text).map_err(EndpointError::Malformed)?;
    if has_userinfo(&url) {
        return Err(EndpointError::Credentials);
    }
    let host = url.host().ok_or_else(|| EndpointError::Scheme(url.scheme().to_owned()))?;
    match url.scheme() {
        _ if is_encrypted_or_loopback(&url) => {}
        "http" => return Err(EndpointError::Unencrypted(host.to_string())),
        other => return Err(EndpointError::Scheme(other.to_owned())),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointError::NotABase);
    }
    // Whatever its capitals, it was pasted.
    let path = format!("{}/", url.path()).to_ascii_lowercase();
    if path.contains(&format!("{API_PATH}/").to_ascii_lowercase()) {
        return Err(EndpointError::ApiPath(API_PATH));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn error(text: &str) -> String {
        endpoint(text).unwrap_err().to_string()
    }

    #[test]
    fn https_goes_anywhere() {
        for text in ["https://api.example.com", "https://a.example/base/", "HTTPS://10.0.0.1:8443"]
        {
            assert!(endpoint(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn http_goes_to_this_machine_only() {
        for text in
            ["http://127.0.0.1:80", "http://127.9.9.9", "http://[::1]:8080", "http://LocalHost"]
        {
            assert!(endpoint(text).is_ok(), "{text}");
        }
        for text in
            ["http://10.0.0.1", "http://localhost.example.com", "http://[::2]", "http://0.0.0.0"]
        {
            assert!(endpoint(text).is_err(), "{text}");
        }
        assert_snapshot!(error("http://api.example.com"), @"http to api.example.com would send orders unencrypted: use https (http only to this machine)");
    }

    #[test]
    fn what_is_not_a_base_address_is_refused_and_never_repeated() {
        assert_snapshot!(error("api.example.com"), @"it is not an address (relative URL without a base): write it as https://host or https://host/path");
        assert_snapshot!(error("ftp://a.example"), @"an address begins with https://, not ftp://");
        assert_snapshot!(error("localhost:8080"), @"an address begins with https://, not localhost://");
        assert_snapshot!(error("https://me:s3cret@a.example"), @"it holds a user name or password: take them out, and set [auth] in cardcancel.toml");
        assert_snapshot!(error("https://a.example/?key=s3cret"), @"it holds a ? or a #: the API's path is appended to it, so it must end before them");
        assert_snapshot!(error("https://a.example/v1/Api/corecredit/CardManagement/"), @"it holds /api/CoreCredit, a part of the API's path, which is appended to it: leave it out, and everything after it");
        assert!(endpoint("https://a.example/api/CoreCreditProxy").is_ok());
        assert_snapshot!(error("https://a.example/#top"), @"it holds a ? or a #: the API's path is appended to it, so it must end before them");
    }
}
