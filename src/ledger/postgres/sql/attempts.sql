-- The attempts for rows $2 to $3 of run $1, including those in flight.
SELECT row, attempt,
       coalesce(sent_at, CASE WHEN error_code = 'INTERRUPTED' THEN claimed_at END) AS sent_at,
       ended_at, verdict, status, http_status, error_code, message
FROM attempt WHERE run = $1 AND row BETWEEN $2 AND $3
UNION ALL
SELECT row, attempt, claimed_at, NULL, NULL, NULL, NULL, NULL, NULL
FROM open_row WHERE run = $1 AND row BETWEEN $2 AND $3 AND in_flight
ORDER BY row, attempt;
