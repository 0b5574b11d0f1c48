-- Renews the lease of worker $1 by $2 seconds, for its commit $3, and locks the worker. If other
-- workers took over its rows, it is no longer at work, and stays so. An expired lease under which
-- nothing was taken over is still valid.
UPDATE worker SET
    lapsed_at = CASE WHEN at_work AND leased_until < clock_timestamp() THEN clock_timestamp()
                     ELSE lapsed_at END,
    leased_until = CASE WHEN at_work
                        THEN clock_timestamp() + make_interval(secs => $2::double precision)
                        ELSE leased_until END,
    commit = $3::bigint
WHERE number = $1
RETURNING
    at_work,
    clock_timestamp(),
    -- Whether the lease of another worker of the run has expired. A worker that has just begun, or
    -- had lost the database itself, gives the others a lease's time to renew theirs.
    EXISTS (SELECT FROM worker AS other WHERE other.run = worker.run AND other.left_behind)
        OR lapsed_at + make_interval(secs => $2) < clock_timestamp() AND EXISTS (SELECT FROM worker AS other
                    WHERE other.run = worker.run AND other.at_work AND other.number <> $1
                      AND other.leased_until < clock_timestamp()),
    -- Whether that of a worker on another run at the endpoint has.
    lapsed_at + make_interval(secs => $2) < clock_timestamp() AND EXISTS (SELECT FROM worker AS other
                    JOIN run AS theirs ON theirs.number = other.run
                    JOIN run AS ours ON ours.number = worker.run
                    WHERE other.at_work AND other.run <> worker.run
                      AND other.leased_until < clock_timestamp()
                      AND theirs.endpoint = ours.endpoint),
    -- Whether another worker uses the same budget.
    EXISTS (SELECT FROM worker AS other
            JOIN run AS theirs ON theirs.number = other.run
            JOIN run AS ours ON ours.number = worker.run
            WHERE other.at_work AND other.number <> $1 AND theirs.endpoint = ours.endpoint
              AND other.leased_until > clock_timestamp());
