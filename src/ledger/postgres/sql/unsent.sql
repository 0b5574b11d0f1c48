-- Up to $3 rows of run $1 from row $2 on that can be sent and were never claimed.
SELECT row, admin_number, sequence_number, doubt, row FROM row
WHERE run = $1 AND row >= $2 AND status IS NULL ORDER BY row LIMIT $3;
