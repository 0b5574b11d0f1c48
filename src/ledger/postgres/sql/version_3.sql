-- The ledger that several machines share. How rows stand and what answers mean is
-- written as small numbers; the views at the end spell them out.

CREATE TABLE status (code smallint PRIMARY KEY, word text NOT NULL);
INSERT INTO status VALUES
    (0, 'cancelled'), (1, 'already_cancelled'), (2, 'rejected'), (3, 'failed'),
    (4, 'in_doubt'), (5, 'invalid'), (6, 'duplicate'), (7, 'not_sent');

CREATE TABLE verdict (code smallint PRIMARY KEY, word text NOT NULL);
INSERT INTO verdict VALUES
    (0, 'cancelled'), (1, 'already_cancelled'), (2, 'rejected'), (3, 'refused'),
    (4, 'not_done'), (5, 'doubt'), (6, 'stop');

-- The work on one file, from its first row to its results. Turns change it often:
-- room is left in its pages, so that its indexes need not change with it.
CREATE TABLE run (
    number        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            text        NOT NULL UNIQUE,
    key           text        NOT NULL,       -- the same command on the same file and endpoint
    command       text        NOT NULL,       -- run, rerun
    input_name    text        NOT NULL,
    input_digest  text        NOT NULL,       -- SHA-256 of the file's bytes
    endpoint      text        NOT NULL,
    program       text        NOT NULL,
    opened_at     timestamptz NOT NULL,
    -- NULL until every row is recorded: nothing is sent before.
    rows          bigint,
    -- Why it was stopped for all that work on it.
    stop          text,
    -- Whether its rows are sent in an order of their own, that of the table place.
    by_place      boolean     NOT NULL DEFAULT false,
    -- Rows from this place on were never claimed.
    first_fresh   bigint      NOT NULL DEFAULT 1,
    -- How the rows stand, kept in step by every commit.
    attempts          bigint NOT NULL DEFAULT 0,
    cancelled         bigint NOT NULL DEFAULT 0,
    already_cancelled bigint NOT NULL DEFAULT 0,
    rejected          bigint NOT NULL DEFAULT 0,
    failed            bigint NOT NULL DEFAULT 0,
    in_doubt          bigint NOT NULL DEFAULT 0,
    invalid           bigint NOT NULL DEFAULT 0,
    duplicate         bigint NOT NULL DEFAULT 0,
    -- Rows whose status a rerun carried over as not_sent.
    not_sent          bigint NOT NULL DEFAULT 0,
    -- Those of the rejected for whose order an answer was lost.
    rejected_with_doubt bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
CREATE INDEX run_by_key ON run (key, number);
CREATE INDEX run_by_endpoint ON run (endpoint);

-- A process that works on a run. Its number is that of its lease: one that was too long
-- away, so that others took up its rows, goes on under another number.
CREATE TABLE worker (
    number       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run          bigint      NOT NULL REFERENCES run,
    started_at   timestamptz NOT NULL,
    started_by   text        NOT NULL,        -- user, host and process
    program      text        NOT NULL,
    rates        text        NOT NULL,
    cut_off      timestamptz,
    again        boolean     NOT NULL,        -- sends orders even if another run cancelled them
    -- False once it came to rest, or its rows were taken up by others.
    at_work      boolean     NOT NULL DEFAULT true,
    -- Whether it was found to be gone by a worker on another run: what it held still stands
    -- as it left it, and whoever works on its own run is to take that up.
    left_behind  boolean     NOT NULL DEFAULT false,
    -- The number under which it went on after that.
    followed_by  bigint,
    leased_until timestamptz NOT NULL,
    -- When it began, or last came back after its lease had run out: others may have been away
    -- for as long, or the clock was set, and they are given as long as a lease from then on.
    lapsed_at    timestamptz NOT NULL,
    -- Its last commit.
    commit       bigint      NOT NULL DEFAULT 0,
    finished_at  timestamptz,
    stop         text                         -- why it stopped before the last row
) WITH (fillfactor = 20);
CREATE INDEX worker_by_run ON worker (run, at_work, number);
CREATE INDEX worker_at_work ON worker (run) WHERE at_work;
CREATE INDEX worker_left_behind ON worker (run) WHERE left_behind;

-- A line of the input. Written once, when the run is opened.
CREATE TABLE row (
    run             bigint   NOT NULL,
    row             bigint   NOT NULL,
    admin_number    bigint,
    sequence_number integer,
    -- How the row stands if that was decided without a call, else NULL.
    status          smallint,
    kept            boolean  NOT NULL,        -- carried over from the results file
    doubt           boolean  NOT NULL,        -- an answer was lost before this run
    error_code      text,
    message         text,
    PRIMARY KEY (run, row)
);
-- Where an order stands in which runs.
CREATE INDEX row_by_order ON row (admin_number, sequence_number) WHERE status IS NULL;

-- Orders of which an answer was lost, until one of them is answered with Status true: with
-- the run that lost it, or that was told of it by the results file it came from.
CREATE TABLE doubt (
    admin_number    bigint  NOT NULL,
    sequence_number integer NOT NULL,
    run             bigint  NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
);

-- The order in which rows are sent, for runs that have one of their own; other runs go by
-- the row. Rows that are not sent may be missing.
CREATE TABLE place (
    run   bigint NOT NULL,
    place bigint NOT NULL,
    row   bigint NOT NULL,
    PRIMARY KEY (run, place)
);

-- A row that was claimed, or passed over, and has not ended. There are never many of them, and each is
-- soon gone again: dead ones are cleared away often.
CREATE TABLE open_row (
    run       bigint      NOT NULL,
    row       bigint      NOT NULL,
    place     bigint      NOT NULL,
    worker    bigint,                         -- who has it; NULL: nobody, it is to be taken up
    -- How many there were, that in flight included; none where another run has the order in
    -- flight, and the row waits for what becomes of that.
    attempt   integer     NOT NULL,
    in_flight boolean     NOT NULL,           -- claimed, and not completed
    claimed_at timestamptz NOT NULL,
    commit    bigint      NOT NULL,           -- the commit of the worker that claimed it
    PRIMARY KEY (run, row)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX open_row_of_nobody ON open_row (run, place) WHERE worker IS NULL;

-- A request that was made for a row, or perhaps made. Written once, when its end is known.
CREATE TABLE attempt (
    run         bigint      NOT NULL,
    row         bigint      NOT NULL,
    attempt     integer     NOT NULL,
    worker      bigint      NOT NULL,
    claimed_at  timestamptz NOT NULL,
    sent_at     timestamptz,                  -- NULL: surely not sent, or not known
    ended_at    timestamptz NOT NULL,
    verdict     smallint    NOT NULL,
    status      smallint,                     -- what the row ended as, if it did
    http_status smallint,
    error_code  text        NOT NULL,
    message     text        NOT NULL,
    PRIMARY KEY (run, row, attempt)
);

-- What is spent of each endpoint's rate, as JSON.
CREATE TABLE budget (
    endpoint text PRIMARY KEY,
    state    text NOT NULL
) WITH (fillfactor = 20);

-- The results files that were written, so that only such a file is ever replaced.
CREATE TABLE results (
    mark text   NOT NULL,                     -- SHA-256 of the file's bytes; or which file it
                                              -- is, its size and when it was last written
    run  bigint NOT NULL REFERENCES run,
    path text   NOT NULL,
    PRIMARY KEY (mark, run)
);

-- For people: the rows that were decided without a call, and every call.
CREATE VIEW decided AS
SELECT run.id AS run, row.row, admin_number, sequence_number, status.word AS status, kept,
       error_code, message
FROM row JOIN run ON run.number = row.run JOIN status ON status.code = row.status;

CREATE VIEW call AS
SELECT run.id AS run, attempt.row, admin_number, sequence_number, attempt, worker, claimed_at,
       sent_at, ended_at, verdict.word AS verdict, status.word AS status, http_status,
       attempt.error_code, attempt.message
FROM (SELECT run, row, attempt, worker, claimed_at, sent_at, ended_at, verdict, status, http_status,
             error_code, message
      FROM attempt
      UNION ALL
      SELECT run, row, attempt, worker, claimed_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL
      FROM open_row WHERE in_flight) AS attempt
JOIN run ON run.number = attempt.run
JOIN row ON row.run = attempt.run AND row.row = attempt.row
LEFT JOIN verdict ON verdict.code = attempt.verdict
LEFT JOIN status ON status.code = attempt.status;
