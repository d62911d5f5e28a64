-- name: claim_due_enrolments
-- Lock at most :limit runs whose next step is due, oldest first; never waits for another worker.
-- in:    :bucket int, :now timestamptz, :limit int
-- out:   id text, shop_id, flow_id, flow_version_id, cart_bucket, cart_id text, shopper_id text, step, abandoned_at,
--        entered_at, step_at      0..n rows
-- locks: enrolments rows, SKIP LOCKED      index: enrolments_due
SELECT e.id::text, e.shop_id, e.flow_id, e.flow_version_id, e.cart_bucket, e.cart_id::text, e.shopper_id::text, e.step,
  e.abandoned_at, e.entered_at, e.step_at
FROM enrolments e
WHERE e.bucket = %(bucket)s AND e.state = 'waiting' AND e.due_at <= %(now)s
ORDER BY e.due_at
LIMIT %(limit)s
FOR UPDATE OF e SKIP LOCKED;

-- name: carts_to_write_about
-- The carts of some runs, as far as the flow and the message's links need them.
-- in:    :bucket int, :ids uuid[]
-- out:   id text, state, stage, touched_at, items jsonb, currency, total_cents, facts jsonb, views jsonb, recover_url
-- locks: none      index: carts_pkey
SELECT c.id::text, c.state, c.stage, c.touched_at, c.items, c.currency, c.total_cents, c.facts, c.views, c.recover_url
FROM carts c
WHERE c.bucket = %(bucket)s AND c.id = ANY(%(ids)s::uuid[]);

-- name: shoppers_to_write_to
-- The shoppers of some runs. Not locked: an order that comes now ends the run after us and deletes what we planned.
-- in:    :bucket int, :ids uuid[]
-- out:   id text, country, locale, order_count, last_order_at, is_erased, preferred_channel, region      0..n rows
-- locks: none      index: shoppers_pkey
SELECT s.id::text, s.country, coalesce(s.preferences->>'locale', s.locale), s.order_count, s.last_order_at, s.erased_at IS NOT NULL,
  coalesce(s.preferences->>'channel', s.traits->>'preferred_channel', s.traits->>'preferredChannel'), s.region
FROM shoppers s
WHERE s.bucket = %(bucket)s AND s.id = ANY(%(ids)s::uuid[]);

-- name: reaches_of_shoppers
-- Where some shoppers can be written to.
-- in:    :bucket int, :ids uuid[]
-- out:   shopper_id text, channel, id text, consent, created_at, consent_wording, is_suppressed, consent_confirmed,
--        consent_written, consent_names_carts      0..n rows
-- locks: none      index: contact_points_shopper, suppressions_pkey
SELECT p.shopper_id::text, p.channel, p.id::text, p.consent, p.created_at, coalesce(p.consent_wording, ''),
  x.address_hash IS NOT NULL, p.consent_confirmed, p.consent_written, p.consent_names_carts
FROM contact_points p
LEFT JOIN suppressions x ON x.bucket = %(bucket)s AND x.shop_id = p.shop_id AND x.channel = p.channel
  AND x.address_hash = p.address_hash
WHERE p.bucket = %(bucket)s AND p.shopper_id = ANY(%(ids)s::uuid[]) AND p.address <> '';

-- name: responses_of_shoppers
-- How many messages went out to some shoppers on each channel since an instant, and in how many a link was followed.
-- An event is younger than its send and so is its id: that spares the partitions before.
-- in:    :bucket int, :ids uuid[], :since timestamptz
-- out:   shopper_id text, channel, messages, clicks      0..n rows
-- locks: none      index: sends_shopper, send_events_send
SELECT s.shopper_id::text, s.channel, count(*), count(*) FILTER (WHERE v.is_clicked)
FROM sends s
CROSS JOIN LATERAL (
  SELECT bool_or(e.kind IN ('handed_over', 'delivered')) AS is_sent,
    bool_or(e.kind IN ('clicked', 'restored')) AS is_clicked,
    bool_or(e.kind IN ('bounced', 'failed', 'dropped')) AS is_lost
  FROM send_events e
  WHERE e.bucket = %(bucket)s AND e.send_id = s.id AND e.id >= s.id) v
