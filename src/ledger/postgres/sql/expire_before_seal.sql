-- Before run $1 is sealed: its workers whose leases have expired are no longer at work, unless a
-- call is in flight, or another worker goes on with the run. If one of them goes on, it does so
-- under another number. One that is renewing its lease now has not expired.
UPDATE worker SET at_work = false, left_behind = true
WHERE number IN (
    SELECT number FROM worker
    WHERE run = $1 AND at_work AND leased_until < clock_timestamp()
      AND NOT EXISTS (SELECT FROM open_row WHERE open_row.run = $1 AND in_flight)
      AND NOT EXISTS (SELECT FROM worker AS other
                      WHERE other.run = $1 AND other.at_work
                        AND other.leased_until >= clock_timestamp())
    FOR UPDATE OF worker SKIP LOCKED);
