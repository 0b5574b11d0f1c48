-- The workers on run $1 but $2 whose lease ran out. One that renews it just now is not gone.
UPDATE worker SET at_work = false
WHERE number IN (SELECT number FROM worker
                 WHERE run = $1 AND at_work AND number <> $2 AND leased_until < clock_timestamp()
                 FOR UPDATE SKIP LOCKED)
RETURNING number;
