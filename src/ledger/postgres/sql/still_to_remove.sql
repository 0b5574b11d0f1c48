-- The forgotten runs that still have something to be removed, with their numbers of rows.
SELECT number, rows FROM run
WHERE forgotten_at IS NOT NULL AND (
    EXISTS (SELECT FROM attempt WHERE attempt.run = run.number)
    OR EXISTS (SELECT FROM place WHERE place.run = run.number)
    OR EXISTS (SELECT FROM open_row WHERE open_row.run = run.number)
    OR EXISTS (SELECT FROM event WHERE event.run = run.number)
    OR EXISTS (SELECT FROM results WHERE results.run = run.number))
ORDER BY number;
