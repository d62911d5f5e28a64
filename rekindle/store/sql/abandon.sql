-- name: claim_idle_carts
-- Lock at most :limit carts whose idle timer has rung, oldest first; never waits for another worker.
-- in:    :bucket int, :now timestamptz, :limit int
-- out:   id text, shop_id, state, stage, created_at, touched_at, check_at, shopper_bucket, shopper_id text, visitor_key,
--        is_empty bool, currency, total_cents      0..n rows
-- locks: carts rows, SKIP LOCKED      index: carts_check
SELECT c.id::text, c.shop_id, c.state, c.stage, c.created_at, c.touched_at, c.check_at, c.shopper_bucket,
  c.shopper_id::text, c.visitor_key,
  CASE WHEN c.stage = 'browse' THEN jsonb_array_length(c.views) = 0 ELSE jsonb_array_length(c.items) = 0 END,
  c.currency, c.total_cents
FROM carts c
WHERE c.bucket = %(bucket)s AND c.check_at <= %(now)s
ORDER BY c.check_at
LIMIT %(limit)s
FOR UPDATE OF c SKIP LOCKED;

-- name: carts_for_entry_filters
-- What entry filters may ask of some carts.
-- in:    :bucket int, :ids uuid[]
-- out:   id, items jsonb, facts jsonb      0..n rows
-- locks: none (the caller holds them)      index: carts_pkey
SELECT c.id::text, c.items, c.facts
FROM carts c
WHERE c.bucket = %(bucket)s AND c.id = ANY(%(ids)s::uuid[]);

-- name: carts_of_visitors
-- Where the visits of some visitors led to.
-- in:    :bucket int, :ids uuid[]
-- out:   id, cart_bucket, cart_id      0..n rows
-- locks: none      index: visitors_pkey
SELECT v.id::text, v.cart_bucket, v.cart_id::text
FROM visitors v
WHERE v.bucket = %(bucket)s AND v.id = ANY(%(ids)s::uuid[]) AND v.cart_id IS NOT NULL;

-- name: activity_of_carts
-- When carts were last touched.
-- in:    :bucket int, :ids uuid[]
-- out:   id, touched_at      0..n rows
-- locks: none      index: carts_pkey
SELECT c.id::text, c.touched_at
FROM carts c
WHERE c.bucket = %(bucket)s AND c.id = ANY(%(ids)s::uuid[]);

-- name: lock_shoppers_to_enrol
-- Take the locks that orders and sends take too, in id order, and read what enrolling asks of a shopper.
-- in:    :bucket int, :ids uuid[]
-- out:   id, country, locale, order_count, last_order_at, erased_at, objected_at      0..n rows
-- locks: shoppers rows      index: shoppers_pkey
SELECT s.id::text, s.country, s.locale, s.order_count, s.last_order_at, s.erased_at, s.objected_at
FROM shoppers s
WHERE s.bucket = %(bucket)s AND s.id = ANY(%(ids)s::uuid[])
ORDER BY s.id
FOR UPDATE OF s;

-- name: enrolments_of_shoppers
-- All runs of some shoppers, for the rules of re-entry; read after their locks were taken.
-- in:    :bucket int, :ids uuid[]
-- out:   shopper_id, flow_id, cart_id, abandoned_at, entered_at, is_running bool, id      0..n rows
-- locks: none (the caller holds the shoppers)      index: enrolments_shopper
SELECT e.shopper_id::text, e.flow_id, e.cart_id::text, e.abandoned_at, e.entered_at, e.state = 'waiting', e.id::text
FROM enrolments e
WHERE e.bucket = %(bucket)s AND e.shopper_id = ANY(%(ids)s::uuid[]);

-- name: settle_idle_carts
-- Give carts that share one finding their new state. Spans count
-- from each cart's own last activity; NULL: abandoned_at stays, the timer stops, the cart stays open.
-- in:    :bucket int, :ids uuid[], :state text, :abandoned_after interval, :check_after interval, :closed_at timestamptz
-- out:   nothing
-- locks: carts rows (held by the caller)      index: carts_pkey
UPDATE carts c
SET state = %(state)s,
  abandoned_at = coalesce(c.touched_at + %(abandoned_after)s::interval, c.abandoned_at),
  check_at = c.touched_at + %(check_after)s::interval,
  closed_at = %(closed_at)s::timestamptz,
  seq = c.seq + 1
WHERE c.bucket = %(bucket)s AND c.id = ANY(%(ids)s::uuid[]);

-- name: end_enrolments_of_carts
-- End the runs of carts that were given up or emptied.
-- in:    :bucket int, :ids uuid[], :reason text, :now timestamptz
-- out:   id, shop_id, cart_id, shopper_id, step      0..n rows
-- locks: enrolments rows in id order      index: enrolments_cart
WITH held AS MATERIALIZED (
  SELECT id FROM enrolments
  WHERE bucket = %(bucket)s AND cart_id = ANY(%(ids)s::uuid[]) AND state = 'waiting'
  ORDER BY id FOR UPDATE
)
UPDATE enrolments e
SET state = 'exited', exit_reason = %(reason)s, due_at = NULL, ended_at = %(now)s
FROM held h
WHERE e.bucket = %(bucket)s AND e.id = h.id
RETURNING e.id, e.shop_id, e.cart_id, e.shopper_id, e.step;

-- name: end_enrolments
-- End these runs, where they still wait.
-- in:    :bucket int, :ids uuid[], :reason text, :now timestamptz
-- out:   id, shop_id, cart_id, shopper_id, step      0..n rows
-- locks: enrolments rows in id order (the caller holds the shoppers)      index: enrolments_pkey
WITH held AS MATERIALIZED (
  SELECT id FROM enrolments
  WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) AND state = 'waiting'
  ORDER BY id FOR UPDATE
)
UPDATE enrolments e
SET state = 'exited', exit_reason = %(reason)s, due_at = NULL, ended_at = %(now)s
FROM held h
WHERE e.bucket = %(bucket)s AND e.id = h.id
RETURNING e.id, e.shop_id, e.cart_id, e.shopper_id, e.step;

-- name: copy_enrolments
-- Add runs. An id that exists already makes the whole batch fail: ask existing_enrolments first.
-- in:    rows by COPY, binary
-- out:   nothing
-- locks: none      index: enrolments_pkey
COPY enrolments (bucket, id, shop_id, flow_id, flow_version_id, cart_bucket, cart_id, shopper_id, arm, state, exit_reason, step, due_at, abandoned_at, entered_at, step_at, ended_at) FROM STDIN (FORMAT binary);

-- name: copy_exposures
-- Add the holdout assignment of runs.
-- in:    rows by COPY, binary
-- out:   nothing
-- locks: none      index: exposures_pkey
COPY exposures (bucket, id, shop_id, experiment_key, variant, probability, at, shopper_id, enrolment_id, cart_id) FROM STDIN (FORMAT binary);

-- name: existing_enrolments
-- Which of these runs exist already: a cart that went to another shopper may have been here before.
-- in:    :bucket int, :ids uuid[]
-- out:   id text, 32 digits      0..n rows
-- locks: none      index: enrolments_pkey
SELECT replace(e.id::text, '-', '')
FROM enrolments e
WHERE e.bucket = %(bucket)s AND e.id = ANY(%(ids)s::uuid[]);
