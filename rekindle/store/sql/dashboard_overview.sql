-- name: overview_revenue_by_day
-- Revenue that the rule gives to a send, per local day and currency: sums of attributions, labelled rule:currency.
-- in:    :bucket int, :shop_id bigint, :rule text, :since timestamptz, :until timestamptz, :timezone text
-- out:   day date, currency, order_count, net_cents      0..n rows
-- locks: none      index: rollups_pkey
SELECT (hour AT TIME ZONE %(timezone)s)::date AS day, split_part(label, ':', 2) AS currency,
       sum(n)::bigint AS order_count, sum(total)::bigint AS net_cents
FROM rollups
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND metric = 'orders_recovered'
  AND label LIKE %(rule)s || ':%%' AND hour >= %(since)s AND hour < %(until)s
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: overview_sums
-- What these metrics add up to since an instant, by label.
-- in:    :bucket int, :shop_id bigint, :metrics text[], :since timestamptz
-- out:   metric, label, n      0..n rows
-- locks: none      index: rollups_pkey
SELECT metric, label, sum(n)::bigint AS n
FROM rollups
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND metric = ANY(%(metrics)s) AND hour >= %(since)s
GROUP BY metric, label;

-- name: overview_carts_now
-- What is open and abandoned now, whenever it began; labelled state:currency.
-- in:    :bucket int, :shop_id bigint
-- out:   label, n, total      0..n rows
-- locks: none      index: rollups_pkey
SELECT label, sum(n)::bigint AS n, sum(total)::bigint AS total
FROM rollups
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND metric = 'carts_now'
GROUP BY label;

-- name: overview_any_cart
-- Has the shop ever told of a cart?
-- in:    :buckets int[], :shop_id bigint
-- out:   found boolean      1 row
-- locks: none      index: carts_created
-- scope: fanout (the overview looks into all buckets of a shop)
SELECT EXISTS (
  SELECT 1 FROM carts WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND stage <> 'browse') AS found;

-- name: overview_waiting_sends
-- Sends that wait for their time, and those put off with the reason of the latest verdict still to come.
-- in:    :buckets int[], :shop_id bigint
-- out:   n      1 row
-- locks: none      index: outbox_shop_due
-- scope: fanout (the overview adds up all buckets of a shop)
SELECT count(*) AS n
FROM outbox
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND state = 'scheduled';

-- name: latest_recovered_orders
-- The newest orders that the rule gives to a send.
-- in:    :buckets int[], :shop_id bigint, :rule text, :n int
-- out:   bucket, order_id, order_key, ordered_at, currency, net_cents, touched_at, cart_bucket, cart_id,
--        shopper_bucket, shopper_id      0..n rows
-- locks: none      index: attributions_ordered, orders_pkey
-- scope: fanout (the overview looks into all buckets of a shop)
SELECT a.bucket, a.order_id, o.order_key, a.ordered_at, a.currency, a.net_cents, a.touched_at,
       o.cart_bucket, o.cart_id, o.shopper_bucket, o.shopper_id
FROM attributions a JOIN orders o ON o.bucket = a.bucket AND o.id = a.order_id
WHERE a.bucket = ANY(%(buckets)s) AND a.shop_id = %(shop_id)s AND a.rule = %(rule)s AND a.send_id IS NOT NULL
ORDER BY a.ordered_at DESC, a.id DESC
LIMIT %(n)s;
