-- Of the orders with the numbers $3 and $4, from rows $5 of a file, how many other runs than $2 at
-- endpoint $1 know: as answered with Status true (verdict 0) or cancelled by evidence, as in flight at a worker with a valid
-- lease, or as in doubt. If run $2 is in progress, only those of its rows count that have not ended.
SELECT count(*) FILTER (WHERE is_cancelled),
       count(*) FILTER (WHERE in_flight AND NOT is_cancelled),
       count(*) FILTER (WHERE (was_in_flight OR in_doubt) AND NOT in_flight AND NOT is_cancelled)
FROM unnest($3::bigint[], $4::integer[], $5::bigint[])
     AS wanted (admin_number, sequence_number, row)
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(run.forgotten_at IS NOT NULL OR EXISTS (
               SELECT FROM attempt
               WHERE attempt.run = same.run AND attempt.row = same.row AND verdict = 0)), false)
           OR EXISTS (
               SELECT FROM row AS decided
               JOIN run ON run.number = decided.run AND run.endpoint = $1
                   AND run.number IS DISTINCT FROM $2 AND run.rows IS NOT NULL
               WHERE decided.admin_number = wanted.admin_number
                 AND decided.sequence_number = wanted.sequence_number
                 AND decided.error_code = 'RESOLVED' AND decided.status = 1)
               AS is_cancelled,
           coalesce(bool_or(held.is_alive), false) AS in_flight,
           coalesce(bool_or(NOT held.is_alive), false) AS was_in_flight
    FROM (
        SELECT row.run, row.row FROM row
        WHERE row.admin_number = wanted.admin_number
          AND row.sequence_number = wanted.sequence_number AND row.status IS NULL
        OFFSET 0
    ) AS same
    JOIN run ON run.number = same.run AND run.endpoint = $1 AND run.number IS DISTINCT FROM $2
    LEFT JOIN LATERAL (
        SELECT coalesce(worker.at_work AND worker.leased_until > clock_timestamp(), false)
                   AS is_alive
        FROM open_row LEFT JOIN worker ON worker.number = open_row.worker
        WHERE open_row.run = same.run AND open_row.row = same.row AND open_row.in_flight
        OFFSET 0
    ) AS held ON true
) AS theirs
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM doubt JOIN run ON run.number = doubt.run AND run.endpoint = $1
        WHERE doubt.admin_number = wanted.admin_number
          AND doubt.sequence_number = wanted.sequence_number
          AND doubt.run IS DISTINCT FROM $2) AS in_doubt
) AS lost
WHERE $2::bigint IS NULL OR NOT (
    EXISTS (SELECT FROM row AS decided
            WHERE decided.run = $2 AND decided.row = wanted.row AND decided.status IS NOT NULL)
    OR EXISTS (SELECT FROM attempt
               WHERE attempt.run = $2 AND attempt.row = wanted.row AND attempt.status IS NOT NULL));
