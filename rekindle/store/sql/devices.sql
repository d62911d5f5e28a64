-- Devices: the browsers and apps of shoppers, beside their contact points of channel push.

-- name: keep_devices
-- Devices as they are now; the newest news of one wins. :rows holds keys in hexadecimal.
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: devices rows in id order      index: devices_pkey
INSERT INTO devices AS d (bucket, id, shop_id, shopper_id, public_key, auth, created_at, seen_at)
SELECT %(bucket)s::int, r.id, r.shop_id, r.shopper_id, decode(r.public_key, 'hex'), decode(r.auth, 'hex'), r.seen_at,
  r.seen_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, shop_id bigint, shopper_id uuid, public_key text, auth text, seen_at timestamptz)
ORDER BY r.id
ON CONFLICT (bucket, id) DO UPDATE
SET shopper_id = excluded.shopper_id, public_key = excluded.public_key, auth = excluded.auth, seen_at = excluded.seen_at
WHERE excluded.seen_at >= d.seen_at;

-- name: drop_devices
-- Devices that take no more messages, or moved to another bucket.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: devices rows in id order      index: devices_pkey
WITH gone AS (
  SELECT id FROM devices WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) ORDER BY id FOR UPDATE
)
DELETE FROM devices d USING gone WHERE d.bucket = %(bucket)s AND d.id = gone.id;

-- name: drop_devices_of_shopper
-- An erased shopper's devices.
-- in:    :bucket int, :shopper_id uuid
-- out:   nothing
-- locks: devices rows in id order      index: devices_shopper
WITH gone AS (
  SELECT id FROM devices WHERE bucket = %(bucket)s AND shopper_id = %(shopper_id)s ORDER BY id FOR UPDATE
)
DELETE FROM devices d USING gone WHERE d.bucket = %(bucket)s AND d.id = gone.id;
