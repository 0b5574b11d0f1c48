-- The used part of the rate of endpoint $1, locked until the end of the transaction.
SELECT state FROM budget WHERE endpoint = $1 FOR UPDATE;
