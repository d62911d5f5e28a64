-- Orders: what is known of them, and what they change before their report is acknowledged.

-- name: add_orders
-- Make room for orders that are not known yet; :rows are whole orders.
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: none      index: orders_pkey
INSERT INTO orders (bucket, id, shop_id, order_key, state, currency, total_cents, refunded_cents, ordered_at, received_at,
  matched_by, coupons, items, facts)
SELECT %(bucket)s::int, r.id, r.shop_id, r.order_key, r.state, r.currency, 0, 0, r.ordered_at, r.received_at, '', '[]', '[]',
  '{}'
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, shop_id bigint, order_key text, state text, currency text, ordered_at timestamptz, received_at timestamptz)
ORDER BY r.id
ON CONFLICT (bucket, id) DO NOTHING;

-- name: lock_orders
-- Orders as they are, held until the transaction ends.
-- in:    :bucket int, :ids uuid[]
-- out:   the columns of an order      0..n rows
-- locks: orders rows in id order      index: orders_pkey
SELECT bucket, id, shop_id, order_key, ordered_at, received_at, currency, state, total_cents, refunded_cents,
  cart_bucket, cart_id, shopper_bucket, shopper_id, matched_by, coupons, items, facts
FROM orders
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[])
ORDER BY id
FOR UPDATE;

-- name: write_orders
-- What is known of orders now; the caller holds them.
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: orders rows (held by the caller)      index: orders_pkey
UPDATE orders o SET
  state = r.state, currency = r.currency, total_cents = r.total_cents, refunded_cents = r.refunded_cents,
  ordered_at = r.ordered_at, received_at = r.received_at, cart_bucket = r.cart_bucket, cart_id = r.cart_id,
  shopper_bucket = r.shopper_bucket, shopper_id = r.shopper_id, matched_by = r.matched_by, coupons = r.coupons,
  items = r.items, facts = r.facts
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, state text, currency text, total_cents bigint, refunded_cents bigint, ordered_at timestamptz,
  received_at timestamptz, cart_bucket int, cart_id uuid, shopper_bucket int, shopper_id uuid, matched_by text,
  coupons jsonb, items jsonb, facts jsonb)
WHERE o.bucket = %(bucket)s AND o.id = r.id;

-- name: meet_unknown_cart
-- Wait for whoever is adding this cart right now: a row of its key, taken away again in the same transaction.
-- in:    :bucket int, :id uuid, :shop_id bigint, :cart_key text, :at timestamptz
-- out:   id      0..1 rows; none when the cart exists by now
-- locks: carts row      index: carts_pkey
INSERT INTO carts (bucket, id, shop_id, cart_key, state, stage, items, total_cents, created_at, touched_at, views, facts,
  seq)
VALUES (%(bucket)s, %(id)s, %(shop_id)s, %(cart_key)s, 'open', 'cart', '[]', 0, %(at)s, %(at)s, '[]', '{}', 0)
ON CONFLICT (bucket, id) DO NOTHING
RETURNING id;

-- name: reached_carts
-- Which of these carts had a send that a provider took, or a link that was used, and since when?
-- in:    :bucket int, :cart_ids uuid[]
-- out:   cart_id, at      0..n rows
-- locks: none      index: sends_cart, send_events_send
SELECT s.cart_id, min(v.at) AS at
FROM sends s JOIN send_events v ON v.bucket = %(bucket)s AND v.send_id = s.id
WHERE s.bucket = %(bucket)s AND s.cart_id = ANY(%(cart_ids)s::uuid[])
  AND v.kind IN ('handed_over', 'delivered', 'clicked', 'restored', 'resent')
GROUP BY s.cart_id;

-- name: note_orders
-- What orders change about their shoppers; the caller holds them. :rows: one row a shopper.
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: shoppers rows (held by the caller)      index: shoppers_pkey
UPDATE shoppers s SET
  last_order_at = greatest(s.last_order_at, r.last_order_at),
  order_count = s.order_count + r.count_change,
  spent_cents = s.spent_cents + r.spent_change,
  traits = s.traits || r.notes,
  seq = s.seq + 1
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, last_order_at timestamptz, count_change int, spent_change bigint, notes jsonb)
WHERE s.bucket = %(bucket)s AND s.id = r.id;
