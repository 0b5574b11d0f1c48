//! The labels in the statistics and the record file.

/// Declares an enum whose variants are labels: the same in code, CSV and JSON.
macro_rules! labeled_enum {
    ($(#[doc = $about:literal])+ $name:ident { $($variant:ident = $label:literal, $meaning:literal;)+ }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub enum $name {
            $(#[doc = $meaning] #[serde(rename = $label)] $variant,)+
        }

        impl $name {
            /// Every variant, in order of declaration.
            pub const ALL: &[$name] = &[$($name::$variant,)+];

            /// The label, as the record file and JSON have it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $label,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

labeled_enum! {
    /// How an order stands at the start, decided by the seed alone.
    InitialState {
        Cancellable = "cancellable", "Waits for the embosser: can be cancelled, once.";
        Printed = "printed", "Printed already: every cancellation is rejected.";
        Unknown = "unknown", "No such order: every cancellation is rejected.";
        CancelledBefore = "cancelled_before", "Cancelled before the start: every cancellation is rejected.";
    }
}

labeled_enum! {
    /// What came of processing one order once.
    ProcessResult {
        Cancelled = "cancelled", "The order was cancelled.";
        Printed = "printed", "Rejected: the order is printed.";
        Unknown = "unknown", "Rejected: there is no such order.";
        AlreadyCancelled = "already_cancelled", "Rejected: the order was cancelled before.";
    }
}

labeled_enum! {
    /// The answer to a request that met no fault.
    Answer {
        Ok = "ok", "200, `Status` true: cancelled.";
        Printed = "printed", "200, `Status` false, `SIMULATOR_PRINTED`.";
        Unknown = "unknown", "200, `Status` false, `SIMULATOR_UNKNOWN`.";
        AlreadyCancelled = "already_cancelled", "200, `Status` false, `SIMULATOR_ALREADY_CANCELLED`.";
        OverCapacity = "429", "429 with `Retry-After: 1`: more requests in a second than the capacity. Nothing done.";
        BadRequest = "400", "400: the request or its body is not what the API takes. Nothing done.";
        NotFound = "404", "404: any path but the one. Nothing done.";
        WrongMethod = "405", "405: the right path, and not POST. Nothing done.";
        LengthRequired = "411", "411: a chunked body. Nothing done.";
        BodyTooLarge = "413", "413: a body over 64 KiB. Nothing done.";
        HeadTooLarge = "431", "431: a request head over 16 KiB. Nothing done.";
    }
}

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

impl From<ProcessResult> for Answer {
    fn from(result: ProcessResult) -> Answer {
        match result {
            ProcessResult::Cancelled => Answer::Ok,
            ProcessResult::Printed => Answer::Printed,
            ProcessResult::Unknown => Answer::Unknown,
            ProcessResult::AlreadyCancelled => Answer::AlreadyCancelled,
        }
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
