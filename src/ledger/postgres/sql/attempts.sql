-- The attempts for rows $2 to $3 of run $1, including those in flight.
SELECT row, attempt, sent_at, ended_at, verdict, status, http_status, error_code, message,
       claimed_at, worker
FROM attempt WHERE run = $1 AND row BETWEEN $2 AND $3
UNION ALL
SELECT row, attempt, NULL, NULL, NULL, NULL, NULL, NULL, NULL, claimed_at, worker
FROM open_row WHERE run = $1 AND row BETWEEN $2 AND $3 AND in_flight
ORDER BY row, attempt;
