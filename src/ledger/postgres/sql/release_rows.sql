-- Releases what workers $2 held of run $1. What they had in flight may have been sent: it is in
-- doubt, and ends so if $3 is a status; with code $4 and message $5.
WITH lost AS (
    SELECT row, attempt, worker, claimed_at FROM open_row
    WHERE run = $1 AND worker = ANY ($2::bigint[]) AND in_flight
), recorded AS (
    INSERT INTO attempt (run, row, attempt, worker, claimed_at, ended_at, verdict, status,
                         error_code, message)
    SELECT $1, row, attempt, worker, claimed_at, clock_timestamp(), 5, $3::smallint, $4, $5
    FROM lost
), doubted AS (
    INSERT INTO doubt (run, admin_number, sequence_number)
    SELECT $1, its.admin_number, its.sequence_number
    FROM lost
    CROSS JOIN LATERAL (
        SELECT admin_number, sequence_number FROM row
        WHERE row.run = $1 AND row.row = lost.row
        OFFSET 0
    ) AS its
    ON CONFLICT DO NOTHING
), over AS (
    DELETE FROM open_row
    WHERE run = $1 AND worker = ANY ($2) AND in_flight AND $3 IS NOT NULL
), freed AS (
    UPDATE open_row SET worker = NULL, in_flight = false
    WHERE run = $1 AND worker = ANY ($2) AND NOT (in_flight AND $3 IS NOT NULL)
)
UPDATE run SET
    in_doubt = in_doubt + CASE WHEN $3 IS NULL THEN 0 ELSE (SELECT count(*) FROM lost) END
WHERE number = $1;
