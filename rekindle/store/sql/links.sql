-- Links of messages: which send they belong to, and that they were followed.

-- name: send_behind_link
-- The send that a link's token names; the caller compares the hash.
-- in:    :bucket int, :id uuid
-- out:   shop_id, shopper_id, channel, cart_bucket, cart_id, created_at, link_hash, optout_hash, context      0..1 row
-- locks: none      index: sends_pkey
SELECT shop_id, shopper_id, channel, cart_bucket, cart_id, created_at, link_hash, optout_hash, context
FROM sends
WHERE bucket = %(bucket)s AND id = %(id)s::uuid;

-- name: send_behind_short_link
-- The send whose short link this is; only text messages have such links.
-- in:    :bucket int, :link_hash bytea
-- out:   id, shop_id, shopper_id, channel, cart_bucket, cart_id, created_at, link_hash, optout_hash, context    0..1 row
-- locks: none      index: sends_short_link
SELECT id, shop_id, shopper_id, channel, cart_bucket, cart_id, created_at, link_hash, optout_hash, context
FROM sends
WHERE bucket = %(bucket)s AND link_hash = %(link_hash)s AND channel = 'sms';

-- name: cart_behind_link
-- What a link restores of a cart.
-- in:    :bucket int, :id uuid
-- out:   cart_key, state, items, currency, recover_url      0..1 row
-- locks: none      index: carts_pkey
SELECT cart_key, state, items, currency, recover_url
FROM carts
WHERE bucket = %(bucket)s AND id = %(id)s::uuid;

-- name: record_link_event
-- Note that a send's link was followed or its cart restored; the same moment twice counts once.
-- in:    :bucket int, :id uuid, :shop_id bigint, :send_id uuid, :shopper_id uuid, :kind text, :at timestamptz,
--        :detail jsonb
-- out:   id      0..1 row
-- locks: the new row      index: send_events_pkey
INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail)
VALUES (%(bucket)s, %(id)s::uuid, %(shop_id)s, %(send_id)s::uuid, %(shopper_id)s::uuid, %(kind)s, %(at)s,
  %(detail)s::jsonb)
ON CONFLICT (bucket, id) DO NOTHING
RETURNING id;

-- name: linked_sends
-- The sends that many links' tokens name, and what decides where they lead; the caller compares the hashes. :first and
-- :last are the bounds of :ids, by which PostgreSQL leaves out the months that none is in.
-- in:    :bucket int, :ids uuid[], :full uuid[] (those of which the context is wanted), :first uuid, :last uuid
-- out:   id, shop_id, shopper_id, created_at, link_hash, cart_bucket, cart_id, context text; cart_key, state, recover_url
--        of the cart where it lies in the same bucket; channel, and the shopper's country, region and clicks text
--        (whether they agreed that clicks are noted; all null for somebody who is gone or erased)      0..n rows
-- locks: none      index: sends_pkey, carts_pkey, shoppers_pkey
SELECT s.id, s.shop_id, s.shopper_id, s.created_at, s.link_hash, s.cart_bucket, s.cart_id,
  CASE WHEN s.id = ANY(%(full)s::uuid[]) THEN s.context::text END, c.cart_key, c.state, c.recover_url,
  s.channel, p.country, p.region, p.preferences->>'clicks' AS clicks
FROM sends s
LEFT JOIN carts c ON c.bucket = %(bucket)s AND c.id = s.cart_id AND s.cart_bucket = %(bucket)s
LEFT JOIN shoppers p ON p.bucket = %(bucket)s AND p.id = s.shopper_id AND p.erased_at IS NULL
WHERE s.bucket = %(bucket)s AND s.id = ANY(%(ids)s::uuid[])
  AND s.id BETWEEN %(first)s::uuid AND %(last)s::uuid;

-- name: carts_behind_links
-- Where many links lead back to: what was in the carts is not asked for.
-- in:    :bucket int, :ids uuid[]
-- out:   id, cart_key, state, recover_url      0..n rows
-- locks: none      index: carts_pkey
SELECT id, cart_key, state, recover_url
FROM carts
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: copy_clicks
-- Note that links of many sends were followed; one that is noted already makes all of it fail.
-- in:    rows by COPY, in id order
-- out:   nothing
-- locks: none      index: send_events_pkey, send_events_send, send_events_clicks
COPY send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail) FROM STDIN (FORMAT BINARY);

-- name: record_link_events
-- Note that links of many sends were followed: :rows is [{"id", "shop_id", "send_id", "shopper_id", "kind", "at", "detail"}].
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: the new rows      index: send_events_pkey
INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail)
SELECT %(bucket)s, r.id, r.shop_id, r.send_id, r.shopper_id, r.kind, r.at, r.detail
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, shop_id bigint, send_id uuid, shopper_id uuid, kind text, at timestamptz, detail jsonb)
ORDER BY r.id
ON CONFLICT (bucket, id) DO NOTHING;
