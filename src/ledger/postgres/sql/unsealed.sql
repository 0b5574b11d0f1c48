-- The runs that were started since they were last sealed, oldest first.
SELECT run
FROM worker
GROUP BY run
HAVING max(number) > coalesce((SELECT max(seal.start) FROM seal WHERE seal.run = worker.run), 0)
ORDER BY run;
