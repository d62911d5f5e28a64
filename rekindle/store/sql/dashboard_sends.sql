-- name: sends_newest
-- One page of a shop's sends, newest enrolment first; ids are made of time.
-- in:    :buckets int[], :shop_id bigint, :step text, :after_id uuid, :n int
-- out:   SendLine columns      0..n rows
-- locks: none      index: sends_pkey (bucket, id), monthly partitions
-- scope: fanout (the list shows all buckets of a shop)
SELECT bucket, id, step, channel, flow_id, enrolment_id, shopper_id, cart_bucket, cart_id, planned_at
FROM sends
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s
  AND (%(step)s::text IS NULL OR step = %(step)s)
  AND (%(after_id)s::uuid IS NULL OR id < %(after_id)s::uuid)
ORDER BY id DESC
LIMIT %(n)s;

-- name: sends_in_outbox
-- One page of a shop's sends that lie in the outbox in one of these states, newest enrolment first.
-- in:    :buckets int[], :shop_id bigint, :states text[], :step text, :after_id uuid, :n int
-- out:   SendLine columns      0..n rows
-- locks: none      index: outbox is narrow and short; sends_pkey
-- scope: fanout (the list shows all buckets of a shop)
SELECT s.bucket, s.id, s.step, s.channel, s.flow_id, s.enrolment_id, s.shopper_id, s.cart_bucket, s.cart_id, s.planned_at
FROM outbox o JOIN sends s ON s.bucket = o.bucket AND s.id = o.id
WHERE o.bucket = ANY(%(buckets)s) AND o.shop_id = %(shop_id)s AND o.state = ANY(%(states)s)
  AND (%(step)s::text IS NULL OR s.step = %(step)s)
  AND (%(after_id)s::uuid IS NULL OR o.id < %(after_id)s::uuid)
ORDER BY o.id DESC
LIMIT %(n)s;

-- name: sends_with_event
-- One page of a shop's sends to which something of these kinds happened, newest enrolment first.
-- in:    :buckets int[], :shop_id bigint, :kinds text[], :step text, :after_id uuid, :n int
-- out:   SendLine columns      0..n rows
-- locks: none      index: sends_pkey, send_events_send
-- scope: fanout (the list shows all buckets of a shop)
SELECT s.bucket, s.id, s.step, s.channel, s.flow_id, s.enrolment_id, s.shopper_id, s.cart_bucket, s.cart_id, s.planned_at
FROM sends s
WHERE s.bucket = ANY(%(buckets)s) AND s.shop_id = %(shop_id)s
  AND (%(step)s::text IS NULL OR s.step = %(step)s)
  AND (%(after_id)s::uuid IS NULL OR s.id < %(after_id)s::uuid)
  AND EXISTS (SELECT 1 FROM send_events e
              WHERE e.bucket = s.bucket AND e.send_id = s.id AND e.kind = ANY(%(kinds)s))
ORDER BY s.id DESC
LIMIT %(n)s;

-- name: outbox_of_sends
-- Which of these sends still lie in the outbox, and how.
-- in:    :buckets int[], :send_ids uuid[]
-- out:   id, state, send_at, uncertain_at, attempts, account_id      0..n rows
-- locks: none      index: outbox_pkey
-- scope: fanout (one page of a shop's sends lies in many buckets)
SELECT id, state, send_at, uncertain_at, attempts, account_id
FROM outbox
WHERE bucket = ANY(%(buckets)s) AND id = ANY(%(send_ids)s);

-- name: events_of_sends
-- What happened to these sends, oldest first.
-- in:    :buckets int[], :send_ids uuid[]
-- out:   send_id, kind, at, reason, detail      0..n rows
-- locks: none      index: send_events_send
-- scope: fanout (one page of a shop's sends lies in many buckets)
SELECT send_id, kind, at, reason, detail
FROM send_events
WHERE bucket = ANY(%(buckets)s) AND send_id = ANY(%(send_ids)s)
ORDER BY at, id;

-- name: count_sends_in_outbox
-- How many of a shop's sends lie in the outbox, by state.
-- in:    :buckets int[], :shop_id bigint
-- out:   state, n      0..n rows
-- locks: none      index: none; the outbox holds only what waits
-- scope: fanout (the list shows all buckets of a shop)
SELECT state, count(*) AS n
FROM outbox
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s
GROUP BY state;

-- name: is_send_of_shop
-- Whether this send is one of the shop's.
-- in:    :bucket int, :id uuid, :shop_id bigint
-- out:   found boolean      1 row
-- locks: none      index: sends_pkey
SELECT EXISTS (SELECT 1 FROM sends WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s) AS found;
