-- Answers for the orders of rows $2 of run $1 were lost in other runs.
UPDATE row SET doubt = true WHERE run = $1 AND row = ANY ($2::bigint[]) AND NOT doubt;
