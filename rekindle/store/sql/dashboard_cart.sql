-- name: cart_of_page
-- One cart of a shop, whole.
-- in:    :bucket int, :shop_id bigint, :id uuid
-- out:   CartPage columns      0..1 rows
-- locks: none      index: carts_pkey
SELECT bucket, id, cart_key, state, stage, items, currency, total_cents, created_at, touched_at, check_at,
       abandoned_at, closed_at, visitor_key, shopper_bucket, shopper_id, order_key, checkout_key, recover_url, facts
FROM carts
WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s;

-- name: shopper_of_page
-- One shopper of a shop, whole.
-- in:    :bucket int, :shop_id bigint, :id uuid
-- out:   ShopperPage columns      0..1 rows
-- locks: none      index: shoppers_pkey
SELECT bucket, id, customer_key, first_name, last_name, locale, country, timezones, gpc, first_seen_at, seen_at,
       last_order_at, order_count, spent_cents, opted_out_at, erased_at
FROM shoppers
WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s;

-- name: contacts_of_page
-- A shopper's addresses with their consent and whether they are suppressed.
-- in:    :bucket int, :shop_id bigint, :shopper_id uuid
-- out:   ContactLine columns      0..n rows
-- locks: none      index: contact_points_shopper, suppressions_pkey
SELECT c.id, c.channel,
       CASE WHEN c.channel = 'push' AND c.address <> ''
         THEN coalesce('browser by ' || nullif(split_part(c.address, '/', 3), ''), 'app')
         ELSE c.address END AS address,
       c.consent, c.consent_at, c.consent_wording, c.created_at,
       x.reason AS suppressed_for, x.at AS suppressed_at
FROM contact_points c
LEFT JOIN suppressions x ON x.bucket = c.bucket AND x.shop_id = c.shop_id AND x.channel = c.channel
  AND x.address_hash = c.address_hash
WHERE c.bucket = %(bucket)s AND c.shopper_id = %(shopper_id)s AND c.shop_id = %(shop_id)s
ORDER BY c.channel, c.created_at;

-- name: events_of_page
-- The newest events of a cart.
-- in:    :bucket int, :cart_id uuid, :n int
-- out:   id, kind, name, at      0..n rows
-- locks: none      index: events_cart
SELECT id, kind, name, at
FROM events
WHERE bucket = %(bucket)s AND cart_id = %(cart_id)s
ORDER BY at DESC, id DESC
LIMIT %(n)s;

-- name: order_of_page
-- An order with what the rule gives it to.
-- in:    :bucket int, :id uuid, :rule text
-- out:   OrderPage columns      0..1 rows
-- locks: none      index: orders_pkey
SELECT o.order_key, o.state, o.currency, o.total_cents, o.refunded_cents, o.ordered_at, o.matched_by,
       a.send_id, a.touched_at, a.net_cents
FROM orders o
LEFT JOIN attributions a ON a.bucket = o.bucket AND a.order_id = o.id AND a.rule = %(rule)s
WHERE o.bucket = %(bucket)s AND o.id = %(id)s;

-- name: enrolments_of_page
-- A cart's runs through flows, oldest first.
-- in:    :buckets int[], :cart_id uuid
-- out:   EnrolmentLine columns      0..n rows
-- locks: none      index: enrolments_cart
-- scope: fanout (a cart may have changed its shopper; each run lies with the shopper it was for)
SELECT e.bucket, e.id, e.flow_id, e.arm, e.state, e.exit_reason, e.step, e.due_at, e.abandoned_at, e.entered_at,
       e.ended_at
FROM enrolments e
WHERE e.bucket = ANY(%(buckets)s) AND e.cart_id = %(cart_id)s
ORDER BY e.entered_at, e.id;

-- name: sends_of_page
-- A cart's sends, oldest first.
-- in:    :buckets int[], :cart_id uuid
-- out:   SendLine columns      0..n rows
-- locks: none      index: sends_cart
-- scope: fanout (a cart may have changed its shopper; each send lies with the shopper it was for)
SELECT bucket, id, step, channel, flow_id, enrolment_id, shopper_id, cart_bucket, cart_id, planned_at
FROM sends
WHERE bucket = ANY(%(buckets)s) AND cart_id = %(cart_id)s
ORDER BY planned_at, id;

-- name: decisions_of_page
-- Every verdict about a cart, oldest first, at most n.
-- in:    :buckets int[], :cart_id uuid, :n int
-- out:   DecisionLine columns      0..n rows
-- locks: none      index: decisions_cart
-- scope: fanout (verdicts lie with the cart or with the shopper's runs)
SELECT id, at, question, outcome, reason, retry_at, step, evidence, send_id, enrolment_id
FROM decisions
WHERE bucket = ANY(%(buckets)s) AND cart_id = %(cart_id)s
ORDER BY at, id
LIMIT %(n)s;

-- name: cart_for_preview
-- The newest cart of a shop that has items with prices.
-- in:    :buckets int[], :shop_id bigint
-- out:   items, currency, total_cents      0..1 rows
-- locks: none      index: carts_created
-- scope: fanout (the newest cart of a shop lies in any of its buckets)
SELECT items, currency, total_cents
FROM carts
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND stage <> 'browse' AND total_cents > 0
  AND jsonb_array_length(items) > 0
ORDER BY created_at DESC
LIMIT 1;
