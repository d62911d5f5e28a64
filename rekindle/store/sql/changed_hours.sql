-- Which hours have to be counted again: noted in the transaction that changes something old, dropped when it is counted.

-- name: note_changed_hours
-- Something of these hours changed.
-- in:    :bucket int, :shop_id bigint, :hours timestamptz[]
-- out:   nothing
-- locks: none      index: changed_hours_pkey
INSERT INTO changed_hours (bucket, id, shop_id, hour)
SELECT %(bucket)s::int, gen_random_uuid(), %(shop_id)s::bigint, h.hour FROM unnest(%(hours)s::timestamptz[]) AS h (hour);

-- name: note_hours_of_sends
-- Something old became known of these sends: the hours of their runs, and those in which they were handed over.
-- in:    :bucket int, :send_ids uuid[]
-- out:   nothing
-- locks: none      index: sends_pkey, enrolments_pkey, send_events_send
INSERT INTO changed_hours (bucket, id, shop_id, hour)
SELECT %(bucket)s, gen_random_uuid(), f.shop_id, f.hour
FROM (
  SELECT n.shop_id, date_bin('1 hour', n.abandoned_at, '2000-01-01T00:00:00Z') AS hour
  FROM sends s JOIN enrolments n ON n.bucket = %(bucket)s AND n.id = s.enrolment_id
  WHERE s.bucket = %(bucket)s AND s.id = ANY(%(send_ids)s::uuid[])
  UNION
  SELECT v.shop_id, date_bin('1 hour', v.at, '2000-01-01T00:00:00Z')
  FROM send_events v
  WHERE v.bucket = %(bucket)s AND v.send_id = ANY(%(send_ids)s::uuid[])
) f;

-- name: hours_of_recent_send_events
-- To which hours does what became known of sends since an instant belong? The hours of their runs, and those in which
-- they were handed over.
-- in:    :buckets int[], :since_id uuid, :kinds text[]
-- out:   shop_id, hour      0..n rows
-- locks: none      index: send_events_pkey (newest days), sends_pkey, enrolments_pkey, send_events_send
-- scope: fanout (one sweep over all buckets instead of one for each quiet shop)
WITH told AS MATERIALIZED (
  SELECT DISTINCT bucket, send_id FROM send_events
  WHERE bucket = ANY(%(buckets)s::int[]) AND id >= %(since_id)s AND kind = ANY(%(kinds)s::text[])
)
SELECT n.shop_id, date_bin('1 hour', n.abandoned_at, '2000-01-01T00:00:00Z') AS hour
FROM told t
JOIN sends s ON s.bucket = t.bucket AND s.id = t.send_id
JOIN enrolments n ON n.bucket = s.bucket AND n.id = s.enrolment_id
UNION
SELECT v.shop_id, date_bin('1 hour', v.at, '2000-01-01T00:00:00Z')
FROM told t JOIN send_events v ON v.bucket = t.bucket AND v.send_id = t.send_id
WHERE v.kind = 'handed_over';

-- name: changed_hours
-- What was noted and is not counted yet.
-- in:    :buckets int[], :limit int
-- out:   bucket, id, shop_id, hour      0..n rows
-- locks: none      index: changed_hours_pkey (short: emptied every few seconds)
-- scope: fanout (one sweep over all buckets)
SELECT bucket, id, shop_id, hour FROM changed_hours WHERE bucket = ANY(%(buckets)s::int[]) LIMIT %(limit)s;

-- name: drop_changed_hours
-- These are counted.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: changed_hours rows      index: changed_hours_pkey
DELETE FROM changed_hours WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);
