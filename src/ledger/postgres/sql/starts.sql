-- The starts of run $1, in the order of their numbers.
SELECT number, started_at, started_by, reason, requested_by, ticket, configuration,
       program, rates, cut_off, finished_at, stop,
       uid, user_name, login_uid, login_name, host, process, unit, ssh_connection
FROM worker WHERE run = $1 ORDER BY number;
