-- Requests about personal data: in the shop's base bucket, each with a history that is only added to.

-- name: add_privacy_request
-- A request that came in; nothing when it is there already (the same one told again).
-- in:    :bucket int, :id uuid, :shop_id bigint, :kind text, :state text, :source text, :regions text, :subjects jsonb,
--        :customer_key text, :note text, :shopper_bucket int, :shopper_id uuid, :received_at timestamptz,
--        :due_at timestamptz, :acknowledge_by timestamptz, :escalate_at timestamptz
-- out:   id      1 row when it is new
-- locks: none      index: privacy_requests_pkey
INSERT INTO privacy_requests (bucket, id, shop_id, kind, state, source, regions, subjects, customer_key, note,
  shopper_bucket, shopper_id, received_at, due_at, acknowledge_by, escalate_at)
VALUES (%(bucket)s::int, %(id)s, %(shop_id)s, %(kind)s, %(state)s, %(source)s, %(regions)s, %(subjects)s,
  %(customer_key)s, %(note)s, %(shopper_bucket)s, %(shopper_id)s, %(received_at)s, %(due_at)s, %(acknowledge_by)s,
  %(escalate_at)s)
ON CONFLICT (bucket, id) DO NOTHING
RETURNING id;

-- name: load_privacy_request
-- One request as it is.
-- in:    :bucket int, :id uuid, :shop_id bigint
-- out:   PrivacyRequest columns      0..1 row
-- locks: none      index: privacy_requests_pkey
SELECT bucket, id, shop_id, kind, state, source, regions, subjects, customer_key, note, shopper_bucket, shopper_id,
  received_at, due_at, acknowledge_by, acknowledged_at, escalate_at, escalated_at, extended_at, closed_at
FROM privacy_requests
WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s;

-- name: hold_privacy_request
-- One request, held until the transaction ends: two people do not take the same step.
-- in:    :bucket int, :id uuid, :shop_id bigint
-- out:   PrivacyRequest columns      0..1 row
-- locks: privacy_requests row      index: privacy_requests_pkey
SELECT bucket, id, shop_id, kind, state, source, regions, subjects, customer_key, note, shopper_bucket, shopper_id,
  received_at, due_at, acknowledge_by, acknowledged_at, escalate_at, escalated_at, extended_at, closed_at
FROM privacy_requests
WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s
FOR UPDATE;

-- name: list_privacy_requests
-- A shop's requests, open ones by their date first, then closed ones, newest first. NULL filters take all.
-- in:    :bucket int, :shop_id bigint, :kind text, :is_open boolean, :limit int
-- out:   PrivacyRequest columns      0..n rows
-- locks: none      index: privacy_requests_received, privacy_requests_open
SELECT bucket, id, shop_id, kind, state, source, regions, subjects, customer_key, note, shopper_bucket, shopper_id,
  received_at, due_at, acknowledge_by, acknowledged_at, escalate_at, escalated_at, extended_at, closed_at
FROM privacy_requests
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s
  AND (%(kind)s::text IS NULL OR kind = %(kind)s::text)
  AND (%(is_open)s::boolean IS NULL OR (closed_at IS NULL) = %(is_open)s::boolean)
ORDER BY closed_at IS NOT NULL, CASE WHEN closed_at IS NULL THEN due_at END, received_at DESC, id
LIMIT %(limit)s;

-- name: change_privacy_request
-- What a step changed.
-- in:    :bucket int, :id uuid, :state text, :due_at timestamptz, :acknowledged_at timestamptz,
--        :extended_at timestamptz, :closed_at timestamptz
-- out:   nothing
-- locks: privacy_requests row (held by the caller)      index: privacy_requests_pkey
UPDATE privacy_requests SET state = %(state)s, due_at = %(due_at)s, acknowledged_at = %(acknowledged_at)s,
  extended_at = %(extended_at)s, closed_at = %(closed_at)s
WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: add_privacy_event
-- A line of a request's history.
-- in:    :bucket int, :id uuid, :shop_id bigint, :request_id uuid, :at timestamptz, :what text, :by text, :detail jsonb
-- out:   nothing
-- locks: none      index: privacy_events_pkey
INSERT INTO privacy_events (bucket, id, shop_id, request_id, at, what, by, detail)
VALUES (%(bucket)s::int, %(id)s, %(shop_id)s, %(request_id)s, %(at)s, %(what)s, %(by)s, %(detail)s)
ON CONFLICT (bucket, id) DO NOTHING;

-- name: privacy_history
-- The history of a request, oldest first.
-- in:    :bucket int, :request_id uuid
-- out:   at, what, by, detail      0..n rows
-- locks: none      index: privacy_events_request
SELECT at, what, by, detail
FROM privacy_events
WHERE bucket = %(bucket)s AND request_id = %(request_id)s
ORDER BY at, id;

-- name: privacy_attention
-- How many of a shop's open requests wait, how many of them for too long, and the nearest date.
-- in:    :bucket int, :shop_id bigint, :now timestamptz
-- out:   open_count int, escalated_count int, overdue_count int, next_due_at      1 row
-- locks: none      index: privacy_requests_open
SELECT count(*)::int AS open_count,
  count(*) FILTER (WHERE escalate_at <= %(now)s)::int AS escalated_count,
  count(*) FILTER (WHERE due_at < %(now)s OR (acknowledged_at IS NULL AND acknowledge_by < %(now)s))::int
    AS overdue_count,
  min(due_at) AS next_due_at
FROM privacy_requests
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND closed_at IS NULL;

-- name: privacy_waiting
-- Open requests of all shops: for the metrics.
-- in:    :buckets int[], :now timestamptz
-- out:   open_count int, escalated_count int, overdue_count int      1 row
-- locks: none      index: privacy_requests_open
-- scope: fanout (metrics look at all buckets)
SELECT count(*)::int AS open_count,
  count(*) FILTER (WHERE escalate_at <= %(now)s)::int AS escalated_count,
  count(*) FILTER (WHERE due_at < %(now)s OR (acknowledged_at IS NULL AND acknowledge_by < %(now)s))::int
    AS overdue_count
FROM privacy_requests
WHERE bucket = ANY(%(buckets)s::int[]) AND closed_at IS NULL;

-- name: escalate_privacy_requests
-- Requests that have been open for too long and were not escalated yet are, once.
-- in:    :bucket int, :shop_id bigint, :now timestamptz
-- out:   id      0..n rows
-- locks: privacy_requests rows      index: privacy_requests_open
UPDATE privacy_requests SET escalated_at = %(now)s
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND closed_at IS NULL AND escalated_at IS NULL
  AND escalate_at <= %(now)s
RETURNING id;
