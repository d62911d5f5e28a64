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

-- name: devices_to_reach
-- Where the shoppers' messages go: devices that agreed and are not suppressed, those that were seen last first.
-- in:    :bucket int, :shopper_ids uuid[], :n int (devices of one shopper)
-- out:   shopper_id, id, address, public_key, auth      0..n rows
-- locks: none      index: devices_shopper, contact_points_pkey, suppressions_pkey
SELECT shopper_id, id, address, public_key, auth
FROM (
  SELECT d.shopper_id, d.id, c.address, d.public_key, d.auth,
    row_number() OVER (PARTITION BY d.shopper_id ORDER BY d.seen_at DESC, d.id) AS place
  FROM devices d
  JOIN contact_points c ON c.bucket = %(bucket)s AND c.id = d.id AND c.shopper_id = d.shopper_id
  LEFT JOIN suppressions x ON x.bucket = %(bucket)s AND x.shop_id = d.shop_id AND x.channel = 'push'
    AND x.address_hash = c.address_hash
  WHERE d.bucket = %(bucket)s AND d.shopper_id = ANY(%(shopper_ids)s::uuid[])
    AND c.consent = 'express' AND c.consent_wording <> '' AND c.address <> '' AND x.address_hash IS NULL
) ranked
WHERE place <= %(n)s
ORDER BY shopper_id, place;

-- name: forget_devices
-- A push service says that these are no more: no key and no address is kept, the consent stays on record.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: devices and contact_points rows      index: devices_pkey, contact_points_pkey
WITH gone AS (
  DELETE FROM devices WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[])
)
UPDATE contact_points SET address = '' WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) AND channel = 'push';
