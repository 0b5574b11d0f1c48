-- Keeps worker $1 at work for $2 seconds, if others did not take up what it had.
UPDATE worker SET leased_until = clock_timestamp() + make_interval(secs => $2::double precision)
WHERE number = $1 AND at_work;
