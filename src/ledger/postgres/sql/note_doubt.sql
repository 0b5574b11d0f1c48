-- Answers for orders ($2, $3) were lost in run $1.
INSERT INTO doubt (run, admin_number, sequence_number)
SELECT $1::bigint, * FROM unnest($2::bigint[], $3::integer[])
ON CONFLICT DO NOTHING;
