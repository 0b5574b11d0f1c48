-- The attempts of an export as events of the Open Cybersecurity Schema Framework (OCSF 1.3, class
-- API Activity), one JSON object a line, for a SIEM. In the folder data of an export, with DuckDB:
--
--   duckdb audit.duckdb < load.sql
--   duckdb audit.duckdb < ocsf.sql > attempts.ocsf.json
COPY (
    SELECT
        6 AS category_uid,
        6003 AS class_uid,
        4 AS activity_id,                       -- Delete: an order is cancelled
        600304 AS type_uid,
        1 AS severity_id,                       -- Informational
        epoch_ms(coalesce(attempts.sent_at, attempts.claimed_at)) AS "time",
        epoch_ms(attempts.sent_at) AS start_time,
        epoch_ms(attempts.ended_at) AS end_time,
        CASE
            WHEN verdict IN ('cancelled', 'already_cancelled') THEN 1   -- Success
            WHEN verdict IN ('rejected', 'refused', 'not_done', 'stop') THEN 2   -- Failure
            ELSE 0                              -- Unknown: an answer was lost, or is not there yet
        END AS status_id,
        nullif(attempts.error_code, '') AS status_code,
        nullif(attempts.message, '') AS status_detail,
        {
            'version': '1.3.0',
            'uid': concat_ws('-', attempts.run, attempts."row", attempts.attempt),
            'product': { 'name': 'cardcancel', 'version': runs.program }
        } AS metadata,
        { 'user': { 'name': attempts."by" }, 'session': { 'uid': attempts.run } } AS actor,
        { 'operation': attempts.operation, 'service': { 'name': 'CoreCARD' } } AS api,
        { 'hostname': attempts.host } AS src_endpoint,
        { 'url': { 'url_string': attempts.endpoint } } AS http_request,
        { 'code': attempts.http_status } AS http_response,
        [{
            'type': 'physical card order',
            'uid': concat_ws('/', attempts.admin_number, attempts.card_sequence_number)
        }] AS resources
    FROM attempts JOIN runs ON runs.run = attempts.run
    ORDER BY attempts.run, attempts."row", attempts.attempt
) TO '/dev/stdout' (FORMAT json);
