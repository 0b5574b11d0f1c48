-- What other runs at endpoint $2 know of the orders of those rows $3 of run $1 that are not
-- decided: the runs with the order, each with whether it was answered with Status true (verdict
-- 0), whether a worker has it in flight, and whether an answer was lost, including that of an
-- expired worker. Evidence that the order is cancelled counts as such an answer; the configured
-- meaning of a code is no fact about an order. While the budget is locked, no other commit at the
-- endpoint can be committed.
SELECT wanted.row, other.id, other.row, other.is_cancelled, other.in_flight, other.in_doubt
FROM unnest($3::bigint[]) AS wanted (row)
CROSS JOIN LATERAL (
    SELECT admin_number, sequence_number FROM row
    WHERE row.run = $1 AND row.row = wanted.row AND row.status IS NULL
    OFFSET 0
) AS ours
CROSS JOIN LATERAL (
    SELECT run.id, same.row,
           run.forgotten_at IS NOT NULL
               OR EXISTS (SELECT FROM attempt
                   WHERE attempt.run = same.run AND attempt.row = same.row AND verdict = 0)
               AS is_cancelled,
           coalesce(held.at_work, false) AS in_flight,
           NOT coalesce(held.at_work, true) AS in_doubt
    FROM (
        SELECT row.run, row.row FROM row
        WHERE row.admin_number = ours.admin_number
          AND row.sequence_number = ours.sequence_number
          AND row.status IS NULL AND row.run <> $1
        OFFSET 0
    ) AS same
    JOIN run ON run.number = same.run AND run.endpoint = $2
    LEFT JOIN LATERAL (
        SELECT worker.at_work FROM open_row JOIN worker ON worker.number = open_row.worker
        WHERE open_row.run = same.run AND open_row.row = same.row AND open_row.in_flight
        OFFSET 0
    ) AS held ON true
    UNION ALL
    SELECT run.id, decided.row, true, false, false
    FROM (
        SELECT row.run, row.row FROM row
        WHERE row.admin_number = ours.admin_number
          AND row.sequence_number = ours.sequence_number
          AND row.error_code = 'RESOLVED' AND row.status = 1 AND row.run <> $1
        OFFSET 0
    ) AS decided
    JOIN run ON run.number = decided.run AND run.endpoint = $2 AND run.rows IS NOT NULL
    UNION ALL
    SELECT run.id, NULL, false, false, true
    FROM doubt JOIN run ON run.number = doubt.run AND run.endpoint = $2
    WHERE doubt.admin_number = ours.admin_number
      AND doubt.sequence_number = ours.sequence_number AND doubt.run <> $1
) AS other
WHERE other.is_cancelled OR other.in_flight OR other.in_doubt;
