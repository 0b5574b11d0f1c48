-- The orders that other runs than $2 at endpoint $1 have in flight, each with whether the lease of
-- its worker is valid.
SELECT row.admin_number, row.sequence_number,
       coalesce(worker.at_work AND worker.leased_until > clock_timestamp(), false)
FROM run
JOIN open_row ON open_row.run = run.number AND open_row.in_flight
JOIN row ON row.run = open_row.run AND row.row = open_row.row AND row.status IS NULL
LEFT JOIN worker ON worker.number = open_row.worker
WHERE run.endpoint = $1 AND run.number IS DISTINCT FROM $2;
