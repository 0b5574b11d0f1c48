-- The first $2 orphaned rows of run $1, with their orders, their attempts, the attempts that count,
-- and whether an answer was lost. Interrupted attempts do not count, nor do those that stopped the
-- run, nor those of a worker that stopped because of an outage of the server.
SELECT orphaned.row, admin_number, sequence_number, orphaned.attempt, tried.counted_attempts,
       theirs.doubt OR coalesce(tried.doubt, false), orphaned.place
FROM (SELECT row, place, attempt FROM open_row
      WHERE run = $1 AND worker IS NULL ORDER BY place LIMIT $2) AS orphaned
CROSS JOIN LATERAL (
    SELECT admin_number, sequence_number, doubt FROM row
    WHERE row.run = $1 AND row.row = orphaned.row
    OFFSET 0
) AS theirs
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE error_code <> 'INTERRUPTED' AND verdict <> 6
               AND NOT EXISTS (SELECT FROM worker
                               WHERE number = attempt.worker AND stop = 'OUTAGE')) AS counted_attempts,
           bool_or(verdict = 5) AS doubt
    FROM attempt WHERE attempt.run = $1 AND attempt.row = orphaned.row
) AS tried
ORDER BY orphaned.place;
