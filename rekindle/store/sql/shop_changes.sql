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

-- name: pause_or_resume_shop
-- Stop or go on with everything a shop sends.
-- in:    :shop_id bigint, :paused boolean
-- out:   id      0..1 rows: none when it already was so
-- locks: one shops row      index: shops_pkey
UPDATE shops SET sending_paused = %(paused)s
WHERE id = %(shop_id)s AND sending_paused <> %(paused)s
RETURNING id;
