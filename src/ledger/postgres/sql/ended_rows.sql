-- For each of these ranges of rows $2 to $3 of runs $1, those that ended.
SELECT ARRAY(SELECT row.row FROM row
             WHERE row.run = part.run AND row.row BETWEEN part.first AND part.last
               AND row.status IS NOT NULL
             UNION ALL
             SELECT attempt.row FROM attempt
             WHERE attempt.run = part.run AND attempt.row BETWEEN part.first AND part.last
               AND attempt.status IS NOT NULL)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS part (run, first, last);
