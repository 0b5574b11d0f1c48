-- The next $5 orders after $3/$4 for which other runs than $2 at endpoint $1 lost an answer.
SELECT doubt.admin_number, doubt.sequence_number
FROM doubt JOIN run ON run.number = doubt.run AND run.endpoint = $1
WHERE (doubt.admin_number, doubt.sequence_number) > ($3, $4)
  AND doubt.run IS DISTINCT FROM $2
ORDER BY doubt.admin_number, doubt.sequence_number
LIMIT $5;
