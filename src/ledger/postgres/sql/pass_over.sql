-- Rows $3 of run $1, at positions $4, wait with worker $2 for calls that other runs have in flight:
-- new rows, and orphaned ones.
INSERT INTO open_row (run, row, place, worker, attempt, in_flight, claimed_at, commit)
SELECT $1::bigint, passed.row, passed.place, $2::bigint, 0, false, clock_timestamp(), 0
FROM unnest($3::bigint[], $4::bigint[]) AS passed (row, place)
ON CONFLICT (run, row) DO UPDATE SET worker = $2 WHERE open_row.worker IS NULL;
