-- Runs, each with the worker that represents it: one at work rather than one that has finished.
SELECT run.number, id, key, command, input_name, input_digest, endpoint, run.program,
       opened_at, rows, attempts, started_at, cut_off, rates, finished_at, worker.stop,
       cancelled, already_cancelled, rejected, failed, in_doubt, invalid, duplicate, not_sent,
       rejected_with_doubt,
       (SELECT request.rates FROM request WHERE request.run = run.number AND kind = 'pace'
        ORDER BY request.number DESC LIMIT 1), forgotten_at
FROM run LEFT JOIN LATERAL (
    SELECT * FROM worker WHERE worker.run = run.number ORDER BY at_work DESC, number DESC LIMIT 1
) AS worker ON true
