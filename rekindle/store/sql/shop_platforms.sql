-- Where a shop is run, and what proves what its platform says.

-- name: platform_of_domain
-- The shop of a domain, and its sealed secrets.
-- in:    :kind text, :domain text
-- out:   shop_id, secret      0..1 row
-- locks: none      index: shop_platforms_domain_key
SELECT shop_id, secret FROM shop_platforms WHERE kind = %(kind)s AND domain = %(domain)s;

-- name: put_platform
-- A shop is run there; what was known of the domain before is replaced, when it is the same shop's.
-- in:    :shop_id bigint, :kind text, :domain text, :secret bytea
-- out:   shop_id      1 row when it was written
-- locks: one shop_platforms row      index: shop_platforms_domain_key
INSERT INTO shop_platforms AS p (shop_id, kind, domain, secret) VALUES (%(shop_id)s, %(kind)s, %(domain)s, %(secret)s)
ON CONFLICT (domain) DO UPDATE SET secret = excluded.secret
WHERE p.shop_id = excluded.shop_id
RETURNING shop_id;

-- name: unerased_shoppers
-- Shoppers of a shop who are not erased yet.
-- in:    :bucket int, :shop_id bigint, :limit int
-- out:   id      0..n rows
-- locks: none      index: none (only when a whole shop is erased)
SELECT id FROM shoppers
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND erased_at IS NULL
ORDER BY id
LIMIT %(limit)s;
