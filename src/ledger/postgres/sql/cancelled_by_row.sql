-- For each of these ranges of rows $2 to $3 of runs $1: the rows that were to be sent, or that
-- evidence decided, with their orders, and those that were answered with Status true (verdict 0), or
-- that evidence shows to be cancelled.
SELECT sent.row, sent.admin_number, sent.sequence_number,
       ARRAY(SELECT attempt.row FROM attempt
             WHERE attempt.run = part.run AND attempt.row BETWEEN part.first AND part.last
               AND verdict = 0
             UNION ALL
             SELECT row.row FROM row
             WHERE row.run = part.run AND row.row BETWEEN part.first AND part.last
               AND row.status = 1 AND row.error_code = 'RESOLVED'
             UNION ALL
             SELECT row.row FROM row JOIN run ON run.number = row.run
             WHERE row.run = part.run AND row.row BETWEEN part.first AND part.last
               AND run.forgotten_at IS NOT NULL)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS part (run, first, last)
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(row.row), '{}'), coalesce(array_agg(row.admin_number), '{}'),
           coalesce(array_agg(row.sequence_number), '{}')
    FROM row
    WHERE row.run = part.run AND row.row BETWEEN part.first AND part.last
      AND (row.status IS NULL OR (row.error_code = 'RESOLVED' AND NOT row.kept))
) AS sent (row, admin_number, sequence_number);
