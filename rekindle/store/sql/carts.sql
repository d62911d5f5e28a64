-- Carts as ingest and orders read and write them. The idle timer's statements are in abandon.sql.

-- name: load_carts
-- Some carts of one bucket, as they are; nothing is locked, write_carts notices who was faster.
-- in:    :bucket int, :ids uuid[]
-- out:   the columns of a cart      0..n rows
-- locks: none      index: carts_pkey
SELECT bucket, id, shop_id, cart_key, state, stage, items::text, currency, total_cents, created_at, touched_at, check_at,
  abandoned_at, snapshot_at, closed_at, visitor_key, shopper_bucket, shopper_id, order_key, checkout_key, recover_url,
  views::text, facts::text, seq
FROM carts
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: lock_carts
-- Some carts of one bucket, held until the transaction ends: for an order, which must not be overtaken.
-- in:    :bucket int, :ids uuid[]
-- out:   the columns of a cart      0..n rows
-- locks: carts rows in id order      index: carts_pkey
SELECT bucket, id, shop_id, cart_key, state, stage, items::text, currency, total_cents, created_at, touched_at, check_at,
  abandoned_at, snapshot_at, closed_at, visitor_key, shopper_bucket, shopper_id, order_key, checkout_key, recover_url,
  views::text, facts::text, seq
FROM carts
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[])
ORDER BY id
FOR UPDATE;

-- name: carts_of_shoppers
-- The living carts of some shoppers, where persons and carts share one bucket.
-- in:    :bucket int, :shopper_ids uuid[]
-- out:   id, shopper_id      0..n rows
-- locks: none      index: carts_shopper
SELECT id, shopper_id
FROM carts
WHERE bucket = %(bucket)s AND shopper_id = ANY(%(shopper_ids)s::uuid[]) AND state IN ('open', 'abandoned');

-- name: add_carts
-- Add new carts in binary form; one that somebody added meanwhile makes all of it fail.
-- in:    rows by COPY, in id order
-- out:   nothing
-- locks: none      index: carts_pkey
COPY carts (bucket, id, shop_id, cart_key, state, stage, items, currency, total_cents, created_at, touched_at, check_at,
  abandoned_at, snapshot_at, closed_at, visitor_key, shopper_bucket, shopper_id, order_key, checkout_key, recover_url,
  views, facts, seq) FROM STDIN (FORMAT BINARY);

-- name: write_carts
-- Add carts, or take them one step further; who was overtaken (another seq than the one read) is not among the ids.
-- The rows that were overtaken are locked all the same, so the next attempt in this transaction succeeds.
-- One array a column, in binary form: as one JSON text, reading the rows costs as much again as writing them.
-- in:    :bucket int, :ids uuid[], :shop_ids bigint[], :cart_keys text[], :states text[], :stages text[],
--        :items jsonb[], :currencies text[], :total_cents bigint[], :created_at timestamptz[],
--        :touched_at timestamptz[], :check_at timestamptz[], :abandoned_at timestamptz[], :snapshot_at timestamptz[],
--        :closed_at timestamptz[], :visitor_keys text[], :shopper_buckets int[], :shopper_ids uuid[],
--        :order_keys text[], :checkout_keys text[], :recover_urls text[], :views jsonb[], :facts jsonb[],
--        :seqs bigint[]
-- out:   id      one per cart written
-- locks: carts rows in id order      index: carts_pkey; HOT unless check_at or the shopper changes
INSERT INTO carts (bucket, id, shop_id, cart_key, state, stage, items, currency, total_cents, created_at, touched_at,
  check_at, abandoned_at, snapshot_at, closed_at, visitor_key, shopper_bucket, shopper_id, order_key, checkout_key,
  recover_url, views, facts, seq)
SELECT %(bucket)s::int, r.id, r.shop_id, r.cart_key, r.state, r.stage, r.items, r.currency, r.total_cents, r.created_at,
  r.touched_at, r.check_at, r.abandoned_at, r.snapshot_at, r.closed_at, r.visitor_key, r.shopper_bucket, r.shopper_id,
  r.order_key, r.checkout_key, r.recover_url, r.views, r.facts, r.seq
FROM unnest(%(ids)s::uuid[], %(shop_ids)s::bigint[], %(cart_keys)s::text[], %(states)s::text[], %(stages)s::text[],
  %(items)s::jsonb[], %(currencies)s::text[], %(total_cents)s::bigint[], %(created_at)s::timestamptz[],
  %(touched_at)s::timestamptz[], %(check_at)s::timestamptz[], %(abandoned_at)s::timestamptz[],
  %(snapshot_at)s::timestamptz[], %(closed_at)s::timestamptz[], %(visitor_keys)s::text[], %(shopper_buckets)s::int[],
  %(shopper_ids)s::uuid[], %(order_keys)s::text[], %(checkout_keys)s::text[], %(recover_urls)s::text[],
  %(views)s::jsonb[], %(facts)s::jsonb[], %(seqs)s::bigint[]) AS r (id, shop_id, cart_key, state, stage, items,
  currency, total_cents, created_at, touched_at, check_at, abandoned_at, snapshot_at, closed_at, visitor_key,
  shopper_bucket, shopper_id, order_key, checkout_key, recover_url, views, facts, seq)
ORDER BY r.id
ON CONFLICT (bucket, id) DO UPDATE SET
  state = excluded.state, stage = excluded.stage, items = excluded.items, currency = excluded.currency,
  total_cents = excluded.total_cents, created_at = excluded.created_at, touched_at = excluded.touched_at,
  check_at = excluded.check_at, abandoned_at = excluded.abandoned_at, snapshot_at = excluded.snapshot_at,
  closed_at = excluded.closed_at, visitor_key = excluded.visitor_key, shopper_bucket = excluded.shopper_bucket,
  shopper_id = excluded.shopper_id, order_key = excluded.order_key, checkout_key = excluded.checkout_key,
  recover_url = excluded.recover_url, views = excluded.views, facts = excluded.facts, seq = excluded.seq
WHERE carts.seq = excluded.seq - 1
RETURNING id;
