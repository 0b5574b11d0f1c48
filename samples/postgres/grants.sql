-- What each role of roles.sql may do; see there. It can be run as often as one likes.

REVOKE ALL ON ALL TABLES IN SCHEMA cardcancel FROM cardcancel, cardcancel_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA cardcancel TO cardcancel, cardcancel_auditor;
-- What was recorded of a call can be added to, and neither changed nor taken away.
GRANT INSERT ON cardcancel.attempt, cardcancel.results TO cardcancel;
GRANT INSERT, UPDATE ON cardcancel.run, cardcancel.worker, cardcancel.budget TO cardcancel;
GRANT INSERT, UPDATE, DELETE ON cardcancel.row, cardcancel.open_row TO cardcancel;
