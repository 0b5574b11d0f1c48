//! The labels in the statistics and the record file, but for those of faults.

use super::labeled_enum::labeled_enum;

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
        Unauthorized = "401", "401: a token that has expired, or none where there must be one. Nothing done.";
        NotFound = "404", "404: a path that is not served. Nothing done.";
        WrongMethod = "405", "405: a path that is served, and not POST. Nothing done.";
        LengthRequired = "411", "411: a chunked body. Nothing done.";
        BodyTooLarge = "413", "413: a body over 64 KiB. Nothing done.";
        HeadTooLarge = "431", "431: a request head over 16 KiB. Nothing done.";
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
