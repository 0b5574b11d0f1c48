-- The rows that stay of forgotten runs for order $1/$2, oldest run first.
SELECT its.run, its.row
FROM (SELECT run, row FROM row
      WHERE admin_number = $1 AND sequence_number = $2 AND status IS NULL
      UNION ALL
      SELECT run, row FROM row
      WHERE admin_number = $1 AND sequence_number = $2 AND status IS NOT NULL) AS its
JOIN run ON run.number = its.run
WHERE run.forgotten_at IS NOT NULL
ORDER BY its.run, its.row;