WHERE s.bucket = %(bucket)s AND s.shopper_id = ANY(%(ids)s::uuid[]) AND s.created_at >= %(since)s
  AND v.is_sent AND NOT v.is_lost
GROUP BY 1, 2;

-- name: clicked_enrolments
-- Which of these runs had a link followed.
-- in:    :bucket int, :shopper_ids uuid[], :ids uuid[]
-- out:   enrolment_id text      0..n rows
-- locks: none      index: sends_shopper, send_events_send
SELECT DISTINCT s.enrolment_id::text
FROM sends s
JOIN send_events v ON v.bucket = %(bucket)s AND v.send_id = s.id
WHERE s.bucket = %(bucket)s AND s.shopper_id = ANY(%(shopper_ids)s::uuid[]) AND s.enrolment_id = ANY(%(ids)s::uuid[])
  AND v.kind IN ('clicked', 'restored');

-- name: move_enrolments
-- Write what became of runs: one row of :rows each, [{"id", "state", "exit_reason", "step", "due_at", "step_at", "ended_at"}].
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: enrolments rows (held by the caller)      index: enrolments_pkey
UPDATE enrolments e
SET state = r.state, exit_reason = r.exit_reason, step = r.step, due_at = r.due_at, step_at = r.step_at,
  ended_at = r.ended_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, state text, exit_reason text, step text, due_at timestamptz, step_at timestamptz, ended_at timestamptz)
WHERE e.bucket = %(bucket)s AND e.id = r.id;

-- name: copy_sends
-- Add messages. The id names run, step and channel: the same message twice makes the batch fail.
-- in:    rows by COPY, binary
-- out:   nothing
-- locks: none      index: sends_pkey
COPY sends (bucket, id, shop_id, enrolment_id, flow_id, flow_version_id, step, channel, shopper_id, contact_point_id, cart_bucket, cart_id, template_version_id, created_at, planned_at, link_hash, optout_hash, context) FROM STDIN (FORMAT binary);

-- name: copy_outbox
-- Put messages in line to be sent.
-- in:    rows by COPY, binary
-- out:   nothing
-- locks: none      index: outbox_pkey
COPY outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, lease_until, attempts, account_id, uncertain_at, seed) FROM STDIN (FORMAT binary);

-- name: pairs_of_products
-- What some products of a shop met with in carts and orders.
-- in:    :bucket int, :shop_id bigint, :keys text[]
-- out:   product_key, other_key, weight      0..n rows
-- locks: none      index: product_pairs_pkey
SELECT p.product_key, p.other_key, p.weight
FROM product_pairs p
WHERE p.bucket = %(bucket)s AND p.shop_id = %(shop_id)s AND p.product_key = ANY(%(keys)s::text[]);

-- name: products_by_id
-- Products as last seen, as far as a recommendation shows them.
-- in:    :bucket int, :ids uuid[]
-- out:   product_key, title, url, image_url, unit_cents, currency, popularity      0..n rows
-- locks: none      index: products_pkey
SELECT p.product_key, p.title, p.url, p.image_url, p.unit_cents, p.currency, p.popularity
FROM products p
WHERE p.bucket = %(bucket)s AND p.id = ANY(%(ids)s::uuid[]);

-- name: best_sellers
-- The most popular products of a shop that can be shown.
-- in:    :bucket int, :shop_id bigint, :limit int
-- out:   product_key, title, url, image_url, unit_cents, currency, popularity      0..n rows
-- locks: none      index: none (one scan of a shop's catalogue in one bucket, kept for minutes by the caller)
SELECT p.product_key, p.title, p.url, p.image_url, p.unit_cents, p.currency, p.popularity
FROM products p
WHERE p.bucket = %(bucket)s AND p.shop_id = %(shop_id)s AND p.popularity > 0 AND p.title <> '' AND p.url <> ''
ORDER BY p.popularity DESC, p.product_key
LIMIT %(limit)s;
