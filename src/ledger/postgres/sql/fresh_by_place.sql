-- Up to $3 rows of run $1 from position $2 on that can be sent and were never claimed.
SELECT placed.row, its.admin_number, its.sequence_number, its.doubt, placed.place
FROM (SELECT place, row FROM place WHERE run = $1 AND place >= $2 ORDER BY place) AS placed
CROSS JOIN LATERAL (
    SELECT admin_number, sequence_number, doubt FROM row
    WHERE row.run = $1 AND row.row = placed.row AND status IS NULL
    OFFSET 0
) AS its
ORDER BY placed.place LIMIT $3;
