-- Shoppers and their addresses, as ingest, orders, opt-outs and erasures read and write them.

-- name: find_contacts
-- Whose addresses are these, and may they be stored? :rows is [{"id", "channel", "hash"}], hash in hexadecimal.
-- in:    :bucket int, :shop_id bigint, :rows jsonb
-- out:   id, shopper_bucket, shopper_id, has_address bool, consent, consent_at, suppression      one row an address
-- locks: none      index: contact_points_pkey, suppressions_pkey
SELECT r.id, c.shopper_bucket, c.shopper_id, c.address <> '' AS has_address, c.consent, c.consent_at,
  x.reason AS suppression
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (id uuid, channel text, hash text)
LEFT JOIN contact_points c ON c.bucket = %(bucket)s AND c.id = r.id
LEFT JOIN suppressions x ON x.bucket = %(bucket)s AND x.shop_id = %(shop_id)s AND x.channel = r.channel
  AND x.address_hash = decode(r.hash, 'hex');

-- name: load_shoppers
-- Some shoppers of one bucket, as they are.
-- in:    :bucket int, :ids uuid[]
-- out:   id, customer_key, gpc, last_order_at, opted_out_at, erased_at, traits, has_email      0..n rows
-- locks: none      index: shoppers_pkey, contact_points_shopper
SELECT s.id, s.customer_key, s.gpc, s.last_order_at, s.opted_out_at, s.erased_at, s.traits, EXISTS (
    SELECT 1 FROM contact_points c
    WHERE c.bucket = %(bucket)s AND c.shopper_id = s.id AND c.channel = 'email') AS has_email
FROM shoppers s
WHERE s.bucket = %(bucket)s AND s.id = ANY(%(ids)s::uuid[]);

-- name: hold_shoppers
-- As load_shoppers, held until the transaction ends: the lock that orders, opt-outs, erasures and sends share.
-- in:    :bucket int, :ids uuid[]
-- out:   id, customer_key, gpc, last_order_at, opted_out_at, erased_at, traits      0..n rows
-- locks: shoppers rows in id order      index: shoppers_pkey
SELECT id, customer_key, gpc, last_order_at, opted_out_at, erased_at, traits
FROM shoppers
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[])
ORDER BY id
FOR UPDATE;

-- name: add_shoppers
-- Add shoppers who are not known yet; those who are stay untouched and unlocked.
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: none      index: shoppers_pkey
INSERT INTO shoppers (bucket, id, shop_id, customer_key, first_name, last_name, locale, country, region, timezones, gpc,
  first_seen_at, seen_at, order_count, spent_cents, traits, seq)
SELECT %(bucket)s::int, r.id, r.shop_id, r.customer_key, r.first_name, r.last_name, r.locale, r.country, r.region,
  r.timezones, r.gpc, r.seen_at, r.seen_at, 0, 0, r.traits, 0
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, shop_id bigint, customer_key text, first_name text, last_name text, locale text, country text, region text,
  timezones jsonb, gpc boolean, seen_at timestamptz, traits jsonb)
ORDER BY r.id
ON CONFLICT (bucket, id) DO NOTHING;

