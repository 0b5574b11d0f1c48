-- The next $3 rows of run $1 after row $2.
SELECT row, status, kept, doubt, error_code, message, admin_number, sequence_number
FROM row WHERE run = $1 AND row > $2 ORDER BY row LIMIT $3;
