-- The ledger was reset to an earlier state. Rows of run $1 that may have been sent since: those
-- that worker $2 holds, those among rows $4 that it was about to record, and those that it knows
-- to have been claimed, at positions before $3.
WITH ours AS (
    SELECT first_fresh, by_place FROM run WHERE number = $1 FOR UPDATE
), perhaps AS (
    SELECT row FROM open_row WHERE run = $1 AND worker = $2
    UNION SELECT unnest($4::bigint[])
    UNION SELECT place.row FROM ours JOIN place ON place.run = $1 AND ours.by_place
          WHERE place.place >= ours.first_fresh AND place.place < $3
    UNION SELECT row.row FROM ours JOIN row ON row.run = $1 AND NOT ours.by_place
          WHERE row.row >= ours.first_fresh AND row.row < $3
), doubtful AS (
    UPDATE row SET doubt = true FROM perhaps
    WHERE row.run = $1 AND row.row = perhaps.row AND row.status IS NULL
      AND NOT row.doubt
    RETURNING row.row, admin_number, sequence_number
), noted AS (
    INSERT INTO doubt (run, admin_number, sequence_number)
    SELECT $1, admin_number, sequence_number FROM doubtful
    ON CONFLICT DO NOTHING
)
-- Some may have been sent again since, and rejected because of our call.
UPDATE run SET rejected_with_doubt = rejected_with_doubt + (
    SELECT count(*) FROM doubtful JOIN attempt ON attempt.run = $1 AND attempt.row = doubtful.row
    WHERE attempt.status = 2)
WHERE number = $1;
