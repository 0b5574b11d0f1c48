-- What worker $2 claimed of run $1 in its commit $3 and still holds, and the counts of the run.
SELECT
    (SELECT array_agg(row) FROM open_row
     WHERE open_row.run = $1 AND worker = $2 AND commit = $3 AND in_flight),
    first_fresh <= rows OR EXISTS (SELECT FROM open_row
                                   WHERE open_row.run = $1 AND worker IS DISTINCT FROM $2),
    cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent,
    rejected_with_doubt
FROM run WHERE number = $1;
