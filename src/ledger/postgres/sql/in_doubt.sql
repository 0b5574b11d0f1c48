-- The indexes of those of the orders $2, $3 for which a run at endpoint $1 lost an answer.
SELECT wanted.number
FROM unnest($2::bigint[], $3::integer[])
    WITH ORDINALITY AS wanted (admin_number, sequence_number, number)
WHERE EXISTS (
    SELECT FROM doubt JOIN run ON run.number = doubt.run AND run.endpoint = $1
    WHERE doubt.admin_number = wanted.admin_number
      AND doubt.sequence_number = wanted.sequence_number);
