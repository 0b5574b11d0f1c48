-- What the server is, and what it says it does with what is committed.
SELECT current_setting('server_version_num')::bigint, current_setting('server_version'),
       current_setting('fsync'), current_setting('full_page_writes'),
       current_setting('synchronous_commit'), current_setting('server_encoding');
