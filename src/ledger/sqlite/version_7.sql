-- The embedded ledger. Times are microseconds since 1970 UTC. Statuses and verdicts are small
-- numbers; the views at the end spell them out.

CREATE TABLE status (code INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT;
INSERT INTO status VALUES
    (0, 'cancelled'), (1, 'already_cancelled'), (2, 'rejected'), (3, 'failed'),
    (4, 'in_doubt'), (5, 'invalid'), (6, 'duplicate'), (7, 'not_sent');

CREATE TABLE verdict (code INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT;
INSERT INTO verdict VALUES
    (0, 'cancelled'), (1, 'already_cancelled'), (2, 'rejected'), (3, 'refused'),
    (4, 'not_done'), (5, 'doubt'), (6, 'stop');

-- The work on one file, from its first row to its results.
CREATE TABLE run (
    number        INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    key           TEXT    NOT NULL,           -- the same command on the same file and endpoint
    command       TEXT    NOT NULL,           -- run, rerun, resolve
    input_name    TEXT    NOT NULL,
    input_digest  TEXT    NOT NULL,           -- SHA-256 of the file's bytes
    endpoint      TEXT    NOT NULL,
    program       TEXT    NOT NULL,
    opened_at     INTEGER NOT NULL,
    -- NULL until every row is recorded. Nothing is sent before that, and if it was interrupted,
    -- the next start of the same command resumes it.
    rows          INTEGER
) STRICT;
CREATE INDEX run_by_key ON run (key, number);

-- The progress of each run, updated by every commit.
CREATE TABLE progress (
    run         INTEGER PRIMARY KEY REFERENCES run,
    first_fresh INTEGER NOT NULL DEFAULT 1,   -- the first position that was never claimed
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- The numbers of rows by status.
    cancelled         INTEGER NOT NULL DEFAULT 0,
    already_cancelled INTEGER NOT NULL DEFAULT 0,
    rejected          INTEGER NOT NULL DEFAULT 0,
    failed            INTEGER NOT NULL DEFAULT 0,
    in_doubt          INTEGER NOT NULL DEFAULT 0,
    invalid           INTEGER NOT NULL DEFAULT 0,
    duplicate         INTEGER NOT NULL DEFAULT 0,
    not_sent          INTEGER NOT NULL DEFAULT 0, -- carried over by a rerun
    -- Those of the rejected rows for whose orders an answer was lost.
    rejected_with_doubt INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Each start of a process on a run. One without finished_at is in progress, or died.
CREATE TABLE start (
    run        INTEGER NOT NULL REFERENCES run,
    started_at INTEGER NOT NULL,
    started_by TEXT    NOT NULL,              -- user, host and process
    cut_off    INTEGER,
    finished_at  INTEGER,
    stop       TEXT                           -- why it stopped before its last row
) STRICT;
CREATE INDEX start_by_run ON start (run);

-- A line of the input. Written once, when the run is created.
CREATE TABLE row (
    run             INTEGER NOT NULL,
    row             INTEGER NOT NULL,
    admin_number    INTEGER,
    sequence_number INTEGER,
    -- The row's status if it was decided without a call, otherwise NULL.
    status          INTEGER,
    kept            INTEGER NOT NULL DEFAULT 0,  -- 1: carried over from the results file
    doubt           INTEGER NOT NULL DEFAULT 0,  -- 1: another run lost an answer for the order
    error_code      TEXT,
    message         TEXT,
    PRIMARY KEY (run, row)
) STRICT, WITHOUT ROWID;
-- Most rows have no other information than their order.
CREATE INDEX row_with_more ON row (run, row) WHERE status IS NOT NULL OR doubt = 1;

-- The orders for which an answer was lost, and the runs in which it was, until the order is known
-- to be cancelled. Doubt belongs to the order: later runs that contain it inherit this.
CREATE TABLE doubt (
    admin_number    INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL,
    run             INTEGER NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
) STRICT, WITHOUT ROWID;

-- The rows that carry an order, in all runs.
CREATE TABLE row_by_order (
    admin_number    INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL,
    run             INTEGER NOT NULL,
    row             INTEGER NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
) STRICT, WITHOUT ROWID;

-- The same in packed form (see packed.rs), sorted: a whole file is merged with these.
CREATE TABLE packed_orders (
    number         INTEGER PRIMARY KEY,
    run            INTEGER NOT NULL,
    first_admin    INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_admin     INTEGER NOT NULL,
    orders         BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX packed_orders_by_run ON packed_orders (run, first_admin, first_sequence);

-- The positions of rows in the send order, for runs in which it differs from the row numbers.
-- Rows that are not sent may be missing.
CREATE TABLE place (
    run   INTEGER NOT NULL,
    place INTEGER NOT NULL,
    row   INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;

-- Claimed rows that have not all ended, as ranges. A range of the first attempt is kept until its
-- last row has ended; one of a later attempt is a single row, and is kept until the attempt has
-- ended. Rows within a range that were decided without a call do not count.
CREATE TABLE claim (
    run         INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    first_row   INTEGER NOT NULL,
    end_row     INTEGER NOT NULL,             -- one past the last row
    first_place INTEGER NOT NULL,             -- the position of the first row; the others follow
    claimed_at   INTEGER,                      -- NULL: completed or released
    PRIMARY KEY (run, attempt, first_row)
) STRICT, WITHOUT ROWID;

-- The outcomes of attempts, each stored once: most attempts have the same.
CREATE TABLE outcome (
    number      INTEGER PRIMARY KEY,          -- below 0: CoreCARD answered Status true
    verdict     INTEGER NOT NULL,
    status      INTEGER,                      -- the row's status, if the attempt ended it
    http_status INTEGER,
    error_code  TEXT NOT NULL,
    message     TEXT NOT NULL
) STRICT;

-- One request for a row, written when it has ended.
CREATE TABLE attempt (
    run       INTEGER NOT NULL,
    row       INTEGER NOT NULL,
    attempt   INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL,
    sent_at   INTEGER,                        -- NULL: surely not sent, or not known
    ended_at  INTEGER NOT NULL,
    outcome   INTEGER NOT NULL,
    PRIMARY KEY (run, row, attempt)
) STRICT, WITHOUT ROWID;

-- Most attempts succeed, so the rows of a run that are not cancelled are found by the others.
CREATE INDEX attempt_without_success ON attempt (run, row) WHERE outcome > 0;

-- The requests in flight, now or when the process died. There are few claims and many rows, so the
-- join goes from the claims to the rows.
CREATE VIEW in_flight AS
SELECT claim.run, row.row, claim.attempt, claimed_at
FROM claim CROSS JOIN row ON row.run = claim.run AND row.row >= first_row AND row.row < end_row
WHERE claimed_at IS NOT NULL AND row.status IS NULL AND NOT EXISTS (
    SELECT 1 FROM attempt
    WHERE attempt.run = claim.run AND attempt.row = row.row AND attempt.attempt = claim.attempt);

-- The used part of each endpoint's rate, as JSON.
CREATE TABLE budget (
    endpoint TEXT PRIMARY KEY,
    state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The results files that were written, so that only these are ever replaced.
CREATE TABLE results (
    mark       TEXT    NOT NULL,              -- SHA-256 of the file's bytes; or which file it
                                              -- is, its size and when it was last written
    run        INTEGER NOT NULL REFERENCES run,
    path       TEXT    NOT NULL,
    PRIMARY KEY (mark, run)
) STRICT, WITHOUT ROWID;

-- For people, with times to the millisecond: the rows decided without a call, and every call.
-- Calls in flight have no end.
CREATE VIEW decided AS
SELECT run.id AS run, row, admin_number, sequence_number, status.word AS status, kept,
       error_code, message
FROM row JOIN run ON run.number = row.run JOIN status ON status.code = row.status;

CREATE VIEW call AS
SELECT run.id AS run, attempt.row, admin_number, sequence_number, attempt,
       strftime('%Y-%m-%dT%H:%M:%fZ', claimed_at / 1000 / 1e3, 'unixepoch') AS claimed_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', sent_at / 1000 / 1e3, 'unixepoch') AS sent_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000 / 1e3, 'unixepoch') AS ended_at,
       verdict.word AS verdict, status.word AS status, http_status,
       outcome.error_code, outcome.message
FROM attempt
JOIN run ON run.number = attempt.run
JOIN row ON row.run = attempt.run AND row.row = attempt.row
JOIN outcome ON outcome.number = attempt.outcome
JOIN verdict ON verdict.code = outcome.verdict
LEFT JOIN status ON status.code = outcome.status
UNION ALL
SELECT run.id, in_flight.row, admin_number, sequence_number, attempt,
       strftime('%Y-%m-%dT%H:%M:%fZ', claimed_at / 1000 / 1e3, 'unixepoch'),
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM in_flight
JOIN run ON run.number = in_flight.run
JOIN row ON row.run = in_flight.run AND row.row = in_flight.row;
