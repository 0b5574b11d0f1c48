-- For each of the orders $2, $3, by its index among them, the rows that stand for it in the runs at
-- endpoint $1, the oldest run first: whether the order is cancelled, by an answer with Status true
-- (verdict 0) or by evidence, whether it was sent or evidence decided it, and, if a worker has it in
-- flight, whether the lease of that is valid; and which worker sent or decided it.
SELECT wanted.number, run.number, run.id,
       run.forgotten_at IS NOT NULL
           OR EXISTS (SELECT FROM attempt
               WHERE attempt.run = same.run AND attempt.row = same.row AND verdict = 0)
           OR (same.is_resolved AND same.status = 1),
       run.forgotten_at IS NOT NULL OR same.is_resolved OR EXISTS (
           SELECT FROM attempt WHERE attempt.run = same.run AND attempt.row = same.row),
       held.is_alive,
       coalesce((SELECT max(attempt.worker) FROM attempt
                 WHERE attempt.run = same.run AND attempt.row = same.row),
                (SELECT min(worker.number) FROM worker WHERE worker.run = run.number), 0)
FROM unnest($2::bigint[], $3::integer[])
    WITH ORDINALITY AS wanted (admin_number, sequence_number, number)
CROSS JOIN LATERAL (
    SELECT row.run, row.row, row.status, false AS is_resolved
    FROM row
    WHERE row.admin_number = wanted.admin_number
      AND row.sequence_number = wanted.sequence_number AND row.status IS NULL
    UNION ALL
    SELECT row.run, row.row, row.status, coalesce(row.error_code = 'RESOLVED' AND NOT row.kept, false)
    FROM row
    WHERE row.admin_number = wanted.admin_number
      AND row.sequence_number = wanted.sequence_number AND row.status IS NOT NULL
      AND ((row.kept AND row.doubt) OR (row.error_code = 'RESOLVED' AND NOT row.kept))
    OFFSET 0
) AS same
JOIN run ON run.number = same.run AND run.endpoint = $1 AND run.rows IS NOT NULL
LEFT JOIN LATERAL (
    SELECT coalesce(worker.at_work AND worker.leased_until > clock_timestamp(), false) AS is_alive
    FROM open_row LEFT JOIN worker ON worker.number = open_row.worker
    WHERE open_row.run = same.run AND open_row.row = same.row AND open_row.in_flight
    OFFSET 0
) AS held ON true
ORDER BY wanted.number, run.number;
