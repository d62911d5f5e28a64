-- Hourly sums of a shop, each counted from its source, and which products go together. Sums lie in the base bucket.

-- name: shops_with_news
-- Which shops had an event, a verdict or something about a send lately?
-- in:    :buckets int[], :since_id uuid
-- out:   shop_id      0..n rows
-- locks: none      index: primary keys, pruned to the newest days
-- scope: fanout (one sweep over all buckets instead of a count for each quiet shop)
SELECT shop_id FROM events WHERE bucket = ANY(%(buckets)s::int[]) AND id >= %(since_id)s
UNION
SELECT shop_id FROM decisions WHERE bucket = ANY(%(buckets)s::int[]) AND id >= %(since_id)s
UNION
SELECT shop_id FROM send_events WHERE bucket = ANY(%(buckets)s::int[]) AND id >= %(since_id)s;

-- name: carts_detected_by_hour
-- Carts and visits by the hour in which they began.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz
-- out:   label, hour, n, total, total_sq      0..n rows
-- locks: none      index: carts_created
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT CASE WHEN cart_key LIKE 'browse:%%' THEN 'browse' ELSE 'cart' END AS label,
  date_bin(%(bin)s::interval, created_at, '2000-01-01T00:00:00Z') AS hour, count(*) AS n, 0 AS total, 0 AS total_sq
FROM carts
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s
  AND created_at >= %(since)s AND created_at < %(until)s
GROUP BY 1, 2;

-- name: carts_abandoned_by_hour
-- Carts found abandoned, by the hour in which that was found. :reachable false: each abandonment counts, a later look
-- does not. true: those with a known shopper, also when who that is was only learnt before a later look. Total: what was
-- in them.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz, :since_id uuid, :until_id uuid,
--        :reachable bool
-- out:   label (stage:currency), hour, n, total, total_sq      0..n rows
-- locks: none      index: decisions_pkey, pruned to the days asked for
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT (evidence ->> 'stage') || ':' || coalesce(evidence ->> 'currency', '') AS label,
  date_bin(%(bin)s::interval, at, '2000-01-01T00:00:00Z') AS hour, count(*) AS n,
  coalesce(sum((evidence ->> 'total_cents')::bigint), 0) AS total,
  coalesce(sum((evidence ->> 'total_cents')::numeric ^ 2), 0)::numeric(38, 0) AS total_sq
FROM decisions
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s AND id >= %(since_id)s AND id < %(until_id)s
  AND at >= %(since)s AND at < %(until)s AND question = 'abandon'
  AND reason NOT IN ('CART_EMPTY', 'MOVED_TO_CART', 'CART_CLOSED', 'LOST', 'STILL_ACTIVE')
  AND CASE WHEN %(reachable)s::bool THEN shopper_id IS NOT NULL ELSE NOT evidence ? 'again' END
GROUP BY 1, 2;

-- name: sends_handed_over_by_hour
-- Messages that a provider took, by hour; a message counts once, at its first hand-over.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz, :since_id uuid, :until_id uuid,
--        :kinds text[]
-- out:   label (channel), hour, n, total, total_sq      0..n rows
-- locks: none      index: send_events_pkey, sends_pkey, send_events_send
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT s.channel AS label, date_bin(%(bin)s::interval, v.at, '2000-01-01T00:00:00Z') AS hour, count(DISTINCT v.send_id) AS n,
  0 AS total, 0 AS total_sq
FROM send_events v
JOIN sends s ON s.bucket = v.bucket AND s.id = v.send_id
WHERE v.bucket = ANY(%(buckets)s::int[]) AND v.shop_id = %(shop_id)s AND v.id >= %(since_id)s AND v.id < %(until_id)s
  AND v.at >= %(since)s AND v.at < %(until)s AND v.kind = ANY(%(kinds)s::text[])
  AND NOT EXISTS (
    SELECT 1 FROM send_events e
    WHERE e.bucket = v.bucket AND e.send_id = v.send_id AND e.kind = ANY(%(kinds)s::text[])
      AND e.at < date_bin(%(bin)s::interval, v.at, '2000-01-01T00:00:00Z'))
GROUP BY 1, 2;

-- name: orders_by_hour
-- Orders and what they brought after refunds; cancelled ones do not count.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz
-- out:   label (currency), hour, n, total, total_sq      0..n rows
-- locks: none      index: orders_ordered
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT currency AS label, date_bin(%(bin)s::interval, ordered_at, '2000-01-01T00:00:00Z') AS hour, count(*) AS n,
  sum(total_cents - refunded_cents)::bigint AS total,
  sum((total_cents - refunded_cents)::numeric ^ 2)::numeric(38, 0) AS total_sq
