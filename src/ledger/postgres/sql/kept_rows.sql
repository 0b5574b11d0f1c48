-- The rows from $2 to before $3 of run $1 whose orders are cancelled: answered with Status true
-- (verdict 0), or shown by evidence. Of a forgotten run these are the rows that stay.
SELECT row.row, row.admin_number, row.sequence_number
FROM row JOIN run ON run.number = row.run
WHERE row.run = $1 AND row.row >= $2 AND row.row < $3 AND row.admin_number IS NOT NULL AND (
    run.forgotten_at IS NOT NULL
    OR (row.status = 1 AND row.error_code = 'RESOLVED')
    OR EXISTS (SELECT FROM attempt
               WHERE attempt.run = row.run AND attempt.row = row.row AND verdict = 0))
ORDER BY row.row;
