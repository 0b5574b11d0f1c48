//! Dates in the headers of HTTP.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// A date in any of the three forms that RFC 9110 has a client read, all in UTC.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    let utc = |time: DateTime| Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp());
    if let Ok(date) = rfc2822::parse(text) {
        return Some(date.timestamp());
    }
    let older = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    older.into_iter().find_map(|form| utc(DateTime::strptime(form, text).ok()?))
}
