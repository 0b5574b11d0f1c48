-- Records the outcomes of attempts of run $1: of those that were claimed under the given lease and
-- are not completed yet. Without a verdict, nothing was sent, and the claim is released. $12:
-- whether an earlier answer for the order was lost. $13: why the run stops for every worker, if it
-- does. $14: the worker that reports it. It locks the run.
WITH found AS MATERIALIZED (
    SELECT completed.*, its.place, its.claimed_at
    FROM unnest($2::bigint[], $3::integer[], $4::bigint[], $5::timestamptz[],
                $6::timestamptz[], $7::smallint[], $8::smallint[], $9::smallint[],
                $10::text[], $11::text[], $12::boolean[])
        AS completed (row, attempt, worker, sent_at, ended_at, verdict, status, http_status,
                      error_code, message, doubt)
    -- OFFSET 0 makes the planner look them up one by one, however many rows are open.
    CROSS JOIN LATERAL (
        SELECT open_row.ctid AS place, open_row.claimed_at FROM open_row
        WHERE open_row.run = $1 AND open_row.row = completed.row
          AND open_row.worker = completed.worker AND open_row.attempt = completed.attempt
          AND open_row.in_flight
        OFFSET 0
    ) AS its
    -- Since a worker counts as expired, another run may have sent the same order. Of an answer
    -- from before that, only that the order is cancelled, or was never sent, is certain.
    WHERE completed.verdict IS NULL OR completed.verdict = 0
       OR completed.worker <> ALL (ARRAY(SELECT number FROM worker
                                         WHERE worker.run = $1 AND left_behind))
), over AS (
    DELETE FROM open_row
    WHERE ctid = ANY (ARRAY(SELECT place FROM found WHERE status IS NOT NULL))
), waits AS (
    UPDATE open_row SET in_flight = false
    WHERE ctid = ANY (ARRAY(SELECT place FROM found WHERE status IS NULL AND verdict IS NOT NULL))
), taken_back AS (
    UPDATE open_row SET in_flight = false, attempt = attempt - 1
    WHERE ctid = ANY (ARRAY(SELECT place FROM found WHERE verdict IS NULL))
), recorded AS (
    INSERT INTO attempt (run, row, attempt, worker, claimed_at, sent_at, ended_at, verdict,
                         status, http_status, error_code, message)
    SELECT $1, row, attempt, worker, claimed_at, sent_at, ended_at, verdict, status,
           http_status, error_code, message
    FROM found WHERE verdict IS NOT NULL
), tally AS (
    SELECT count(*) FILTER (WHERE status = 0) AS cancelled,
           count(*) FILTER (WHERE status = 1) AS already_cancelled,
           count(*) FILTER (WHERE status = 2) AS rejected,
           count(*) FILTER (WHERE status = 2 AND doubt) AS rejected_with_doubt,
           count(*) FILTER (WHERE status = 3) AS failed,
           count(*) FILTER (WHERE status = 4) AS in_doubt,
           count(*) FILTER (WHERE verdict IS NULL) AS taken_back,
           count(*) FILTER (WHERE worker = $14::bigint) AS ours
    FROM found
)
UPDATE run SET
    cancelled = run.cancelled + tally.cancelled,
    already_cancelled = run.already_cancelled + tally.already_cancelled,
    rejected = run.rejected + tally.rejected,
    rejected_with_doubt = run.rejected_with_doubt + tally.rejected_with_doubt,
    failed = run.failed + tally.failed,
    in_doubt = run.in_doubt + tally.in_doubt,
    attempts = run.attempts - tally.taken_back,
    stop = coalesce(stop, $13::text)
FROM tally
WHERE number = $1
RETURNING first_fresh, rows, stop,
    -- Whether there are orphaned rows.
    EXISTS (SELECT FROM open_row WHERE open_row.run = $1 AND open_row.worker IS NULL),
    by_place,
    -- How many of these were claimed by the reporting worker.
    tally.ours;
