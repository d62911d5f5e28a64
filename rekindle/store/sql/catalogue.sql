-- Products as last seen in events.

-- name: see_products
-- Add products, or bring them up to date; what an event leaves out stays as it was. Rows that say nothing new are left
-- alone until :stale has passed.
-- in:    :bucket int, :rows jsonb, :stale interval
-- out:   nothing
-- locks: products rows in id order      index: products_pkey
INSERT INTO products AS p (bucket, id, shop_id, product_key, title, url, image_url, unit_cents, currency, category,
  popularity, seen_at)
SELECT %(bucket)s::int, r.id, r.shop_id, r.product_key, r.title, r.url, r.image_url, r.unit_cents, r.currency, r.category, 0,
  r.seen_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, shop_id bigint, product_key text, title text, url text, image_url text, unit_cents bigint, currency text,
  category text, seen_at timestamptz)
ORDER BY r.id
ON CONFLICT (bucket, id) DO UPDATE SET
  title = CASE WHEN excluded.title <> '' THEN excluded.title ELSE p.title END,
  url = CASE WHEN excluded.url <> '' THEN excluded.url ELSE p.url END,
  image_url = CASE WHEN excluded.image_url <> '' THEN excluded.image_url ELSE p.image_url END,
  unit_cents = coalesce(excluded.unit_cents, p.unit_cents),
  currency = CASE WHEN excluded.unit_cents IS NOT NULL THEN excluded.currency ELSE p.currency END,
  category = CASE WHEN excluded.category <> '' THEN excluded.category ELSE p.category END,
  seen_at = excluded.seen_at
WHERE excluded.seen_at >= p.seen_at AND (
  excluded.seen_at > p.seen_at + %(stale)s::interval
  OR excluded.title NOT IN ('', p.title) OR excluded.url NOT IN ('', p.url)
  OR excluded.image_url NOT IN ('', p.image_url) OR excluded.category NOT IN ('', p.category)
  OR excluded.unit_cents IS DISTINCT FROM coalesce(p.unit_cents, excluded.unit_cents)
  OR (excluded.unit_cents IS NOT NULL AND p.unit_cents IS NULL));
