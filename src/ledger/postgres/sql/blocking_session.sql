-- The session that blocks session $1 and is not blocked itself. Little is visible of other users.
-- A session of this program is frozen if it has been idle in its transaction for longer than one
-- is allowed to be, or has not read what was sent to it.
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
