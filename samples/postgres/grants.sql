-- What each role of roles.sql may do; see there. It can be run as often as one likes.

REVOKE ALL ON ALL TABLES IN SCHEMA cardcancel FROM cardcancel, cardcancel_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA cardcancel TO cardcancel, cardcancel_auditor;

-- What was recorded of an order and of a call can be added to, and neither changed nor
-- taken away: who works may not change the numbers of an order, nor what became of a call.
GRANT INSERT ON cardcancel.run, cardcancel.row, cardcancel.place, cardcancel.worker,
    cardcancel.open_row, cardcancel.attempt, cardcancel.doubt, cardcancel.budget,
    cardcancel.results, cardcancel.configuration, cardcancel.event, cardcancel.seal,
    cardcancel.receipt, cardcancel.request TO cardcancel;
GRANT UPDATE (status, error_code, message, doubt) ON cardcancel.row TO cardcancel;
GRANT UPDATE (rows, stop, by_place, first_fresh, attempts, cancelled, already_cancelled,
    rejected, rejected_with_doubt, failed, in_doubt, invalid, duplicate, not_sent)
    ON cardcancel.run TO cardcancel;
GRANT UPDATE (at_work, left_behind, followed_by, leased_until, lapsed_at, commit, finished_at, stop)
    ON cardcancel.worker TO cardcancel;
GRANT UPDATE (worker, attempt, in_flight, claimed_at, commit), DELETE
    ON cardcancel.open_row TO cardcancel;
GRANT UPDATE (state) ON cardcancel.budget TO cardcancel;
GRANT DELETE ON cardcancel.doubt TO cardcancel;
