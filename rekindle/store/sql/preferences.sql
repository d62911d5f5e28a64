-- What a shopper chose about messages.

-- name: preferences_of_shopper
-- What is kept now.
-- in:    :bucket int, :id uuid
-- out:   preferences, erased_at      0..1 rows
-- locks: none      index: shoppers_pkey
SELECT preferences, erased_at FROM shoppers WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: channels_of_shopper
-- The channels on which an address is known, and whether any of them may still be written to.
-- in:    :bucket int, :id uuid
-- out:   channel, is_on      0..n rows
-- locks: none      index: contact_points_shopper, suppressions_pkey
SELECT c.channel, bool_or(coalesce(c.consent, '') <> 'withdrawn' AND x.address_hash IS NULL) AS is_on
FROM contact_points c
LEFT JOIN suppressions x ON x.bucket = c.bucket AND x.shop_id = c.shop_id AND x.channel = c.channel
  AND x.address_hash = c.address_hash
WHERE c.bucket = %(bucket)s AND c.shopper_id = %(id)s AND c.address <> ''
GROUP BY c.channel
ORDER BY c.channel;

-- name: set_preferences
-- These hold from now on.
-- in:    :bucket int, :id uuid, :preferences jsonb
-- out:   nothing
-- locks: shoppers row (held by the caller)      index: shoppers_pkey
UPDATE shoppers SET preferences = %(preferences)s, seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s AND erased_at IS NULL;

-- name: watched_shopper
-- Where somebody is, and whether they agreed that it is noticed which links they follow.
-- in:    :bucket int, :id uuid
-- out:   country, region, clicks bool, phone text      0..1 rows
-- locks: none      index: shoppers_pkey, contact_points_shopper
SELECT s.country, s.region, (s.preferences->>'clicks')::boolean AS clicks,
  (SELECT max(c.address) FROM contact_points c
   WHERE c.bucket = %(bucket)s AND c.shopper_id = s.id AND c.channel = 'sms' AND c.address <> '') AS phone
FROM shoppers s
WHERE s.bucket = %(bucket)s AND s.id = %(id)s AND s.erased_at IS NULL;

-- name: answer_clicks
-- Whether it may be noticed which links a shopper follows; the newest answer stays.
-- in:    :bucket int, :id uuid, :clicks bool, :at timestamptz, :clicks_at text (the same instant, as it is kept)
-- out:   nothing
-- locks: shoppers row      index: shoppers_pkey
UPDATE shoppers
SET preferences = coalesce(preferences, '{}'::jsonb)
  || jsonb_build_object('clicks', %(clicks)s::boolean, 'clicks_at', %(clicks_at)s::text), seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s AND erased_at IS NULL
  AND coalesce((preferences->>'clicks_at')::timestamptz, '-infinity') <= %(at)s::timestamptz;