FROM orders
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s
  AND ordered_at >= %(since)s AND ordered_at < %(until)s AND state <> 'cancelled'
GROUP BY 1, 2;

-- name: orders_recovered_by_hour
-- Orders that a rule gives to a send, and what they brought.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz
-- out:   label (rule:currency), hour, n, total, total_sq      0..n rows
-- locks: none      index: attributions_ordered
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT rule || ':' || currency AS label, date_bin(%(bin)s::interval, ordered_at, '2000-01-01T00:00:00Z') AS hour, count(*) AS n,
  sum(net_cents)::bigint AS total, sum(net_cents::numeric ^ 2)::numeric(38, 0) AS total_sq
FROM attributions
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s AND send_id IS NOT NULL
  AND ordered_at >= %(since)s AND ordered_at < %(until)s
GROUP BY 1, 2;

-- name: decisions_by_hour
-- Every verdict by question and reason: the waterfall.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz, :since_id uuid, :until_id uuid
-- out:   label (question:reason), hour, n, total, total_sq      0..n rows
-- locks: none      index: decisions_pkey, pruned to the days asked for
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT question || ':' || reason AS label, date_bin(%(bin)s::interval, at, '2000-01-01T00:00:00Z') AS hour, count(*) AS n,
  0 AS total, 0 AS total_sq
FROM decisions
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s AND id >= %(since_id)s AND id < %(until_id)s
  AND at >= %(since)s AND at < %(until)s
GROUP BY 1, 2;

-- name: carts_now_by_hour
-- Carts that are open or abandoned now, by the hour in which they began. Total: what lies in abandoned ones.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz
-- out:   label (state:currency), hour, n, total, total_sq      0..n rows
-- locks: none      index: carts_created
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT state || ':' || coalesce(currency, '') AS label,
  date_bin(%(bin)s::interval, created_at, '2000-01-01T00:00:00Z') AS hour, count(*) AS n,
  coalesce(sum(total_cents) FILTER (WHERE state = 'abandoned'), 0)::bigint AS total, 0 AS total_sq
FROM carts
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s
  AND created_at >= %(since)s AND created_at < %(until)s AND state IN ('open', 'abandoned') AND stage <> 'browse'
GROUP BY 1, 2;

