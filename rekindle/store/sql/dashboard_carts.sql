-- name: carts_newest
-- One page of a shop's carts, newest first. A NULL parameter filters nothing; browse visits only when asked for.
-- in:    :buckets int[], :shop_id bigint, :states text[], :stages text[], :since timestamptz, :least_cents bigint,
--        :known boolean, :cart_ids uuid[], :shopper_ids uuid[], :after timestamptz, :after_id uuid, :n int
-- out:   CartLine columns      0..n rows
-- locks: none      index: carts_created
-- scope: fanout (the list shows all buckets of a shop)
SELECT bucket, id, cart_key, state, stage, currency, total_cents, created_at, touched_at, abandoned_at,
       shopper_bucket, shopper_id, order_key, jsonb_array_length(items) AS line_count,
       jsonb_path_query_array(items, '$[0 to 3]') AS first_items
FROM carts
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s
  AND state = ANY(%(states)s) AND stage = ANY(%(stages)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(least_cents)s::bigint IS NULL OR total_cents >= %(least_cents)s)
  AND (%(known)s::boolean IS NULL OR (shopper_id IS NOT NULL) = %(known)s)
  AND (%(cart_ids)s::uuid[] IS NULL OR id = ANY(%(cart_ids)s) OR shopper_id = ANY(%(shopper_ids)s::uuid[]))
  AND (%(after_id)s::uuid IS NULL OR (created_at, id) < (%(after)s::timestamptz, %(after_id)s::uuid))
ORDER BY created_at DESC, id DESC
LIMIT %(n)s;

-- name: carts_last_active
-- One page of a shop's carts, the latest activity first. A NULL parameter filters nothing.
-- in:    :buckets int[], :shop_id bigint, :states text[], :stages text[], :since timestamptz, :least_cents bigint,
--        :known boolean, :cart_ids uuid[], :shopper_ids uuid[], :after timestamptz, :after_id uuid, :n int
-- out:   CartLine columns      0..n rows
-- locks: none      index: carts_created (bucket and shop); activity is kept out of every index on purpose
-- scope: fanout (the list shows all buckets of a shop)
SELECT bucket, id, cart_key, state, stage, currency, total_cents, created_at, touched_at, abandoned_at,
       shopper_bucket, shopper_id, order_key, jsonb_array_length(items) AS line_count,
       jsonb_path_query_array(items, '$[0 to 3]') AS first_items
FROM carts
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s
  AND state = ANY(%(states)s) AND stage = ANY(%(stages)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(least_cents)s::bigint IS NULL OR total_cents >= %(least_cents)s)
  AND (%(known)s::boolean IS NULL OR (shopper_id IS NOT NULL) = %(known)s)
  AND (%(cart_ids)s::uuid[] IS NULL OR id = ANY(%(cart_ids)s) OR shopper_id = ANY(%(shopper_ids)s::uuid[]))
  AND (%(after_id)s::uuid IS NULL OR (touched_at, id) < (%(after)s::timestamptz, %(after_id)s::uuid))
ORDER BY touched_at DESC, id DESC
LIMIT %(n)s;

-- name: carts_most_valuable
-- One page of a shop's carts, the highest value first. A NULL parameter filters nothing.
-- in:    :buckets int[], :shop_id bigint, :states text[], :stages text[], :since timestamptz, :least_cents bigint,
--        :known boolean, :cart_ids uuid[], :shopper_ids uuid[], :after bigint, :after_id uuid, :n int
-- out:   CartLine columns      0..n rows
-- locks: none      index: carts_created (bucket and shop)
-- scope: fanout (the list shows all buckets of a shop)
SELECT bucket, id, cart_key, state, stage, currency, total_cents, created_at, touched_at, abandoned_at,
       shopper_bucket, shopper_id, order_key, jsonb_array_length(items) AS line_count,
       jsonb_path_query_array(items, '$[0 to 3]') AS first_items
FROM carts
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s
  AND state = ANY(%(states)s) AND stage = ANY(%(stages)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(least_cents)s::bigint IS NULL OR total_cents >= %(least_cents)s)
  AND (%(known)s::boolean IS NULL OR (shopper_id IS NOT NULL) = %(known)s)
  AND (%(cart_ids)s::uuid[] IS NULL OR id = ANY(%(cart_ids)s) OR shopper_id = ANY(%(shopper_ids)s::uuid[]))
  AND (%(after_id)s::uuid IS NULL OR (total_cents, id) < (%(after)s::bigint, %(after_id)s::uuid))
ORDER BY total_cents DESC, id DESC
LIMIT %(n)s;

-- name: next_steps_of_carts
-- The running enrolments of these carts: what comes next, and when.
-- in:    :buckets int[], :cart_ids uuid[]
-- out:   cart_id, arm, step, due_at      0..n rows
-- locks: none      index: enrolments_cart
-- scope: fanout (the shoppers of one page of carts lie in many buckets)
SELECT cart_id, arm, step, due_at
FROM enrolments
WHERE bucket = ANY(%(buckets)s) AND cart_id = ANY(%(cart_ids)s) AND state = 'waiting';

-- name: planned_sends_of_carts
-- The sends of these carts that still wait in the outbox.
-- in:    :buckets int[], :cart_ids uuid[]
-- out:   cart_id, step, state, send_at      0..n rows
-- locks: none      index: sends_cart, outbox_pkey
-- scope: fanout (the shoppers of one page of carts lie in many buckets)
SELECT s.cart_id, s.step, o.state, o.send_at
FROM sends s JOIN outbox o ON o.bucket = s.bucket AND o.id = s.id
WHERE s.bucket = ANY(%(buckets)s) AND s.cart_id = ANY(%(cart_ids)s);

-- name: cart_of_order
-- Which cart an order was made from.
-- in:    :bucket int, :order_id uuid
-- out:   cart_id uuid or NULL      0..1 rows
-- locks: none      index: orders_pkey
SELECT cart_id
FROM orders
WHERE bucket = %(bucket)s AND id = %(order_id)s;

-- name: shopper_of_contact
-- Whose address this is.
-- in:    :bucket int, :contact_id uuid
-- out:   shopper_id      0..1 rows
-- locks: none      index: contact_points_pkey
SELECT shopper_id
FROM contact_points
WHERE bucket = %(bucket)s AND id = %(contact_id)s;

-- name: shoppers_by_id
-- Names and addresses of these shoppers, one row an address that people read; a shopper without has one row.
-- in:    :buckets int[], :shopper_ids uuid[]
-- out:   id, first_name, last_name, erased_at, channel, address      0..n rows
-- locks: none      index: shoppers_pkey, contact_points_shopper
-- scope: fanout (the shoppers of one page of carts lie in many buckets)
SELECT s.id, s.first_name, s.last_name, s.erased_at, c.channel, c.address
FROM shoppers s LEFT JOIN contact_points c ON c.bucket = s.bucket AND c.shopper_id = s.id
  AND c.channel <> 'push'
WHERE s.bucket = ANY(%(buckets)s) AND s.id = ANY(%(shopper_ids)s)
ORDER BY s.id, c.channel, c.created_at;
