-- Attempts $5 of rows $4 of run $1, made by worker $6, were answered with Status true, and that
-- is recorded: earlier calls for their orders ($2, $3) at the endpoint leave no doubt, whatever
-- their result.
DELETE FROM doubt
USING unnest($2::bigint[], $3::integer[], $4::bigint[], $5::integer[])
    AS done (admin_number, sequence_number, row, attempt)
WHERE doubt.admin_number = done.admin_number AND doubt.sequence_number = done.sequence_number
  AND EXISTS (SELECT FROM attempt
              WHERE attempt.run = $1 AND attempt.row = done.row
                AND attempt.attempt = done.attempt AND attempt.worker = $6 AND verdict = 0)
  AND EXISTS (SELECT FROM run AS theirs JOIN run AS ours ON ours.endpoint = theirs.endpoint
              WHERE theirs.number = doubt.run AND ours.number = $1);
