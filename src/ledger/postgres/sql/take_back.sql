-- Takes back what worker $2 staked of run $1 in its turn $3, of which nobody was told.
WITH untold AS (
    UPDATE open_row SET
        attempt = attempt - 1, in_flight = false,
        worker = CASE WHEN attempt = 1 THEN NULL ELSE worker END
    WHERE run = $1 AND worker = $2 AND turn = $3 AND in_flight
    RETURNING 1
)
UPDATE run SET attempts = attempts - (SELECT count(*) FROM untold) WHERE number = $1;
