-- Who may do what with a ledger that several machines share. As a superuser:
--
--   createdb cardcancel
--   psql -d cardcancel -f roles.sql
--   cardcancel runs --ledger postgres://cardcancel_owner@HOST/cardcancel    lays down the tables
--   psql -d cardcancel -f grants.sql
--
-- Passwords are set beside it: \password cardcancel. A new version of the program that
-- changes the tables needs the last two steps again, before any other is started.

-- Owns the tables, and is used for nothing but to lay them down.
CREATE ROLE cardcancel_owner LOGIN;
-- Runs and works: whoever starts `cardcancel run` and `cardcancel worker`.
CREATE ROLE cardcancel LOGIN;
-- Reads all of it and changes nothing: `cardcancel runs`, `history`, `verify`, `export`, and queries.
CREATE ROLE cardcancel_auditor LOGIN;

REVOKE ALL ON DATABASE cardcancel FROM PUBLIC;
GRANT CONNECT ON DATABASE cardcancel TO cardcancel_owner, cardcancel, cardcancel_auditor;
CREATE SCHEMA cardcancel AUTHORIZATION cardcancel_owner;
GRANT USAGE ON SCHEMA cardcancel TO cardcancel, cardcancel_auditor;
-- Even while a new table has no grants of its own, auditors can read it.
ALTER DEFAULT PRIVILEGES FOR ROLE cardcancel_owner IN SCHEMA cardcancel
    GRANT SELECT ON TABLES TO cardcancel_auditor;
