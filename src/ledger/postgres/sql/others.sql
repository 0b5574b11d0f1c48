-- Whether another run than $1 at endpoint $2 may know some of the same orders. To be queried once
-- the budget is locked: a run that begins later sees what is claimed by then.
SELECT EXISTS (SELECT FROM run WHERE endpoint = $2 AND number <> $1 AND rows > 0);
