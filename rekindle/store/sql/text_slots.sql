-- The place of a cart's one text message.

-- name: take_text_slots
-- Take the places of some carts for some sends: :rows is [{"shop_id", "cart_id", "send_id"}], each cart once, sorted. A
-- place is free when nobody holds it any more, or the same send does. What does not come back is held by another one.
-- in:    :bucket int, :rows jsonb, :now timestamptz, :until_at timestamptz
-- out:   send_id      0..n rows
-- locks: text_slots rows in the order of :rows      index: text_slots_pkey
INSERT INTO text_slots AS t (bucket, shop_id, cart_id, send_id, until_at)
SELECT %(bucket)s, r.shop_id, r.cart_id, r.send_id, %(until_at)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (shop_id bigint, cart_id uuid, send_id uuid)
ON CONFLICT (bucket, shop_id, cart_id) DO UPDATE
SET send_id = excluded.send_id, until_at = excluded.until_at
WHERE t.send_id = excluded.send_id OR t.until_at <= %(now)s
RETURNING send_id;

-- name: drop_free_text_slots
-- Places that nobody holds any more.
-- in:    :buckets int[], :now timestamptz
-- out:   nothing
-- locks: text_slots rows      index: text_slots_pkey
-- scope: fanout (a daily job over the buckets of all shops)
DELETE FROM text_slots WHERE bucket = ANY(%(buckets)s::int[]) AND until_at <= %(now)s;
