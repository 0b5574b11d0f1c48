-- Marks the workers on other runs than $1 at endpoint $2 whose lease has expired. If they continue,
-- they must not send what they held, because another run may send the same orders.
UPDATE worker SET at_work = false, left_behind = true
WHERE number IN (SELECT worker.number FROM worker JOIN run ON run.number = worker.run
                 WHERE worker.at_work AND worker.run <> $1 AND run.endpoint = $2
                   AND worker.leased_until < clock_timestamp()
                 FOR UPDATE OF worker SKIP LOCKED);
