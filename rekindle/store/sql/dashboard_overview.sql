-- name: overview_revenue_by_day
-- Revenue that the rule gives to a send, per local day and currency.
-- in:    :buckets int[], :shop_id bigint, :rule text, :since timestamptz, :until timestamptz, :timezone text
-- out:   day date, currency, order_count, net_cents      0..n rows
-- locks: none      index: attributions_ordered
-- scope: fanout (the overview adds up all buckets of a shop)
SELECT (ordered_at AT TIME ZONE %(timezone)s)::date AS day, currency,
       count(DISTINCT order_id) AS order_count, sum(net_cents)::bigint AS net_cents
FROM attributions
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND rule = %(rule)s AND send_id IS NOT NULL
  AND ordered_at >= %(since)s AND ordered_at < %(until)s
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: overview_carts
-- Carts left behind since an instant and how many of them somebody is known for; what is open and abandoned now.
-- Browse visits are not carts and stay out. Waiting value: only what is in the asked currency.
-- in:    :buckets int[], :shop_id bigint, :since timestamptz, :currency text
-- out:   detected, reachable, open_now, abandoned_now, waiting_cents, carts_ever      1 row
-- locks: none      index: carts_created (bucket and shop)
-- scope: fanout (the overview adds up all buckets of a shop)
SELECT count(*) FILTER (WHERE abandoned_at >= %(since)s) AS detected,
       count(*) FILTER (WHERE abandoned_at >= %(since)s AND shopper_id IS NOT NULL) AS reachable,
       count(*) FILTER (WHERE state = 'open') AS open_now,
       count(*) FILTER (WHERE state = 'abandoned') AS abandoned_now,
       coalesce(sum(total_cents) FILTER (WHERE state = 'abandoned' AND currency = %(currency)s), 0)::bigint AS waiting_cents,
       count(*) AS carts_ever
FROM carts
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND stage <> 'browse';

-- name: overview_funnel
-- Of the carts left behind since an instant: how many entered a flow, in which arm, were written about, and clicked.
-- An enrolment's id carries its time of abandonment, a send's the later time of entry: ranges of ids do the cutting.
-- in:    :buckets int[], :shop_id bigint, :since_id uuid, :flow_ids bigint[]
-- out:   entered, held_out, sent, clicked      1 row
-- locks: none      index: primary keys (bucket, id range), send_events_send
-- scope: fanout (the overview adds up all buckets of a shop)
SELECT count(DISTINCT n.cart_id) AS entered,
       count(DISTINCT n.cart_id) FILTER (WHERE n.arm = 'holdout') AS held_out,
       count(DISTINCT n.cart_id) FILTER (WHERE e.kind = 'handed_over') AS sent,
       count(DISTINCT n.cart_id) FILTER (WHERE e.kind IN ('clicked', 'restored')) AS clicked
FROM enrolments n
LEFT JOIN sends s ON s.bucket = n.bucket AND s.enrolment_id = n.id AND s.id >= %(since_id)s
LEFT JOIN send_events e ON e.bucket = s.bucket AND e.send_id = s.id
  AND e.kind IN ('handed_over', 'clicked', 'restored')
WHERE n.bucket = ANY(%(buckets)s) AND n.shop_id = %(shop_id)s AND n.id >= %(since_id)s
  AND n.flow_id = ANY(%(flow_ids)s);

-- name: overview_ordering_enrolments
-- The enrolments since an instant that the rule gives an order to.
-- in:    :buckets int[], :shop_id bigint, :rule text, :since_id uuid, :since timestamptz, :flow_ids bigint[]
-- out:   enrolment_id      0..n rows
-- locks: none      index: attributions_ordered
-- scope: fanout (the overview adds up all buckets of a shop)
SELECT DISTINCT enrolment_id
FROM attributions
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND rule = %(rule)s AND send_id IS NOT NULL
  AND ordered_at >= %(since)s AND enrolment_id >= %(since_id)s AND flow_id = ANY(%(flow_ids)s);

-- name: count_carts_of_enrolments
-- How many different carts these enrolments are about.
-- in:    :buckets int[], :enrolment_ids uuid[]
-- out:   n      1 row
-- locks: none      index: enrolments_pkey
-- scope: fanout (the enrolments of a shop's orders lie in many buckets)
SELECT count(DISTINCT cart_id) AS n
FROM enrolments
WHERE bucket = ANY(%(buckets)s) AND id = ANY(%(enrolment_ids)s);

-- name: overview_sends
-- What became of sends since an instant; a click counts for the sends that were handed over since then.
-- in:    :buckets int[], :shop_id bigint, :since_id uuid
-- out:   sent, clicked, bounced, failed, unsubscribed      1 row
-- locks: none      index: primary key (bucket, id range), send_events_send
-- scope: fanout (the overview adds up all buckets of a shop)
WITH handed AS (
  SELECT DISTINCT bucket, send_id
  FROM send_events
  WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND id >= %(since_id)s AND kind = 'handed_over'
)
SELECT count(DISTINCT h.send_id) AS sent,
       count(DISTINCT h.send_id) FILTER (WHERE e.kind IN ('clicked', 'restored')) AS clicked,
       count(DISTINCT h.send_id) FILTER (WHERE e.kind = 'bounced') AS bounced,
       count(DISTINCT h.send_id) FILTER (WHERE e.kind IN ('failed', 'dropped')) AS failed,
       count(DISTINCT h.send_id) FILTER (WHERE e.kind = 'unsubscribed') AS unsubscribed
FROM handed h
LEFT JOIN send_events e ON e.bucket = h.bucket AND e.send_id = h.send_id AND e.id >= %(since_id)s
  AND e.kind IN ('clicked', 'restored', 'bounced', 'failed', 'dropped', 'unsubscribed');

-- name: overview_cart_refusals
-- Why carts entered no flow since an instant, each cart once per reason. Not: how a cart ended, nor visits that no
-- flow is there for.
-- in:    :buckets int[], :shop_id bigint, :since_id uuid
-- out:   reason, n      0..n rows
-- locks: none      index: primary key (bucket, id range)
-- scope: fanout (the overview adds up all buckets of a shop)
SELECT reason, count(DISTINCT cart_id) AS n
FROM decisions
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND id >= %(since_id)s
  AND question = 'abandon' AND outcome = 'deny'
  AND reason NOT IN ('LOST', 'CART_EMPTY', 'CART_CLOSED', 'MOVED_TO_CART', 'STILL_ACTIVE')
  AND NOT (reason = 'NO_FLOW' AND evidence ->> 'stage' = 'browse')
GROUP BY reason;

-- name: overview_send_refusals
-- Why planned sends did not go out since an instant.
-- in:    :buckets int[], :shop_id bigint, :since_id uuid
-- out:   reason, n      0..n rows
-- locks: none      index: primary key (bucket, id range)
-- scope: fanout (the overview adds up all buckets of a shop)
SELECT coalesce(reason, '') AS reason, count(DISTINCT send_id) AS n
FROM send_events
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND id >= %(since_id)s AND kind = 'skipped'
GROUP BY 1;

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
