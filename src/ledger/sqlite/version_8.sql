-- From version 7 to 8: who started a run and why, the configuration in force, the start that made
-- each attempt, events, and seals.

-- The identity of this ledger, which stays the same in all of its copies.
CREATE TABLE ledger (id TEXT NOT NULL) STRICT;
INSERT INTO ledger
SELECT substr(digits, 1, 8) || '-' || substr(digits, 9, 4) || '-4' || substr(digits, 14, 3)
    || '-' || substr('89ab', 1 + abs(random() % 4), 1) || substr(digits, 18, 3)
    || '-' || substr(digits, 21, 12)
FROM (SELECT lower(hex(randomblob(16))) AS digits);

-- The settings in force, without secrets, by the SHA-256 of the text.
CREATE TABLE configuration (
    digest TEXT PRIMARY KEY,
    text   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Each start of a process on a run. One without finished_at is in progress, or died.
CREATE TABLE start_8 (
    number         INTEGER PRIMARY KEY,       -- increasing over all runs
    run            INTEGER NOT NULL REFERENCES run,
    started_at     INTEGER NOT NULL,
    started_by     TEXT    NOT NULL,          -- user, host and process
    program        TEXT,
    rates          TEXT,
    configuration  TEXT,                      -- the digest of the settings in force
    -- By the kernel and the user database; NULL where an older version did not record it.
    uid            INTEGER,
    user_name      TEXT,
    login_uid      INTEGER,                   -- of the login that began the session
    login_name     TEXT,
    host           TEXT,
    process        INTEGER,
    unit           TEXT,
    ssh_connection TEXT,
    -- By the person who started it.
    reason         TEXT,
    requested_by   TEXT,
    ticket         TEXT,
    cut_off        INTEGER,
    finished_at    INTEGER,
    stop           TEXT                       -- why it stopped before its last row
) STRICT;
INSERT INTO start_8 (number, run, started_at, started_by, cut_off, finished_at, stop)
SELECT rowid, run, started_at, started_by, cut_off, finished_at, stop FROM start ORDER BY rowid;
DROP TABLE start;
ALTER TABLE start_8 RENAME TO start;
CREATE INDEX start_by_run ON start (run);

-- The start that made the attempt; NULL where an older version did not record it.
ALTER TABLE attempt ADD COLUMN start INTEGER;

-- What happened to a run as a whole beside its starts and ends, which the tables run and start have.
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    run    INTEGER,                           -- NULL: it concerns the ledger
    start  INTEGER,
    at     INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    detail TEXT    NOT NULL
) STRICT;
CREATE INDEX event_by_run ON event (run, number);

-- What people asked of the processes that work on a run. It is not part of the sealed record: a
-- process that acts on a request records an event.
CREATE TABLE request (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    run     INTEGER NOT NULL REFERENCES run,
    at      INTEGER NOT NULL,
    made_by TEXT    NOT NULL,                 -- user, host and process
    kind    TEXT    NOT NULL,                 -- stop, pace
    rates   TEXT,                             -- the pace; NULL: that of the run again
    reason  TEXT
) STRICT;
CREATE INDEX request_by_run ON request (run, number);

-- The rows that were decided by an earlier row with the same order: row_by_order has that one.
CREATE INDEX duplicate_by_order ON row (admin_number, sequence_number) WHERE status = 6;

-- The seals, each tied to the one before by its digest, so that there is one chain.
CREATE TABLE seal (
    number   INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL REFERENCES run,
    start    INTEGER NOT NULL,                -- the last start of the run that it covers
    previous TEXT    NOT NULL UNIQUE,         -- the digest of the seal before
    digest   TEXT    NOT NULL UNIQUE,         -- SHA-256 of the text
    text     TEXT    NOT NULL,
    -- The SHA-256 of each block of lines that it covers, one a line, so that a change is found
    -- by its block.
    rows     TEXT    NOT NULL,
    attempts TEXT    NOT NULL,
    events   TEXT    NOT NULL
) STRICT;
CREATE INDEX seal_by_run ON seal (run, number);

-- What the seal command answered.
CREATE TABLE receipt (
    seal   INTEGER PRIMARY KEY REFERENCES seal,
    at     INTEGER NOT NULL,
    answer BLOB    NOT NULL
) STRICT;

DROP VIEW call;
CREATE VIEW call AS
SELECT run.id AS run, attempt.row, admin_number, sequence_number, attempt,
       strftime('%Y-%m-%dT%H:%M:%fZ', claimed_at / 1000 / 1e3, 'unixepoch') AS claimed_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', sent_at / 1000 / 1e3, 'unixepoch') AS sent_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000 / 1e3, 'unixepoch') AS ended_at,
       verdict.word AS verdict, status.word AS status, http_status,
       outcome.error_code, outcome.message, attempt.start
FROM attempt
JOIN run ON run.number = attempt.run
JOIN row ON row.run = attempt.run AND row.row = attempt.row
JOIN outcome ON outcome.number = attempt.outcome
JOIN verdict ON verdict.code = outcome.verdict
LEFT JOIN status ON status.code = outcome.status
UNION ALL
SELECT run.id, in_flight.row, admin_number, sequence_number, attempt,
       strftime('%Y-%m-%dT%H:%M:%fZ', claimed_at / 1000 / 1e3, 'unixepoch'),
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM in_flight
JOIN run ON run.number = in_flight.run
JOIN row ON row.run = in_flight.run AND row.row = in_flight.row;

-- When the rows of the run were removed, with its attempts, events and results files; NULL: they are
-- here. What stays are row_by_order and packed_orders, with the orders that the run cancelled.
ALTER TABLE run ADD COLUMN forgotten_at INTEGER;
