-- Ends session $1, if it is still a frozen one of this program. If that process continues later,
-- its transaction has been rolled back.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = $1 AND usename = current_user AND application_name LIKE 'cardcancel %'
  AND state_change < clock_timestamp() - interval '5 seconds'
  AND (state LIKE 'idle in transaction%' OR wait_event_type = 'Client');
