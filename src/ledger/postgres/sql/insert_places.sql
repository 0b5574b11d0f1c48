INSERT INTO place (run, place, row)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[])
ON CONFLICT DO NOTHING;
