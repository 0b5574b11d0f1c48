-- A ledger of version 7: one run of ten rows, stopped by a stop rule and resumed.
PRAGMA application_id = 1665224259;
PRAGMA user_version = 7;
PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
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
INSERT INTO "attempt" VALUES(1,1,1,1795713877728081,1795713877729286,1795713877729649,2);
INSERT INTO "attempt" VALUES(1,2,1,1795713877799969,1795713877829754,1795713877830171,2);
INSERT INTO "attempt" VALUES(1,3,1,1795713877900747,1795713877930614,1795713877930804,-1);
INSERT INTO "attempt" VALUES(1,4,1,1795713878001322,1795713878035047,1795713878035381,3);
INSERT INTO "attempt" VALUES(1,7,1,1795713878101176,1795713878131873,1795713878132118,2);
INSERT INTO "attempt" VALUES(1,8,1,1795713878203220,1795713878232434,1795713878232802,2);
INSERT INTO "attempt" VALUES(1,9,1,1795713878343956,1795713878387146,1795713878387608,-1);
INSERT INTO "attempt" VALUES(1,10,1,1795713878454122,1795713878484024,1795713878484369,-1);
CREATE TABLE budget (
    endpoint TEXT PRIMARY KEY,
    state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "budget" VALUES('http://127.0.0.1:18099','{"next":1795713878583581516,"recent":{},"clocks":{"53189ebf-c211-4e4c-a4e6-6d61cca0cdd1":{"uptime":38016083216163,"wall":1795713878454122481}}}');
CREATE TABLE claim (
    run         INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    first_row   INTEGER NOT NULL,
    end_row     INTEGER NOT NULL,             -- one past the last row
    first_place INTEGER NOT NULL,             -- the position of the first row; the others follow
    claimed_at   INTEGER,                      -- NULL: completed or released
    PRIMARY KEY (run, attempt, first_row)
) STRICT, WITHOUT ROWID;
CREATE TABLE doubt (
    admin_number    INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL,
    run             INTEGER NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
) STRICT, WITHOUT ROWID;
INSERT INTO "doubt" VALUES(129409,1,1);
INSERT INTO "doubt" VALUES(129409,2,1);
INSERT INTO "doubt" VALUES(129413,1,1);
INSERT INTO "doubt" VALUES(129414,1,1);
CREATE TABLE outcome (
    number      INTEGER PRIMARY KEY,          -- below 0: CoreCARD answered Status true
    verdict     INTEGER NOT NULL,
    status      INTEGER,                      -- the row's status, if the attempt ended it
    http_status INTEGER,
    error_code  TEXT NOT NULL,
    message     TEXT NOT NULL
) STRICT;
INSERT INTO "outcome" VALUES(-1,0,0,200,'ERR01160','Order Canceled Successfully');
INSERT INTO "outcome" VALUES(1,5,4,NULL,'INTERRUPTED','the program died before the answer was recorded');
INSERT INTO "outcome" VALUES(2,5,4,NULL,'CONNECTION_LOST','the connection broke after sending: connection closed before message completed');
INSERT INTO "outcome" VALUES(3,2,2,200,'SIMULATOR_PRINTED','Order Already Printed');
CREATE TABLE packed_orders (
    number         INTEGER PRIMARY KEY,
    run            INTEGER NOT NULL,
    first_admin    INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_admin     INTEGER NOT NULL,
    orders         BLOB    NOT NULL
) STRICT;
INSERT INTO "packed_orders" VALUES(1,1,129409,1,129416,X'81F307010100020201010301010402010701010801010901010A');
CREATE TABLE place (
    run   INTEGER NOT NULL,
    place INTEGER NOT NULL,
    row   INTEGER NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;
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
INSERT INTO "progress" VALUES(1,11,8,3,0,1,0,4,1,1,0,0);
CREATE TABLE results (
    mark       TEXT    NOT NULL,              -- SHA-256 of the file's bytes; or which file it
                                              -- is, its size and when it was last written
    run        INTEGER NOT NULL REFERENCES run,
    path       TEXT    NOT NULL,
    PRIMARY KEY (mark, run)
) STRICT, WITHOUT ROWID;
INSERT INTO "results" VALUES('4f9bb2fa8b52088cede889f6ae4834d68081ebcb34287135182eab05e9455094',1,'orders.results.csv');
INSERT INTO "results" VALUES('bdcba27bd3bb2bca8e37f05ad87238b39b0b6427688fe58ab849ccb23339e135',1,'orders.results.csv');
INSERT INTO "results" VALUES('device 65024 inode 11387869 size 1563 written 1795713878.270500354',1,'orders.results.csv');
INSERT INTO "results" VALUES('device 65024 inode 11387870 size 1515 written 1795713878.502500352',1,'orders.results.csv');
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
INSERT INTO "row" VALUES(1,1,129409,1,NULL,0,0,NULL,NULL);
INSERT INTO "row" VALUES(1,2,129409,2,NULL,0,0,NULL,NULL);
INSERT INTO "row" VALUES(1,3,129410,1,NULL,0,0,NULL,NULL);
INSERT INTO "row" VALUES(1,4,129411,1,NULL,0,0,NULL,NULL);
INSERT INTO "row" VALUES(1,5,129409,1,6,0,0,'DUPLICATE','the same order as row 1, which decides');
INSERT INTO "row" VALUES(1,6,NULL,NULL,5,0,0,'INVALID_SEQUENCE_NUMBER','the sequence number "x" is not a number; it must be a whole number from 0 to 2147483647');
INSERT INTO "row" VALUES(1,7,129413,1,NULL,0,0,NULL,NULL);
INSERT INTO "row" VALUES(1,8,129414,1,NULL,0,0,NULL,NULL);
INSERT INTO "row" VALUES(1,9,129415,1,NULL,0,0,NULL,NULL);
INSERT INTO "row" VALUES(1,10,129416,1,NULL,0,0,NULL,NULL);
CREATE TABLE row_by_order (
    admin_number    INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL,
    run             INTEGER NOT NULL,
    row             INTEGER NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
) STRICT, WITHOUT ROWID;
INSERT INTO "row_by_order" VALUES(129409,1,1,1);
INSERT INTO "row_by_order" VALUES(129409,2,1,2);
INSERT INTO "row_by_order" VALUES(129410,1,1,3);
INSERT INTO "row_by_order" VALUES(129411,1,1,4);
INSERT INTO "row_by_order" VALUES(129413,1,1,7);
INSERT INTO "row_by_order" VALUES(129414,1,1,8);
INSERT INTO "row_by_order" VALUES(129415,1,1,9);
INSERT INTO "row_by_order" VALUES(129416,1,1,10);
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
    -- NULL until every row is recorded. Nothing is sent before that, and if it was interrupted,
    -- the next start of the same command resumes it.
    rows          INTEGER
) STRICT;
INSERT INTO "run" VALUES(1,'20261126-172437-7183','4857758d65a311bd8be4ec99e33f20b8949a5234fbb07a08f918fe3041a3e9aa','run','orders.csv','4c886ea3c4c94f99189e11aea1338cbeda969b81ef00dbca44721dcd4052c6e2','http://127.0.0.1:18099','cardcancel 0.1.0',1795713877701857,10);
CREATE TABLE start (
    run        INTEGER NOT NULL REFERENCES run,
    started_at INTEGER NOT NULL,
    started_by TEXT    NOT NULL,              -- user, host and process
    cut_off    INTEGER,
    finished_at  INTEGER,
    stop       TEXT                           -- why it stopped before its last row
) STRICT;
INSERT INTO "start" VALUES(1,1795713877721032,'jdoe on batch1, process 7036',NULL,1795713878245416,'CONSECUTIVE_FAILURES');
INSERT INTO "start" VALUES(1,1795713878324660,'jdoe on batch1, process 7056',NULL,1795713878500845,NULL);
CREATE TABLE status (code INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT;
INSERT INTO "status" VALUES(0,'cancelled');
INSERT INTO "status" VALUES(1,'already_cancelled');
INSERT INTO "status" VALUES(2,'rejected');
INSERT INTO "status" VALUES(3,'failed');
INSERT INTO "status" VALUES(4,'in_doubt');
INSERT INTO "status" VALUES(5,'invalid');
INSERT INTO "status" VALUES(6,'duplicate');
INSERT INTO "status" VALUES(7,'not_sent');
CREATE TABLE verdict (code INTEGER PRIMARY KEY, word TEXT NOT NULL) STRICT;
INSERT INTO "verdict" VALUES(0,'cancelled');
INSERT INTO "verdict" VALUES(1,'already_cancelled');
INSERT INTO "verdict" VALUES(2,'rejected');
INSERT INTO "verdict" VALUES(3,'refused');
INSERT INTO "verdict" VALUES(4,'not_done');
INSERT INTO "verdict" VALUES(5,'doubt');
INSERT INTO "verdict" VALUES(6,'stop');
CREATE INDEX run_by_key ON run (key, number);
CREATE INDEX start_by_run ON start (run);
CREATE INDEX row_with_more ON row (run, row) WHERE status IS NOT NULL OR doubt = 1;
CREATE UNIQUE INDEX packed_orders_by_run ON packed_orders (run, first_admin, first_sequence);
CREATE INDEX attempt_without_success ON attempt (run, row) WHERE outcome > 0;
CREATE VIEW in_flight AS
SELECT claim.run, row.row, claim.attempt, claimed_at
FROM claim CROSS JOIN row ON row.run = claim.run AND row.row >= first_row AND row.row < end_row
WHERE claimed_at IS NOT NULL AND row.status IS NULL AND NOT EXISTS (
    SELECT 1 FROM attempt
    WHERE attempt.run = claim.run AND attempt.row = row.row AND attempt.attempt = claim.attempt);
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
COMMIT;