-- name: runs_by_hour
-- How far the runs came that began in an hour (by the cart's abandonment): each counts once in each number.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since_id uuid, :until_id uuid
-- out:   label (flow:mark), hour, n, total, total_sq      0..n rows
-- locks: none      index: enrolments_pkey (id range), sends_cart, send_events_send
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT r.flow_id || ':' || m.mark AS label, r.hour, count(*) AS n, 0 AS total, 0 AS total_sq
FROM (
  SELECT n.flow_id, date_bin(%(bin)s::interval, n.abandoned_at, '2000-01-01T00:00:00Z') AS hour, n.arm = 'holdout' AS held_out,
    coalesce(bool_or(e.kind = 'handed_over'), false) AS sent,
    coalesce(bool_or(e.kind IN ('clicked', 'restored')), false) AS clicked
  FROM enrolments n
  LEFT JOIN sends s ON s.bucket = n.bucket AND s.cart_id = n.cart_id AND s.enrolment_id = n.id AND s.id >= %(since_id)s
  LEFT JOIN send_events e ON e.bucket = s.bucket AND e.send_id = s.id AND e.id >= %(since_id)s
    AND e.kind IN ('handed_over', 'clicked', 'restored')
  WHERE n.bucket = ANY(%(buckets)s::int[]) AND n.shop_id = %(shop_id)s AND n.id >= %(since_id)s AND n.id < %(until_id)s
  GROUP BY n.bucket, n.id, n.flow_id, n.abandoned_at, n.arm
) r
CROSS JOIN LATERAL (
  VALUES ('entered', true), ('held_out', r.held_out), ('sent', r.sent), ('clicked', r.clicked)) AS m (mark, is_so)
WHERE m.is_so
GROUP BY 1, 2;

-- name: runs_ordered_by_hour
-- Runs that a rule gives an order to, by the hour in which they began, which their id carries.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since_id uuid, :until_id uuid, :rule text
-- out:   label (flow), hour, n, total, total_sq      0..n rows
-- locks: none      index: attributions_run (id range)
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT a.flow_id::text AS label, date_bin(%(bin)s::interval,
    to_timestamp(('x' || substr(replace(a.enrolment_id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0),
    '2000-01-01T00:00:00Z') AS hour,
  count(DISTINCT a.enrolment_id) AS n, 0 AS total, 0 AS total_sq
FROM attributions a
WHERE a.bucket = ANY(%(buckets)s::int[]) AND a.shop_id = %(shop_id)s AND a.rule = %(rule)s AND a.send_id IS NOT NULL
  AND a.enrolment_id >= %(since_id)s AND a.enrolment_id < %(until_id)s
GROUP BY 1, 2;

-- name: sends_became_by_hour
-- What became of the messages that a provider took in an hour (the first time); each counts once in each number.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz, :since_id uuid, :until_id uuid
-- out:   label (kind), hour, n, total, total_sq      0..n rows
-- locks: none      index: send_events_pkey, send_events_send
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT m.mark AS label, h.hour, count(*) AS n, 0 AS total, 0 AS total_sq
FROM (
  SELECT v.bucket, v.send_id, date_bin(%(bin)s::interval, min(v.at), '2000-01-01T00:00:00Z') AS hour
  FROM send_events v
  WHERE v.bucket = ANY(%(buckets)s::int[]) AND v.shop_id = %(shop_id)s AND v.id >= %(since_id)s AND v.id < %(until_id)s
    AND v.at >= %(since)s AND v.at < %(until)s AND v.kind = 'handed_over'
    AND NOT EXISTS (
      SELECT 1 FROM send_events b
      WHERE b.bucket = v.bucket AND b.send_id = v.send_id AND b.kind = 'handed_over' AND b.at < %(since)s)
  GROUP BY 1, 2
) h
CROSS JOIN LATERAL (
  SELECT 'sent' AS mark
  UNION
  SELECT CASE WHEN e.kind = 'restored' THEN 'clicked' ELSE e.kind END
  FROM send_events e
  WHERE e.bucket = h.bucket AND e.send_id = h.send_id
    AND e.kind IN ('clicked', 'restored', 'bounced', 'failed', 'unsubscribed')
) m
GROUP BY 1, 2;

-- name: carts_refused_by_hour
-- Why carts entered no flow. Not: how a cart ended, nor visits that no flow is there for.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz, :since_id uuid, :until_id uuid
-- out:   label (reason), hour, n, total, total_sq      0..n rows
-- locks: none      index: decisions_pkey, pruned to the days asked for
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT reason AS label, date_bin(%(bin)s::interval, at, '2000-01-01T00:00:00Z') AS hour, count(*) AS n, 0 AS total, 0 AS total_sq
FROM decisions
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s AND id >= %(since_id)s AND id < %(until_id)s
  AND at >= %(since)s AND at < %(until)s AND question = 'abandon' AND outcome = 'deny'
  AND reason NOT IN ('LOST', 'CART_EMPTY', 'CART_CLOSED', 'MOVED_TO_CART', 'STILL_ACTIVE')
  AND NOT (reason = 'NO_FLOW' AND evidence ->> 'stage' = 'browse')
GROUP BY 1, 2;

-- name: sends_skipped_by_hour
-- Why planned messages did not go out.
-- in:    :buckets int[], :shop_id bigint, :bin interval, :since timestamptz, :until timestamptz, :since_id uuid, :until_id uuid
-- out:   label (reason), hour, n, total, total_sq      0..n rows
-- locks: none      index: send_events_pkey, pruned to the days asked for
-- scope: fanout (sums of a shop are taken over all its buckets)
SELECT coalesce(reason, '') AS label, date_bin(%(bin)s::interval, at, '2000-01-01T00:00:00Z') AS hour, count(*) AS n,
  0 AS total, 0 AS total_sq
FROM send_events
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s AND id >= %(since_id)s AND id < %(until_id)s
  AND at >= %(since)s AND at < %(until)s AND kind = 'skipped'
GROUP BY 1, 2;

-- name: put_rollups
-- Write sums that are new or different: :rows is [{"metric", "label", "hour", "n", "total", "total_sq"}].
-- in:    :bucket int, :shop_id bigint, :rows jsonb
-- out:   nothing
-- locks: rollups rows      index: rollups_pkey
INSERT INTO rollups AS r (bucket, shop_id, metric, label, hour, n, total, total_sq)
SELECT %(bucket)s, %(shop_id)s, t.metric, t.label, t.hour, t.n, t.total, t.total_sq
FROM jsonb_to_recordset(%(rows)s::jsonb) AS t (
  metric text, label text, hour timestamptz, n bigint, total bigint, total_sq numeric)
ON CONFLICT (bucket, shop_id, metric, label, hour) DO UPDATE
SET n = excluded.n, total = excluded.total, total_sq = excluded.total_sq
WHERE (r.n, r.total, r.total_sq) IS DISTINCT FROM (excluded.n, excluded.total, excluded.total_sq);

-- name: drop_other_rollups
-- Take away sums of these hours that nothing stands behind any more.
-- in:    :bucket int, :shop_id bigint, :metrics text[], :since timestamptz, :until timestamptz, :rows jsonb
-- out:   nothing
-- locks: rollups rows      index: rollups_pkey
DELETE FROM rollups r
WHERE r.bucket = %(bucket)s AND r.shop_id = %(shop_id)s AND r.metric = ANY(%(metrics)s::text[])
  AND r.hour >= %(since)s AND r.hour < %(until)s
  AND NOT EXISTS (
    SELECT 1 FROM jsonb_to_recordset(%(rows)s::jsonb) AS t (metric text, label text, hour timestamptz)
    WHERE t.metric = r.metric AND t.label = r.label AND t.hour = r.hour);

-- name: sum_rollups
-- What a metric of a shop adds up to between two instants, by label.
-- in:    :bucket int, :shop_id bigint, :metric text, :since timestamptz, :until timestamptz
-- out:   label, n, total, total_sq      0..n rows
-- locks: none      index: rollups_pkey
SELECT label, sum(n)::bigint, sum(total)::bigint, sum(total_sq)
FROM rollups
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND metric = %(metric)s AND hour >= %(since)s AND hour < %(until)s
GROUP BY label
ORDER BY label;

-- name: make_counting_table
-- Room for one shop's counting; gone with the transaction, if drop_counting_table does not come first.
-- in:    nothing
-- out:   nothing
-- locks: none      index: none
CREATE TEMP TABLE counted_members (basket_bucket int, basket uuid, product_key text, weight float8, at timestamptz, item jsonb) ON COMMIT DROP;

-- name: count_members
-- Which products lay in which basket, and what that weighs: a bought cart or order 3, a cart 2, looks of a visit 1.
-- At most 30 products of a basket count: real ones stay below, and pairs grow with the square.
-- in:    :buckets int[], :shop_id bigint, :since timestamptz, :order_weight float, :cart_weight float, :view_weight float
-- out:   nothing
-- temp: counted_members (basket_bucket int, basket uuid, product_key text, weight float8, at timestamptz, item jsonb)
-- locks: none      index: carts_created, orders_ordered
-- scope: fanout (a shop's carts are counted over all its buckets)
INSERT INTO counted_members (basket_bucket, basket, product_key, weight, at, item)
SELECT m.bucket, m.id, m.product_key, max(m.weight), max(m.at), (array_agg(m.item ORDER BY m.place))[1]
FROM (
  SELECT c.bucket, c.id, i.value ->> 'product_key' AS product_key,
    i.value || jsonb_build_object('currency', c.currency) AS item, i.ordinality AS place, c.touched_at AS at,
    CASE WHEN c.state IN ('recovered', 'converted') THEN %(order_weight)s::float8 ELSE %(cart_weight)s::float8 END AS weight
  FROM carts c CROSS JOIN LATERAL jsonb_array_elements(c.items) WITH ORDINALITY AS i
  WHERE c.bucket = ANY(%(buckets)s::int[]) AND c.shop_id = %(shop_id)s AND c.created_at >= %(since)s AND i.ordinality <= 30
  UNION ALL
  SELECT c.bucket, c.id, v.value, NULL, v.ordinality, c.touched_at, %(view_weight)s::float8
  FROM carts c CROSS JOIN LATERAL jsonb_array_elements_text(c.views) WITH ORDINALITY AS v
  WHERE c.bucket = ANY(%(buckets)s::int[]) AND c.shop_id = %(shop_id)s AND c.created_at >= %(since)s
    AND c.cart_key LIKE 'browse:%%' AND v.ordinality <= 30
  UNION ALL
  SELECT o.bucket, o.id, i.value ->> 'product_key', i.value || jsonb_build_object('currency', o.currency), i.ordinality, o.ordered_at, %(order_weight)s::float8
  FROM orders o CROSS JOIN LATERAL jsonb_array_elements(o.items) WITH ORDINALITY AS i
  WHERE o.bucket = ANY(%(buckets)s::int[]) AND o.shop_id = %(shop_id)s AND o.ordered_at >= %(since)s
    AND o.cart_id IS NULL AND o.state <> 'cancelled' AND i.ordinality <= 30
) m
WHERE m.product_key <> ''
GROUP BY m.bucket, m.id, m.product_key;

-- name: put_products
-- Products of the counted baskets with how popular they are. The catalogue knows from events how they look; what a
-- basket says counts where that is older or nothing.
-- in:    :bucket int, :shop_id bigint, :rows jsonb
-- out:   nothing
-- locks: products rows      index: products_pkey
INSERT INTO products AS p (bucket, id, shop_id, product_key, title, url, image_url, unit_cents, currency, category, popularity, seen_at)
SELECT %(bucket)s, t.id, %(shop_id)s, t.product_key, t.title, t.url, t.image_url, t.unit_cents, t.currency, t.category,
  t.popularity, t.seen_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS t (
  id uuid, product_key text, title text, url text, image_url text, unit_cents bigint, currency text, category text,
  popularity float8, seen_at timestamptz)
ON CONFLICT (bucket, id) DO UPDATE
SET title = CASE WHEN excluded.title <> '' AND excluded.seen_at >= p.seen_at OR p.title = '' THEN excluded.title ELSE p.title END,
  url = CASE WHEN excluded.url <> '' AND excluded.seen_at >= p.seen_at OR p.url = '' THEN excluded.url ELSE p.url END,
  image_url = CASE WHEN excluded.image_url <> '' AND excluded.seen_at >= p.seen_at OR p.image_url = ''
    THEN excluded.image_url ELSE p.image_url END,
  unit_cents = CASE WHEN excluded.unit_cents IS NOT NULL AND excluded.seen_at >= p.seen_at OR p.unit_cents IS NULL
    THEN excluded.unit_cents ELSE p.unit_cents END,
  currency = CASE WHEN excluded.unit_cents IS NOT NULL AND excluded.seen_at >= p.seen_at OR p.unit_cents IS NULL
    THEN excluded.currency ELSE p.currency END,
  popularity = excluded.popularity, seen_at = greatest(p.seen_at, excluded.seen_at)
WHERE p.popularity <> excluded.popularity OR p.seen_at < excluded.seen_at OR p.title = '' AND excluded.title <> '';

-- name: forget_uncounted_products
-- Products that lay in no counted basket are no longer popular.
-- in:    :bucket int, :shop_id bigint
-- out:   nothing
-- temp: counted_members (basket_bucket int, basket uuid, product_key text, weight float8, at timestamptz, item jsonb)
-- locks: products rows      index: none (one scan of a shop's catalogue)
UPDATE products p SET popularity = 0
WHERE p.bucket = %(bucket)s AND p.shop_id = %(shop_id)s AND p.popularity <> 0
  AND NOT EXISTS (SELECT 1 FROM counted_members m WHERE m.product_key = p.product_key);

-- name: counted_products
-- The products of the counted baskets: how popular, and how they looked last.
-- in:    :limit int
-- out:   product_key, popularity, seen_at, item jsonb      0..n rows, most popular first
-- temp: counted_members (basket_bucket int, basket uuid, product_key text, weight float8, at timestamptz, item jsonb)
-- locks: none      index: none (a temporary table)
SELECT product_key, sum(weight), max(at), (array_agg(item ORDER BY at DESC) FILTER (WHERE item IS NOT NULL))[1]
FROM counted_members
GROUP BY product_key
ORDER BY 2 DESC, 1
LIMIT %(limit)s;

-- name: clear_pairs
-- Forget what a shop's products met with, before it is written anew.
-- in:    :bucket int, :shop_id bigint
-- out:   nothing
-- locks: product_pairs rows      index: product_pairs_pkey
DELETE FROM product_pairs WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s;

-- name: put_pairs
-- What products met with in the counted baskets: of each product the :most others met most.
-- in:    :bucket int, :shop_id bigint, :most int
-- out:   nothing
-- temp: counted_members (basket_bucket int, basket uuid, product_key text, weight float8, at timestamptz, item jsonb)
-- locks: none      index: none (a temporary table)
INSERT INTO product_pairs (bucket, shop_id, product_key, other_key, weight)
SELECT %(bucket)s, %(shop_id)s, r.product_key, r.other_key, r.weight
FROM (
  SELECT a.product_key, b.product_key AS other_key, sum(a.weight) AS weight,
    row_number() OVER (PARTITION BY a.product_key ORDER BY sum(a.weight) DESC, b.product_key) AS place
  FROM counted_members a
  JOIN counted_members b
    ON b.basket_bucket = a.basket_bucket AND b.basket = a.basket AND b.product_key <> a.product_key
  GROUP BY a.product_key, b.product_key
) r
WHERE r.place <= %(most)s;

-- name: drop_counting_table
-- One shop is counted, the next may come.
-- in:    nothing
-- out:   nothing
-- locks: none      index: none
DROP TABLE counted_members;
