-- Hands the doubts of other runs at endpoint $2 on to the rows of run $1 that have not ended.
-- What a worker had in flight whose lease ran out may have been carried out.
UPDATE row SET doubt = true
WHERE run = $1 AND status IS NULL AND NOT doubt
  AND row IN (
    SELECT mine.row
    FROM (
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
    ) AS lost
    CROSS JOIN LATERAL (
        SELECT row.row FROM row
        WHERE row.admin_number = lost.admin_number
          AND row.sequence_number = lost.sequence_number
          AND row.status IS NULL AND row.run = $1
        OFFSET 0
    ) AS mine)
  AND NOT EXISTS (SELECT FROM attempt
                  WHERE attempt.run = row.run AND attempt.row = row.row
                    AND attempt.status IS NOT NULL);
