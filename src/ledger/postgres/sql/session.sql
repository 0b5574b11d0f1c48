-- The settings of every session. A worker that is frozen in a commit must not block the others.
-- Statements are planned once, for large tables, however large the tables are at that time.
SET search_path = cardcancel, pg_catalog;
SET TimeZone = 'UTC';
SET default_transaction_isolation = 'read committed';
SET idle_in_transaction_session_timeout = '5s';
SET lock_timeout = '10s';
SET statement_timeout = '60s';
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET jit = off;
