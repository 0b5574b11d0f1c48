-- From version 4 to 5: who started a run and why, the configuration in force, events, and seals.

-- The identity of this ledger, which stays the same in all of its copies.
CREATE TABLE ledger (id text NOT NULL);
INSERT INTO ledger VALUES (gen_random_uuid()::text);

-- The settings in force, without secrets, by the SHA-256 of the text.
CREATE TABLE configuration (
    digest text PRIMARY KEY,
    text   text NOT NULL
);

-- By the kernel and the user database of the worker's machine; NULL where an older version did not
-- record it.
ALTER TABLE worker
    ADD COLUMN uid            bigint,
    ADD COLUMN user_name      text,
    ADD COLUMN login_uid      bigint,         -- of the login that began the session
    ADD COLUMN login_name     text,
    ADD COLUMN host           text,
    ADD COLUMN process        bigint,
    ADD COLUMN unit           text,
    ADD COLUMN ssh_connection text,
    -- By the person who started it.
    ADD COLUMN reason         text,
    ADD COLUMN requested_by   text,
    ADD COLUMN ticket         text,
    ADD COLUMN configuration  text,           -- the digest of the settings in force
    -- Requests to stop count from this number on. A worker that joins others has theirs.
    ADD COLUMN last_request   bigint NOT NULL DEFAULT 0;

-- What happened to a run as a whole beside its starts and ends, which the tables run and worker
-- have.
CREATE TABLE event (
    number bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run    bigint,                            -- NULL: it concerns the ledger
    worker bigint,
    at     timestamptz NOT NULL,
    kind   text        NOT NULL,
    detail text        NOT NULL
);
CREATE INDEX event_by_run ON event (run, number);

-- What people asked of the processes that work on a run. It is not part of the sealed record: a
-- process that acts on a request records an event.
CREATE TABLE request (
    number  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run     bigint      NOT NULL REFERENCES run,
    at      timestamptz NOT NULL,
    made_by text        NOT NULL,             -- user, host and process
    kind    text        NOT NULL,             -- stop, pace
    rates   text,                             -- the pace; NULL: that of the run again
    reason  text
);
CREATE INDEX request_by_run ON request (run, number);

-- The rows that were decided without a call and carry an order, in all runs.
CREATE INDEX decided_by_order ON row (admin_number, sequence_number)
    WHERE status IS NOT NULL AND admin_number IS NOT NULL;

-- The rows that evidence decided, in all runs.
CREATE INDEX resolved_by_order ON row (admin_number, sequence_number)
    WHERE error_code = 'RESOLVED';

-- Most attempts succeed and most rows are sent, so those that may be open are found by the others.
CREATE INDEX attempt_without_success ON attempt (run, row) WHERE status IS NULL OR status > 1;
CREATE INDEX row_with_more ON row (run, row) WHERE doubt OR status IS NOT NULL;

-- The seals, each tied to the one before by its digest, so that there is one chain.
CREATE TABLE seal (
    number   bigint PRIMARY KEY,
    run      bigint NOT NULL REFERENCES run,
    start    bigint NOT NULL,                 -- the last start of the run that it covers
    previous text   NOT NULL UNIQUE,          -- the digest of the seal before
    digest   text   NOT NULL UNIQUE,          -- SHA-256 of the text
    text     text   NOT NULL,
    -- The SHA-256 of each block of lines that it covers, one a line, so that a change is found
    -- by its block.
    rows     text   NOT NULL,
    attempts text   NOT NULL,
    events   text   NOT NULL
);
CREATE INDEX seal_by_run ON seal (run, number);

-- What the seal command answered.
CREATE TABLE receipt (
    seal   bigint      PRIMARY KEY REFERENCES seal,
    at     timestamptz NOT NULL,
    answer bytea       NOT NULL
);

-- When the rows of the run were removed, with its attempts, events and results files; NULL: they are
-- here. What stays are the rows whose orders the run cancelled.
ALTER TABLE run ADD COLUMN forgotten_at timestamptz;
