-- The run that process $1 on host $2 works on.
SELECT run.id FROM cardcancel.worker JOIN cardcancel.run ON run.number = worker.run
WHERE worker.at_work AND worker.started_by LIKE '% on ' || $2 || ', process ' || $1
ORDER BY worker.number DESC LIMIT 1;
