-- The last commit of worker $1, and the number under which it continues. With this lock held, no
-- earlier attempt of a commit of the worker is still in progress.
SELECT commit, coalesce(followed_by, number) FROM worker WHERE number = $1 FOR UPDATE;
