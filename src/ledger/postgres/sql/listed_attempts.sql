-- The attempts for the rows $2 of run $1.
SELECT row, attempt, sent_at, ended_at, verdict, status, http_status, error_code, message,
       claimed_at, worker
FROM attempt WHERE run = $1 AND row = ANY ($2::bigint[]) ORDER BY row, attempt;
