-- The session, the server's version, how safely it commits, and whether it has standbys. A user
-- without the right to see the standbys' state cannot distinguish a standby from other readers of
-- the log: backups and logical decoding are recognized by other signs.
SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),
       current_setting('fsync'), current_setting('full_page_writes'),
       current_setting('synchronous_commit'), current_setting('server_encoding'),
       current_setting('synchronous_standby_names') <> '',
       EXISTS (SELECT FROM pg_stat_replication AS follower
               WHERE state IS DISTINCT FROM 'backup'
                 AND NOT EXISTS (SELECT FROM pg_stat_progress_basebackup AS backup
                                 WHERE backup.pid = follower.pid)
                 AND NOT EXISTS (SELECT FROM pg_replication_slots
                                 WHERE active_pid = follower.pid
                                   AND (temporary OR slot_type = 'logical'))),
       pg_backend_pid();
