-- A worker that begins to work on run $1, with a lease of $2 seconds. Others have as long to
-- come back before it takes up what they had: the clock may have been set. Without a wish $7 of
-- its own it sends again what other runs cancelled if those do whom it joins.
INSERT INTO worker (run, started_at, started_by, program, rates, cut_off, leased_until, lapsed_at,
                    again)
VALUES ($1, clock_timestamp(), $3, $4, $5, $6,
        clock_timestamp() + make_interval(secs => $2::double precision), clock_timestamp(),
        coalesce($7::boolean,
                 (SELECT again FROM worker WHERE run = $1 ORDER BY number DESC LIMIT 1),
                 false))
RETURNING number, again;
