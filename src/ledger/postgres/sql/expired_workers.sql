-- The workers on run $1 but $2 whose lease ran out, or that were found to be gone before.
-- One that renews it just now is not gone.
UPDATE worker SET at_work = false, left_behind = false
WHERE number IN (SELECT number FROM worker
                 WHERE run = $1 AND number <> $2
                   AND (left_behind OR at_work AND leased_until < clock_timestamp())
                 FOR UPDATE SKIP LOCKED)
RETURNING number;
