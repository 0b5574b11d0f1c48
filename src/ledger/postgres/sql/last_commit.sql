-- The last commit of worker $1 that was committed, and the number under which it goes on. Who
-- has this lock knows that no earlier try of a commit of its own is still under way.
SELECT commit, coalesce(followed_by, number) FROM worker WHERE number = $1 FOR UPDATE;
