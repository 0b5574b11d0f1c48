-- The embedded ledger. Times are microseconds since 1970 UTC. How rows stand and what
-- answers mean is written as small numbers; the views at the end spell them out.

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
    command       TEXT    NOT NULL,           -- run, rerun
    input_name    TEXT    NOT NULL,
    input_digest  TEXT    NOT NULL,           -- SHA-256 of the file's bytes
    endpoint      TEXT    NOT NULL,
    program       TEXT    NOT NULL,
    opened_at     INTEGER NOT NULL,
    -- NULL until every row is recorded: nothing is sent before, and if that was cut
    -- short, the next start of the same command goes on with it.
    rows          INTEGER
) STRICT;
CREATE INDEX run_by_key ON run (key, number);

-- How far each run is, kept in step by every commit.
CREATE TABLE progress (
    run         INTEGER PRIMARY KEY REFERENCES run,
    first_fresh INTEGER NOT NULL DEFAULT 1,   -- rows from this place on were never claimed
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- How the rows stand.
    cancelled         INTEGER NOT NULL DEFAULT 0,
    already_cancelled INTEGER NOT NULL DEFAULT 0,
    rejected          INTEGER NOT NULL DEFAULT 0,
    failed            INTEGER NOT NULL DEFAULT 0,
    in_doubt          INTEGER NOT NULL DEFAULT 0,
    invalid           INTEGER NOT NULL DEFAULT 0,
    duplicate         INTEGER NOT NULL DEFAULT 0,
    not_sent          INTEGER NOT NULL DEFAULT 0, -- those a rerun left so
    -- Those of the rejected for whose order an answer was lost.
    rejected_with_doubt INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Each time a process began to work on a run. One without finished_at is working, or died.
CREATE TABLE start (
    run        INTEGER NOT NULL REFERENCES run,
    started_at INTEGER NOT NULL,
    started_by TEXT    NOT NULL,              -- user, host and process
    cut_off    INTEGER,
    finished_at  INTEGER,
    stop       TEXT                           -- why it stopped before its last row
) STRICT;
CREATE INDEX start_by_run ON start (run);

-- A line of the input. Written once, when the run is opened.
CREATE TABLE row (
    run             INTEGER NOT NULL,
    row             INTEGER NOT NULL,
    admin_number    INTEGER,
    sequence_number INTEGER,
    -- How the row stands if that was decided without a call, else NULL.
    status          INTEGER,
    kept            INTEGER NOT NULL DEFAULT 0,  -- 1: carried over from the results file
    doubt           INTEGER NOT NULL DEFAULT 0,  -- 1: another run lost an answer for the order
    error_code      TEXT,
    message         TEXT,
    PRIMARY KEY (run, row)
) STRICT, WITHOUT ROWID;
-- Most rows have nothing to tell but their order.
CREATE INDEX row_with_more ON row (run, row) WHERE status IS NOT NULL OR doubt = 1;

-- The orders of which an answer was lost, and the runs in which it was, until the order is
-- known to be cancelled. Doubt belongs to the order: later runs of it inherit this.
CREATE TABLE doubt (
    admin_number    INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL,
    run             INTEGER NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
) STRICT, WITHOUT ROWID;

-- Where an order stands in which runs.
CREATE TABLE row_by_order (
    admin_number    INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL,
    run             INTEGER NOT NULL,
    row             INTEGER NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
) STRICT, WITHOUT ROWID;

-- The same once more, packed (see packed.rs) and in order: a whole file is held against these.
CREATE TABLE packed_orders (
    number         INTEGER PRIMARY KEY,
    run            INTEGER NOT NULL,
    first_admin    INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_admin     INTEGER NOT NULL,
    orders         BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX packed_orders_by_run ON packed_orders (run, first_admin, first_sequence);

-- The order in which rows are sent, for runs that have one of their own; other runs go by
-- the row. Rows that are not sent may be missing.
CREATE TABLE place (
    run   INTEGER NOT NULL,
    place INTEGER NOT NULL,
    row   INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;

-- Rows that were claimed and have not all ended, in ranges. A range of the first attempt
-- stands until its last row has ended; one of a later attempt is one row, and stands until
-- the attempt has ended. Rows within a range that were decided without a call do not count.
CREATE TABLE claim (
    run         INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    first_row   INTEGER NOT NULL,
    end_row     INTEGER NOT NULL,             -- one past the last
    first_place INTEGER NOT NULL,             -- the place of the first row; the others follow
    claimed_at   INTEGER,                      -- NULL: what was claimed has ended or was taken back
    PRIMARY KEY (run, attempt, first_row)
) STRICT, WITHOUT ROWID;

-- What attempts came to, each told once: most end alike.
CREATE TABLE outcome (
    number      INTEGER PRIMARY KEY,          -- below 0: CoreCARD answered Status true
    verdict     INTEGER NOT NULL,
    status      INTEGER,                      -- what the row ended as, if it did
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

-- Most attempts succeed: the rows of a run that are not cancelled are found by the others.
CREATE INDEX attempt_without_success ON attempt (run, row) WHERE outcome > 0;

-- The requests that are under way, or were when the process died. Claims are few and rows
-- are many: the join goes from those to these.
CREATE VIEW in_flight AS
SELECT claim.run, row.row, claim.attempt, claimed_at
FROM claim CROSS JOIN row ON row.run = claim.run AND row.row >= first_row AND row.row < end_row
WHERE claimed_at IS NOT NULL AND row.status IS NULL AND NOT EXISTS (
    SELECT 1 FROM attempt
    WHERE attempt.run = claim.run AND attempt.row = row.row AND attempt.attempt = claim.attempt);

-- What is spent of each endpoint's rate, as JSON.
CREATE TABLE budget (
    endpoint TEXT PRIMARY KEY,
    state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The results files that were written, so that only such a file is ever replaced.
CREATE TABLE results (
    mark       TEXT    NOT NULL,              -- SHA-256 of the file's bytes; or which file it
                                              -- is, its size and when it was last written
    run        INTEGER NOT NULL REFERENCES run,
    path       TEXT    NOT NULL,
    PRIMARY KEY (mark, run)
) STRICT, WITHOUT ROWID;

-- For people, with times to the millisecond: the rows that were decided without a call, and
-- every call, those in flight with no end.
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