-- name: improve_shoppers
-- Merge what is new about known shoppers, where anything is. Gaps are filled; what is there is only replaced by an event
-- of the same customer account: an address alone, which anybody can type, changes nothing about its owner. Never an
-- erased one; who objected gets no traits and no time zones any more.
-- in:    :bucket int, :rows jsonb, :stale interval
-- out:   nothing
-- locks: shoppers rows in id order      index: shoppers_pkey
WITH told AS MATERIALIZED (
  SELECT r.* FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
    id uuid, customer_key text, first_name text, last_name text, locale text, country text, region text,
    timezones jsonb, gpc boolean, seen_at timestamptz, traits jsonb)
),
held AS MATERIALIZED (
  SELECT h.id FROM shoppers h JOIN told t ON t.id = h.id
  WHERE h.bucket = %(bucket)s AND h.erased_at IS NULL AND (
    t.seen_at > h.seen_at + %(stale)s::interval
    OR (h.customer_key IS NULL AND t.customer_key IS NOT NULL)
    OR (t.gpc AND NOT h.gpc)
    OR (NOT h.timezones @> t.timezones AND jsonb_array_length(h.timezones) < 5)
    OR (t.first_name NOT IN ('', h.first_name) AND (h.first_name = '' OR h.customer_key = t.customer_key))
    OR (t.last_name NOT IN ('', h.last_name) AND (h.last_name = '' OR h.customer_key = t.customer_key))
    OR (t.locale NOT IN ('', h.locale) AND (h.locale = '' OR h.customer_key = t.customer_key))
    OR (t.country NOT IN ('', h.country) AND (h.country = '' OR h.customer_key = t.customer_key))
    OR (t.region NOT IN ('', h.region) AND (h.region = '' OR h.customer_key = t.customer_key))
    OR NOT h.traits @> t.traits)
  ORDER BY h.id
  FOR UPDATE OF h
)
UPDATE shoppers s SET
  customer_key = coalesce(s.customer_key, r.customer_key),
  first_name = CASE WHEN r.first_name <> '' AND (s.first_name = '' OR s.customer_key = r.customer_key)
    THEN r.first_name ELSE s.first_name END,
  last_name = CASE WHEN r.last_name <> '' AND (s.last_name = '' OR s.customer_key = r.customer_key)
    THEN r.last_name ELSE s.last_name END,
  locale = CASE WHEN r.locale <> '' AND (s.locale = '' OR s.customer_key = r.customer_key)
    THEN r.locale ELSE s.locale END,
  country = CASE WHEN r.country <> '' AND (s.country = '' OR s.customer_key = r.customer_key)
    THEN r.country ELSE s.country END,
  region = CASE WHEN r.region <> '' AND (s.region = '' OR s.customer_key = r.customer_key)
    THEN r.region ELSE s.region END,
  timezones = CASE WHEN s.objected_at IS NOT NULL OR s.timezones @> r.timezones OR jsonb_array_length(s.timezones) >= 5
    THEN s.timezones ELSE s.timezones || r.timezones END,
  gpc = s.gpc OR r.gpc,
  first_seen_at = least(s.first_seen_at, r.seen_at),
  seen_at = greatest(s.seen_at, r.seen_at),
  traits = CASE WHEN s.objected_at IS NOT NULL THEN s.traits WHEN s.customer_key = r.customer_key THEN s.traits || r.traits ELSE r.traits || s.traits END,
  seq = s.seq + 1
FROM told r JOIN held h ON h.id = r.id
WHERE s.bucket = %(bucket)s AND s.id = r.id;

-- name: add_contacts
-- Add addresses that are not known yet. Whose they are is decided once, by whoever came first.
-- in:    :bucket int, :rows jsonb
-- out:   id      one row per address added
-- locks: none      index: contact_points_pkey
INSERT INTO contact_points (bucket, id, shop_id, shopper_bucket, shopper_id, channel, address, address_hash, consent,
  consent_at, consent_wording, created_at)
SELECT %(bucket)s::int, r.id, r.shop_id, r.shopper_bucket, r.shopper_id, r.channel, r.address, decode(r.hash, 'hex'),
  r.consent, r.consent_at, r.consent_wording, r.created_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, shop_id bigint, shopper_bucket int, shopper_id uuid, channel text, address text, hash text, consent text,
  consent_at timestamptz, consent_wording text, created_at timestamptz)
ORDER BY r.id
ON CONFLICT (bucket, id) DO NOTHING
RETURNING id;

-- name: move_contact
-- An address becomes another shopper's: a browser whose user turned out to be somebody.
-- in:    :bucket int, :id uuid, :from_id uuid, :to_bucket int, :to_id uuid
-- out:   nothing
-- locks: contact_points row      index: contact_points_pkey
UPDATE contact_points SET shopper_bucket = %(to_bucket)s, shopper_id = %(to_id)s
WHERE bucket = %(bucket)s AND id = %(id)s AND shopper_id = %(from_id)s;

-- name: drop_contacts
-- Addresses that are no more, as far as this bucket knows them.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: contact_points rows in id order      index: contact_points_pkey
WITH gone AS (
  SELECT id FROM contact_points WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) ORDER BY id FOR UPDATE
)
DELETE FROM contact_points c USING gone WHERE c.bucket = %(bucket)s AND c.id = gone.id;

-- name: contacts_of_shopper
-- The addresses of a shopper; each has a row in the shopper's own bucket.
-- in:    :bucket int, :shopper_id uuid
-- out:   id, channel, address, address_hash, consent, consent_at, consent_wording, created_at      0..n rows
-- locks: none      index: contact_points_shopper
SELECT id, channel, address, address_hash, consent, consent_at, consent_wording, created_at
FROM contact_points
WHERE bucket = %(bucket)s AND shopper_id = %(shopper_id)s
ORDER BY channel, id;

-- name: remember_carts
-- Note on shoppers where their carts lie, the newest 20 each: for shops whose carts lie in other buckets.
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: shoppers rows      index: shoppers_pkey
UPDATE shoppers s SET
  traits = jsonb_set(s.traits, '{_carts}', jsonb_path_query_array(
    r.carts || jsonb_path_query_array(coalesce(s.traits->'_carts', '[]'), '$[*] ? (!(@.id == $new[*].id))',
      jsonb_build_object('new', r.carts)), '$[0 to 19]')),
  seq = s.seq + 1
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (id uuid, carts jsonb)
WHERE s.bucket = %(bucket)s AND s.id = r.id AND s.erased_at IS NULL;
