-- Evidence has decided orders $2, $3: earlier calls for them at endpoint $1 leave no doubt.
DELETE FROM doubt
USING unnest($2::bigint[], $3::integer[]) AS decided (admin_number, sequence_number)
WHERE doubt.admin_number = decided.admin_number
  AND doubt.sequence_number = decided.sequence_number
  AND EXISTS (SELECT FROM run WHERE run.number = doubt.run AND run.endpoint = $1);
