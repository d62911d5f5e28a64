-- What a forecast asks about a shopper: the same facts as a send's, without a send.

-- name: shopper_for_forecast
-- Where a shopper may be, and what forbids writing to her at all.
-- in:    :bucket int, :shop_id bigint, :id uuid
-- out:   country, region, timezones, last_order_at, opted_out_at, erased_at, preferences      0..1 rows
-- locks: none      index: shoppers_pkey
SELECT country, region, timezones, last_order_at, opted_out_at, erased_at, preferences
FROM shoppers
WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s;

-- name: contacts_for_forecast
-- A shopper's addresses with consent and suppression, those that can be written to first, then the newest.
-- in:    :bucket int, :shop_id bigint, :shopper_id uuid
-- out:   channel, address, consent, consent_at, consent_wording, consent_confirmed, consent_written,
--        consent_names_carts, suppressed      0..n rows
-- locks: none      index: contact_points_shopper, suppressions_pkey
SELECT c.channel, c.address, c.consent, c.consent_at, c.consent_wording, c.consent_confirmed, c.consent_written,
       c.consent_names_carts, x.address_hash IS NOT NULL AS suppressed
FROM contact_points c
LEFT JOIN suppressions x ON x.bucket = c.bucket AND x.shop_id = c.shop_id AND x.channel = c.channel
  AND x.address_hash = c.address_hash
WHERE c.bucket = %(bucket)s AND c.shopper_id = %(shopper_id)s AND c.shop_id = %(shop_id)s AND c.address <> ''
ORDER BY c.channel, x.address_hash IS NOT NULL, coalesce(c.consent, '') IN ('', 'withdrawn', 'pending'),
         c.created_at DESC;
