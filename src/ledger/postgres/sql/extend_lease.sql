-- Extends the lease of worker $1 by $2 seconds, unless other workers took over its rows.
UPDATE worker SET leased_until = clock_timestamp() + make_interval(secs => $2::double precision)
WHERE number = $1 AND at_work;
