-- Claims rows of run $1 for worker $2 in its commit $3, at $4: rows $5 that were claimed before,
-- with $6 earlier attempts each, and new rows $7 at positions $11. Rows $8 were cancelled by
-- another run, with messages $9. New rows begin at position $10 now. OFFSET 0 makes the planner
-- look the rows up one by one, however many there are.
WITH retried AS (
    UPDATE open_row SET worker = $2, attempt = attempt + 1, in_flight = true,
                        claimed_at = $4, commit = $3
    WHERE ctid = ANY (ARRAY(
        SELECT its.place
        FROM unnest($5::bigint[], $6::integer[]) AS again (row, attempts)
        CROSS JOIN LATERAL (
            SELECT open_row.ctid AS place FROM open_row
            WHERE open_row.run = $1 AND open_row.row = again.row
              AND open_row.attempt = again.attempts AND NOT open_row.in_flight
              AND (open_row.worker = $2 OR open_row.worker IS NULL)
            OFFSET 0
        ) AS its))
    RETURNING row
), fresh AS (
    INSERT INTO open_row (run, row, place, worker, attempt, in_flight, claimed_at, commit)
    SELECT $1::bigint, fresh.row, fresh.place, $2::bigint, 1, true, $4::timestamptz, $3::bigint
    FROM unnest($7::bigint[], $11::bigint[]) AS fresh (row, place)
), decided AS (
    -- A row is decided once, even if the statement is repeated.
    UPDATE row SET status = 1, error_code = 'ALREADY_CANCELLED', message = its.message
    FROM (SELECT found.place, elsewhere.message
          FROM unnest($8::bigint[], $9::text[]) AS elsewhere (row, message)
          CROSS JOIN LATERAL (
              SELECT row.ctid AS place FROM row
              WHERE row.run = $1 AND row.row = elsewhere.row
              OFFSET 0
          ) AS found
          OFFSET 0) AS its
    WHERE row.ctid = its.place AND row.status IS NULL
    RETURNING row.row
), over AS (
    DELETE FROM open_row
    WHERE ctid = ANY (ARRAY(
        SELECT its.place
        FROM decided
        CROSS JOIN LATERAL (
            SELECT open_row.ctid AS place FROM open_row
            WHERE open_row.run = $1 AND open_row.row = decided.row
            OFFSET 0
        ) AS its))
)
UPDATE run SET
    first_fresh = $10,
    attempts = attempts + (SELECT count(*) FROM retried) + cardinality($7),
    already_cancelled = already_cancelled + (SELECT count(*) FROM decided)
WHERE number = $1
RETURNING
    (SELECT array_agg(retried.row) FROM retried),
    -- Whether there will be more rows to claim: new ones, or those that another worker may release.
    $10 <= rows OR EXISTS (SELECT FROM open_row
                           WHERE open_row.run = $1 AND worker IS DISTINCT FROM $2),
    cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent,
    rejected_with_doubt;
