-- Worker $1 has finished, for reason $2 if rows are left.
UPDATE worker SET at_work = false, finished_at = clock_timestamp(),
    stop = (SELECT CASE WHEN cancelled + already_cancelled + rejected + failed + in_doubt
                           + invalid + duplicate + not_sent < rows THEN $2::text END
            FROM run WHERE run.number = worker.run)
WHERE number = $1;
