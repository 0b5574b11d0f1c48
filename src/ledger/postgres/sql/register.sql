-- A worker that begins to work on run $1, with a lease of $2 seconds.
INSERT INTO worker (run, started_at, started_by, program, rates, cut_off, leased_until)
VALUES ($1, clock_timestamp(), $3, $4, $5, $6,
        clock_timestamp() + make_interval(secs => $2::double precision))
RETURNING number;
