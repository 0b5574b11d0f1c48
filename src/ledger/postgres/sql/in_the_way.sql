-- Who keeps session $1 waiting and waits for no other itself. Of other users little is told.
-- One of our own that has done nothing in its transaction for longer than a session of ours
-- is given, or has not taken what it was told, is frozen.
WITH RECURSIVE ahead(pid) AS (
    SELECT unnest(pg_blocking_pids($1))
    UNION
    SELECT unnest(pg_blocking_pids(ahead.pid)) FROM ahead
)
SELECT pid, application_name, usename::text, host(client_addr), state,
       wait_event IS NOT DISTINCT FROM 'SyncRep',
       coalesce(usename = current_user AND application_name LIKE 'cardcancel %'
                AND state_change < clock_timestamp() - interval '5 seconds'
                AND (state LIKE 'idle in transaction%' OR wait_event_type = 'Client'), false)
FROM ahead JOIN pg_stat_activity USING (pid)
WHERE cardinality(pg_blocking_pids(pid)) = 0
LIMIT 1;
