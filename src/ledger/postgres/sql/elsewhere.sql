-- Which rows $3 of run $1, as far as they are not decided, have an order that another run cancelled at endpoint $2: the
-- run and its row.
SELECT wanted.row, other.id, other.row
FROM unnest($3::bigint[]) AS wanted (row)
CROSS JOIN LATERAL (
    SELECT admin_number, sequence_number FROM row
    WHERE row.run = $1 AND row.row = wanted.row AND row.status IS NULL
    OFFSET 0
) AS ours
CROSS JOIN LATERAL (
    SELECT run.id, same.row
    FROM row AS same
    JOIN run ON run.number = same.run AND run.endpoint = $2
    JOIN attempt ON attempt.run = same.run AND attempt.row = same.row
    WHERE same.admin_number = ours.admin_number AND same.sequence_number = ours.sequence_number
      AND same.status IS NULL AND same.run <> $1
      AND attempt.status IN (0, 1)               -- cancelled, already_cancelled
    LIMIT 1
) AS other;
