-- name: write_key_of_shop
-- The key by which a shop's pages and servers send events.
-- in:    :shop_id bigint
-- out:   write_key      0..1 rows
-- locks: none      index: shops_pkey
SELECT write_key
FROM shops
WHERE id = %(shop_id)s;

-- name: replace_write_key
-- Give a shop another write key; the old one stops working at once.
-- in:    :shop_id bigint, :write_key text
-- out:   nothing
-- locks: one shops row      index: shops_pkey
UPDATE shops SET write_key = %(write_key)s
WHERE id = %(shop_id)s;

-- name: replace_secret_key
-- Give a shop another secret key, of which only the hash is kept; the old one stops working at once.
-- in:    :shop_id bigint, :secret_key_hash bytea, :at timestamptz
-- out:   nothing
-- locks: one shops row      index: shops_pkey
UPDATE shops SET secret_key_hash = %(secret_key_hash)s, secret_key_at = %(at)s
WHERE id = %(shop_id)s;

-- name: secret_key_made_at
-- When the secret key of a shop was made; NULL when it has none.
-- in:    :shop_id bigint
-- out:   secret_key_at      0..1 rows
-- locks: none      index: shops_pkey
SELECT secret_key_at
FROM shops
WHERE id = %(shop_id)s;

-- name: pause_or_resume_shop
-- Stop or go on with everything a shop sends.
-- in:    :shop_id bigint, :paused boolean
-- out:   id      0..1 rows: none when it already was so
-- locks: one shops row      index: shops_pkey
UPDATE shops SET sending_paused = %(paused)s
WHERE id = %(shop_id)s AND sending_paused <> %(paused)s
RETURNING id;
