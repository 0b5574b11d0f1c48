-- The workers on run $1 except $2 whose lease has expired, or that were found to be expired
-- before. One that is renewing it now has not expired.
UPDATE worker SET at_work = false, left_behind = false
WHERE number IN (SELECT number FROM worker
                 WHERE run = $1 AND number <> $2
                   AND (left_behind OR at_work AND leased_until < clock_timestamp())
                 FOR UPDATE SKIP LOCKED)
RETURNING number;
