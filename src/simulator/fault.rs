//! What can go wrong with a request on purpose.

use super::labeled_enum::labeled_enum;

labeled_enum! {
    /// What can go wrong with a request. Each fault has a share in the settings.
    Fault {
        DropBefore = "drop_before", "Not done; the connection is closed without an answer.";
        DropAfter = "drop_after", "Done; the connection is closed without an answer.";
        ResetBefore = "reset_before", "Not done; the connection is reset without an answer.";
        ResetAfter = "reset_after", "Done; the connection is reset without an answer.";
        Unavailable = "unavailable", "Not done; 503 with `Retry-After: 1`.";
        ErrorBefore = "error_before", "Not done; 500, 502 or 504.";
        ErrorAfter = "error_after", "Done; 500, 502 or 504.";
        Throttle = "throttle", "Not done; 429 with `Retry-After: 1`.";
        Html = "html", "Not done; 200 with the HTML of a login page.";
        NoStatus = "no_status", "Done; 200 with JSON that has no `Status`.";
        Truncated = "truncated", "Done; 200 with less body than `Content-Length` says, then closed.";
        Hang = "hang", "Done; no answer until the client goes away or the server stops.";
    }
}

impl Fault {
    /// Whether the order is processed all the same.
    pub fn processes_order(self) -> bool {
        match self {
            Fault::DropAfter
            | Fault::ResetAfter
            | Fault::ErrorAfter
            | Fault::NoStatus
            | Fault::Truncated
            | Fault::Hang => true,
            Fault::DropBefore
            | Fault::ResetBefore
            | Fault::Unavailable
            | Fault::ErrorBefore
            | Fault::Throttle
            | Fault::Html => false,
        }
    }
}
