-- For each of the orders $2, $3, by its index among them, the rows that were to be sent for it by
-- the runs at endpoint $1, each with its status if it has ended, and those that evidence decided.
-- OFFSET 0 makes the planner look the orders up one by one, however many rows there are.
SELECT wanted.number, its.row, its.status, its.run,
       EXISTS (
           SELECT FROM doubt
           WHERE doubt.admin_number = wanted.admin_number
             AND doubt.sequence_number = wanted.sequence_number AND doubt.run = its.run)
       OR its.doubt AND EXISTS (
           SELECT FROM doubt JOIN run ON run.number = doubt.run
           WHERE doubt.admin_number = wanted.admin_number
             AND doubt.sequence_number = wanted.sequence_number AND run.endpoint = $1)
       OR EXISTS (
           SELECT FROM open_row
           WHERE open_row.run = its.run AND open_row.row = its.row AND open_row.in_flight),
       coalesce(
           (SELECT max(attempt.worker) FROM attempt
            WHERE attempt.run = its.run AND attempt.row = its.row),
           (SELECT min(worker.number) FROM worker WHERE worker.run = its.run), 0)
FROM unnest($2::bigint[], $3::integer[])
    WITH ORDINALITY AS wanted (admin_number, sequence_number, number)
CROSS JOIN LATERAL (
    SELECT row.run, row.row, CASE WHEN run.forgotten_at IS NOT NULL THEN 0::smallint ELSE (
        SELECT attempt.status FROM attempt
        WHERE attempt.run = row.run AND attempt.row = row.row AND attempt.status IS NOT NULL
        LIMIT 1) END AS status, row.doubt
    FROM row JOIN run ON run.number = row.run
    WHERE row.admin_number = wanted.admin_number
      AND row.sequence_number = wanted.sequence_number
      AND row.status IS NULL AND run.endpoint = $1 AND run.rows IS NOT NULL
    UNION ALL
    SELECT row.run, row.row, row.status, row.doubt
    FROM row JOIN run ON run.number = row.run
    WHERE row.admin_number = wanted.admin_number
      AND row.sequence_number = wanted.sequence_number
      AND row.error_code = 'RESOLVED' AND NOT row.kept AND run.endpoint = $1 AND run.rows IS NOT NULL
    OFFSET 0
) AS its;
