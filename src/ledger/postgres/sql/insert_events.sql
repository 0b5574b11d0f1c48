-- Records events of run $1 that its worker $2 observed.
INSERT INTO event (run, worker, at, kind, detail)
SELECT $1, $2, observed.at, observed.kind, observed.detail
FROM unnest($3::timestamptz[], $4::text[], $5::text[]) WITH ORDINALITY
    AS observed (at, kind, detail, position)
ORDER BY position;
