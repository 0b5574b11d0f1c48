-- Rows of run $1 that were never sent have no doubt from other runs at endpoint $2 any more, if
-- evidence has ended it since.
UPDATE row SET doubt = false
WHERE run = $1 AND doubt AND status IS NULL
  AND NOT EXISTS (SELECT FROM attempt WHERE attempt.run = row.run AND attempt.row = row.row)
  AND NOT EXISTS (SELECT FROM open_row
                  WHERE open_row.run = row.run AND open_row.row = row.row AND open_row.in_flight)
  AND EXISTS (SELECT FROM row AS decided JOIN run ON run.number = decided.run
              WHERE decided.admin_number = row.admin_number
                AND decided.sequence_number = row.sequence_number
                AND decided.error_code = 'RESOLVED' AND NOT decided.kept
                AND decided.run > $1
                AND run.endpoint = $2 AND run.rows IS NOT NULL)
  AND NOT EXISTS (SELECT FROM doubt JOIN run ON run.number = doubt.run AND run.endpoint = $2
                  WHERE doubt.admin_number = row.admin_number
                    AND doubt.sequence_number = row.sequence_number);
