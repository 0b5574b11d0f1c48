-- The embedded ledger. Times are microseconds since 1970 UTC.

-- The work on one file, from its first row to its results.
CREATE TABLE run (
    number        INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    key           TEXT    NOT NULL,           -- the same command on the same file and endpoint
    command       TEXT    NOT NULL,           -- run, rerun
    input_name    TEXT    NOT NULL,
    input_digest  TEXT    NOT NULL,           -- SHA-256 of the file's bytes
    endpoint      TEXT    NOT NULL,
    program       TEXT    NOT NULL,
    opened_at     INTEGER NOT NULL,
    rows          INTEGER NOT NULL DEFAULT 0,
    -- Rows below first_open have all ended; rows from first_fresh on were never staked.
    first_open    INTEGER NOT NULL DEFAULT 1,
    first_fresh   INTEGER NOT NULL DEFAULT 1,
    -- How the rows stand, kept in step by every turn.
    attempts          INTEGER NOT NULL DEFAULT 0,
    cancelled         INTEGER NOT NULL DEFAULT 0,
    already_cancelled INTEGER NOT NULL DEFAULT 0,
    rejected          INTEGER NOT NULL DEFAULT 0,
    failed            INTEGER NOT NULL DEFAULT 0,
    in_doubt          INTEGER NOT NULL DEFAULT 0,
    invalid           INTEGER NOT NULL DEFAULT 0,
    duplicate         INTEGER NOT NULL DEFAULT 0,
    -- Rows whose status a rerun carried over as not_sent.
    not_sent          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX run_by_key ON run (key, number);

-- Each time a process began to work on a run. One without rested_at is working, or died.
CREATE TABLE start (
    run        INTEGER NOT NULL REFERENCES run,
    started_at INTEGER NOT NULL,
    started_by TEXT    NOT NULL,              -- user, host and process
    cut_off    INTEGER,
    rested_at  INTEGER,
    stop       TEXT                           -- why it stopped before its last row
) STRICT;
CREATE INDEX start_by_run ON start (run);

-- A line of the input. Written once, when the run is opened.
CREATE TABLE row (
    run             INTEGER NOT NULL REFERENCES run,
    row             INTEGER NOT NULL,
    admin_number    INTEGER,
    sequence_number INTEGER,
    -- How the row stands if that was decided without a call, else NULL.
    status          TEXT,
    kept            INTEGER NOT NULL,         -- 1: carried over from the results file
    doubt           INTEGER NOT NULL,         -- 1: an answer was lost before this run
    error_code      TEXT,
    message         TEXT,
    PRIMARY KEY (run, row)
) STRICT, WITHOUT ROWID;

-- Where an order stands in which runs.
CREATE TABLE row_by_order (
    admin_number    INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL,
    run             INTEGER NOT NULL,
    row             INTEGER NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
) STRICT, WITHOUT ROWID;

-- One request for a row: staked before it is sent, settled when its end is known.
CREATE TABLE attempt (
    run         INTEGER NOT NULL,
    row         INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    staked_at   INTEGER NOT NULL,
    sent_at     INTEGER,                      -- NULL: surely not sent, or not known
    ended_at    INTEGER,
    -- cancelled, already_cancelled, rejected, refused, not_done, doubt or stop.
    -- NULL: in flight, or it was when the process died.
    meaning     TEXT,
    status      TEXT,                         -- what the row ended as, if it did
    http_status INTEGER,
    error_code  TEXT,
    message     TEXT,
    PRIMARY KEY (run, row, attempt)
) STRICT, WITHOUT ROWID;

-- What is spent of each endpoint's rate, as JSON.
CREATE TABLE budget (
    endpoint TEXT PRIMARY KEY,
    state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The results files that were written, so that only such a file is ever replaced.
CREATE TABLE results (
    digest     TEXT    NOT NULL,              -- SHA-256 of the file's bytes
    run        INTEGER NOT NULL REFERENCES run,
    path       TEXT    NOT NULL,
    PRIMARY KEY (digest, run)
) STRICT, WITHOUT ROWID;
