INSERT INTO row (run, row, admin_number, sequence_number, status, kept, doubt, error_code, message)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::integer[], $5::smallint[], $6::boolean[],
                         $7::boolean[], $8::text[], $9::text[]);
