-- Removes the rows of run $1, but for those whose orders are cancelled: answered with Status true
-- (verdict 0), or shown by evidence.
DELETE FROM row WHERE run = $1 AND NOT (
    row.admin_number IS NOT NULL AND (
        (status IS NOT NULL AND status = 1 AND coalesce(error_code = 'RESOLVED', false))
        OR EXISTS (SELECT FROM attempt
                   WHERE attempt.run = row.run AND attempt.row = row.row AND verdict = 0)));
