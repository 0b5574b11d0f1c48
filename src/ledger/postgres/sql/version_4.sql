-- The ledger that several machines share. Statuses and verdicts are small numbers; the views at
-- the end spell them out.

CREATE TABLE status (code smallint PRIMARY KEY, word text NOT NULL);
INSERT INTO status VALUES
    (0, 'cancelled'), (1, 'already_cancelled'), (2, 'rejected'), (3, 'failed'),
    (4, 'in_doubt'), (5, 'invalid'), (6, 'duplicate'), (7, 'not_sent');

CREATE TABLE verdict (code smallint PRIMARY KEY, word text NOT NULL);
INSERT INTO verdict VALUES
    (0, 'cancelled'), (1, 'already_cancelled'), (2, 'rejected'), (3, 'refused'),
    (4, 'not_done'), (5, 'doubt'), (6, 'stop');

-- The work on one file, from its first row to its results. Every commit updates it, so there is
-- room in its pages, and its indexes need not be updated with it.
CREATE TABLE run (
    number        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            text        NOT NULL UNIQUE,
    key           text        NOT NULL,       -- the same command on the same file and endpoint
    command       text        NOT NULL,       -- run, rerun, resolve
    input_name    text        NOT NULL,
    input_digest  text        NOT NULL,       -- SHA-256 of the file's bytes
    endpoint      text        NOT NULL,
    program       text        NOT NULL,
    opened_at     timestamptz NOT NULL,
    -- NULL until every row is recorded: nothing is sent before that.
    rows          bigint,
    -- Why it was stopped for every worker.
    stop          text,
    -- Whether its send order differs from the row numbers: it is in the table place.
    by_place      boolean     NOT NULL DEFAULT false,
    -- The first position that was never claimed.
    first_fresh   bigint      NOT NULL DEFAULT 1,
    -- The numbers of rows by status, updated by every commit.
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
    -- Those of the rejected rows for whose orders an answer was lost.
    rejected_with_doubt bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
CREATE INDEX run_by_key ON run (key, number);
CREATE INDEX run_by_endpoint ON run (endpoint);

-- A process that works on a run. Its number is its fencing number: a process whose lease expired,
-- so that others took over its rows, continues under another number.
CREATE TABLE worker (
    number       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run          bigint      NOT NULL REFERENCES run,
    started_at   timestamptz NOT NULL,
    started_by   text        NOT NULL,        -- user, host and process
    program      text        NOT NULL,
    rates        text        NOT NULL,
    cut_off      timestamptz,
    again        boolean     NOT NULL,        -- sends orders even if another run cancelled them
    -- False once it has finished, or its rows were taken over by others.
    at_work      boolean     NOT NULL DEFAULT true,
    -- Whether a worker on another run found it to be expired. What it held is unchanged, and has
    -- to be taken over by a worker on its own run.
    left_behind  boolean     NOT NULL DEFAULT false,
    -- The number under which it continued after that.
    followed_by  bigint,
    leased_until timestamptz NOT NULL,
    -- When it began, or last renewed an expired lease. Other workers may have lost the database as
    -- long, or the clock was set, so they have a lease's time from then on.
    lapsed_at    timestamptz NOT NULL,
    -- Its last commit.
    commit       bigint      NOT NULL DEFAULT 0,
    finished_at  timestamptz,
    stop         text                         -- why it stopped before the last row
) WITH (fillfactor = 20);
CREATE INDEX worker_by_run ON worker (run, at_work, number);
CREATE INDEX worker_at_work ON worker (run) WHERE at_work;
CREATE INDEX worker_left_behind ON worker (run) WHERE left_behind;

-- A line of the input. Written once, when the run is created.
CREATE TABLE row (
    run             bigint   NOT NULL,
    row             bigint   NOT NULL,
    admin_number    bigint,
    sequence_number integer,
    -- The row's status if it was decided without a call, otherwise NULL.
    status          smallint,
    kept            boolean  NOT NULL,        -- carried over from the results file
    doubt           boolean  NOT NULL,        -- an answer was lost before this run
    error_code      text,
    message         text,
    PRIMARY KEY (run, row)
);
-- The rows that carry an order, in all runs.
CREATE INDEX row_by_order ON row (admin_number, sequence_number) WHERE status IS NULL;

-- Orders for which an answer was lost, until one of them is answered with Status true: with the run
-- that lost it, or that inherited it from the results file of its input.
CREATE TABLE doubt (
    admin_number    bigint  NOT NULL,
    sequence_number integer NOT NULL,
    run             bigint  NOT NULL,
    PRIMARY KEY (admin_number, sequence_number, run)
);

-- The positions of rows in the send order, for runs in which it differs from the row numbers.
-- Rows that are not sent may be missing.
CREATE TABLE place (
    run   bigint NOT NULL,
    place bigint NOT NULL,
    row   bigint NOT NULL,
    PRIMARY KEY (run, place)
);

-- A row that was claimed or skipped, and has not ended. There are few of them at a time, and each
-- is soon deleted, so dead rows are vacuumed often.
CREATE TABLE open_row (
    run       bigint      NOT NULL,
    row       bigint      NOT NULL,
    place     bigint      NOT NULL,
    worker    bigint,                         -- the worker that holds it; NULL: orphaned
    -- The number of attempts, including that in flight; 0 if another run has the order in
    -- flight, and the row waits for the result.
    attempt   integer     NOT NULL,
    in_flight boolean     NOT NULL,           -- claimed, and not completed
    claimed_at timestamptz NOT NULL,
    commit    bigint      NOT NULL,           -- the commit of the worker that claimed it
    PRIMARY KEY (run, row)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX open_row_of_nobody ON open_row (run, place) WHERE worker IS NULL;

-- A request that was or may have been made for a row. Written once, when its end is known.
CREATE TABLE attempt (
    run         bigint      NOT NULL,
    row         bigint      NOT NULL,
    attempt     integer     NOT NULL,
    worker      bigint      NOT NULL,
    claimed_at  timestamptz NOT NULL,
    sent_at     timestamptz,                  -- NULL: surely not sent, or not known
    ended_at    timestamptz NOT NULL,
    verdict     smallint    NOT NULL,
    status      smallint,                     -- the row's status, if the attempt ended it
    http_status smallint,
    error_code  text        NOT NULL,
    message     text        NOT NULL,
    PRIMARY KEY (run, row, attempt)
);

-- The used part of each endpoint's rate, as JSON.
CREATE TABLE budget (
    endpoint text PRIMARY KEY,
    state    text NOT NULL
) WITH (fillfactor = 20);

-- The results files that were written, so that only these are ever replaced.
CREATE TABLE results (
    mark text   NOT NULL,                     -- SHA-256 of the file's bytes; or which file it
                                              -- is, its size and when it was last written
    run  bigint NOT NULL REFERENCES run,
    path text   NOT NULL,
    PRIMARY KEY (mark, run)
);

-- For people: the rows decided without a call, and every call.
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
