-- Registers a worker on run $1, with a lease of $2 seconds. Other workers have the same time to
-- renew theirs before it takes over their rows, because the clock may have been set. If $7 is NULL,
-- it sends orders again that other runs cancelled if the workers that it joins do, and a request to
-- stop that they have to obey holds for it too.
INSERT INTO worker (run, started_at, started_by, program, rates, cut_off, leased_until, lapsed_at,
                    again, uid, user_name, login_uid, login_name, host, process, unit,
                    ssh_connection, reason, requested_by, ticket, configuration, last_request)
VALUES ($1, clock_timestamp(), $3, $4, $5, $6,
        clock_timestamp() + make_interval(secs => $2::double precision), clock_timestamp(),
        coalesce($7::boolean,
                 (SELECT again FROM worker WHERE run = $1 ORDER BY number DESC LIMIT 1),
                 false),
        $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        coalesce((SELECT last_request FROM worker WHERE run = $1 AND $7::boolean IS NULL
                  ORDER BY number DESC LIMIT 1),
                 (SELECT max(number) FROM request), 0))
RETURNING number, again, last_request;
