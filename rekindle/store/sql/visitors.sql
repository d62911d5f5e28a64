-- Visitors: outside keys of visits and persons, and whom and what they lead to.

-- name: load_visitors
-- Some visitors of one bucket; nothing is locked, upsert_visitors merges.
-- in:    :bucket int, :ids uuid[]
-- out:   id, visitor_key, shopper_bucket, shopper_id, cart_bucket, cart_id, first_seen_at, seen_at, visit_count, facts
-- locks: none      index: visitors_pkey
SELECT id, visitor_key, shopper_bucket, shopper_id, cart_bucket, cart_id, first_seen_at, seen_at, visit_count,
  facts::text
FROM visitors
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: copy_visitors
-- Add visitors who were not known, in binary form; one that somebody added meanwhile makes all of it fail.
-- in:    rows by COPY, in id order
-- out:   nothing
-- locks: none      index: visitors_pkey
COPY visitors (bucket, id, shop_id, visitor_key, shopper_bucket, shopper_id, cart_bucket, cart_id, first_seen_at,
  seen_at, visit_count, facts) FROM STDIN (FORMAT BINARY);

-- name: add_visitors
-- Add visitors who were not known; one who is known by now is left out, for upsert_visitors to merge. Two that add the
-- same one wait for each other here.
-- in:    :bucket int, :rows json
-- out:   id      one per visitor added
-- locks: none      index: visitors_pkey
INSERT INTO visitors (bucket, id, shop_id, visitor_key, shopper_bucket, shopper_id, cart_bucket, cart_id, first_seen_at,
  seen_at, visit_count, facts)
SELECT %(bucket)s::int, r.id, r.shop_id, r.visitor_key, r.shopper_bucket, r.shopper_id, r.cart_bucket, r.cart_id,
  r.first_seen_at, r.seen_at, 1, r.facts
FROM json_to_recordset(%(rows)s::json) AS r (
  id uuid, shop_id bigint, visitor_key text, shopper_bucket int, shopper_id uuid, cart_bucket int, cart_id uuid,
  first_seen_at timestamptz, seen_at timestamptz, facts jsonb)
ORDER BY r.id
ON CONFLICT (bucket, id) DO NOTHING
RETURNING id;

-- name: upsert_visitors
-- Add visitors, or merge what is new about them; says how they are then. Merging is idempotent and free of order:
-- the latest cart wins (facts.cart_ms), the latest order wins (facts.order_ms), links add up, a visit counts once.
-- Two that meet wait for each other here, so that the second sees what the first has learnt.
-- in:    :bucket int, :rows jsonb, :visit_gap interval
-- out:   id, visitor_key, shopper_bucket, shopper_id, cart_bucket, cart_id, first_seen_at, seen_at, visit_count, facts
-- locks: visitors rows in id order      index: visitors_pkey
INSERT INTO visitors AS v (bucket, id, shop_id, visitor_key, shopper_bucket, shopper_id, cart_bucket, cart_id,
  first_seen_at, seen_at, visit_count, facts)
SELECT %(bucket)s::int, r.id, r.shop_id, r.visitor_key, r.shopper_bucket, r.shopper_id, r.cart_bucket, r.cart_id,
  r.first_seen_at, r.seen_at, 1, r.facts
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, shop_id bigint, visitor_key text, shopper_bucket int, shopper_id uuid, cart_bucket int, cart_id uuid,
  first_seen_at timestamptz, seen_at timestamptz, facts jsonb)
ORDER BY r.id
ON CONFLICT (bucket, id) DO UPDATE SET
  shopper_bucket = coalesce(excluded.shopper_bucket, v.shopper_bucket),
  shopper_id = coalesce(excluded.shopper_id, v.shopper_id),
  cart_bucket = CASE WHEN coalesce((excluded.facts->>'cart_ms')::bigint, -1) >= coalesce((v.facts->>'cart_ms')::bigint, 0)
    THEN excluded.cart_bucket ELSE v.cart_bucket END,
  cart_id = CASE WHEN coalesce((excluded.facts->>'cart_ms')::bigint, -1) >= coalesce((v.facts->>'cart_ms')::bigint, 0)
    THEN excluded.cart_id ELSE v.cart_id END,
  first_seen_at = least(v.first_seen_at, excluded.first_seen_at),
  seen_at = greatest(v.seen_at, excluded.seen_at),
  visit_count = v.visit_count
    + CASE WHEN excluded.first_seen_at > v.seen_at + %(visit_gap)s::interval THEN 1 ELSE 0 END,
  facts = v.facts
    || CASE WHEN coalesce((excluded.facts->>'cart_ms')::bigint, -1) >= coalesce((v.facts->>'cart_ms')::bigint, 0)
         THEN excluded.facts ELSE excluded.facts - 'cart_ms' END
    || CASE WHEN coalesce((v.facts->>'order_ms')::bigint, -1) > coalesce((excluded.facts->>'order_ms')::bigint, 0)
         THEN jsonb_build_object('order_ms', v.facts->'order_ms', 'order', v.facts->'order') ELSE '{}' END
RETURNING id, visitor_key, shopper_bucket, shopper_id, cart_bucket, cart_id, first_seen_at, seen_at, visit_count,
  facts::text;
