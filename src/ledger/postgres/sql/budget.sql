-- What is spent of the rate of endpoint $1, locked until the commit is over.
SELECT state FROM budget WHERE endpoint = $1 FOR UPDATE;
