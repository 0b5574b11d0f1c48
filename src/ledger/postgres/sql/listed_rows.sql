-- The rows $2 of run $1.
SELECT row, status, kept, doubt, error_code, message, admin_number, sequence_number
FROM row WHERE run = $1 AND row = ANY ($2::bigint[]) ORDER BY row;
