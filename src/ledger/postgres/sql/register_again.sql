-- A new number, and a lease of $2 seconds, for worker $1, whose rows were taken over by others. Its
-- commit is $3. The old worker is locked, and refers to the new one.
WITH next AS (
    INSERT INTO worker (run, started_at, started_by, program, rates, cut_off, leased_until,
                        lapsed_at, again, commit, uid, user_name, login_uid, login_name, host,
                        process, unit, ssh_connection, reason, requested_by, ticket, configuration,
                        last_request)
    SELECT run, started_at, started_by, program, rates, cut_off,
           clock_timestamp() + make_interval(secs => $2::double precision), clock_timestamp(),
           again, $3::bigint, uid, user_name, login_uid, login_name, host,
           process, unit, ssh_connection, reason, requested_by, ticket, configuration,
           last_request
    FROM worker WHERE number = $1
    RETURNING number
)
UPDATE worker SET followed_by = next.number FROM next WHERE worker.number = $1
RETURNING followed_by;
