-- Copies the doubts of other runs at endpoint $2 to the rows of run $1 that have not ended, and to
-- those that were carried over from a results file, which may be older than the lost answer: an
-- order that surely was not cancelled is in doubt then. Calls that a worker with an expired lease
-- had in flight may have been carried out.
WITH lost AS MATERIALIZED (
    SELECT admin_number, sequence_number
    FROM doubt JOIN run ON run.number = doubt.run
    WHERE run.endpoint = $2 AND doubt.run <> $1
    UNION
    SELECT theirs.admin_number, theirs.sequence_number
    FROM open_row
    JOIN run ON run.number = open_row.run
    JOIN worker ON worker.number = open_row.worker
    JOIN row AS theirs ON theirs.run = open_row.run AND theirs.row = open_row.row
    WHERE open_row.in_flight AND open_row.run <> $1 AND run.endpoint = $2
      AND (NOT worker.at_work OR worker.leased_until < clock_timestamp())
), unended AS (
    UPDATE row SET doubt = true
    WHERE run = $1 AND status IS NULL AND NOT doubt
      AND row IN (
        SELECT mine.row
        FROM lost
        CROSS JOIN LATERAL (
            SELECT row.row FROM row
            WHERE row.admin_number = lost.admin_number
              AND row.sequence_number = lost.sequence_number
              AND row.status IS NULL AND row.run = $1
            OFFSET 0
        ) AS mine)
      AND NOT EXISTS (SELECT FROM attempt
                      WHERE attempt.run = row.run AND attempt.row = row.row
                        AND attempt.status IS NOT NULL)
), carried_over AS (
    UPDATE row SET doubt = true, status = CASE was.status WHEN 2 THEN 2 ELSE 4 END
    FROM (
        SELECT row, status FROM row
        WHERE run = $1 AND kept AND NOT doubt AND status IN (2, 3, 7)
          AND (SELECT command FROM run WHERE number = $1) = 'rerun'
          AND EXISTS (SELECT FROM lost)
          AND (admin_number, sequence_number) IN (SELECT * FROM lost)
    ) AS was
    WHERE row.run = $1 AND row.row = was.row AND NOT row.doubt
    RETURNING was.status
), tally AS (
    SELECT count(*) FILTER (WHERE status = 2) AS rejected,
           count(*) FILTER (WHERE status = 3) AS failed,
           count(*) FILTER (WHERE status = 7) AS not_sent
    FROM carried_over
)
UPDATE run SET rejected_with_doubt = rejected_with_doubt + tally.rejected,
    failed = run.failed - tally.failed, not_sent = run.not_sent - tally.not_sent,
    in_doubt = in_doubt + tally.failed + tally.not_sent
FROM tally
WHERE number = $1 AND tally.rejected + tally.failed + tally.not_sent > 0;
