-- The rows of run $1, which has ended, that may be open: those with an attempt that failed or lost
-- its answer, and those that were decided without a call or whose orders are in doubt.
SELECT row FROM attempt
WHERE run = $1 AND (status IS NULL OR status > 1) AND (status IS NULL OR status IN (3, 4))
UNION
SELECT row FROM row
WHERE run = $1 AND (doubt OR status IS NOT NULL) AND (doubt OR status IN (3, 4, 7))
ORDER BY 1;
