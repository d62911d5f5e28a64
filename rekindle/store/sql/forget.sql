-- Erasure: what named or reached a person goes, what was counted stays, the keyed hash of the address stays suppressed.

-- name: carts_of_erased
-- Where the carts of a shopper lie, in any state.
-- in:    :buckets int[], :shopper_id uuid
-- out:   bucket, id, cart_key, visitor_key      0..n rows
-- locks: none      index: carts_shopper
-- scope: fanout (an erasure visits all buckets of a shop)
SELECT bucket, id, cart_key, visitor_key
FROM carts
WHERE bucket = ANY(%(buckets)s::int[]) AND shopper_id = %(shopper_id)s;

-- name: visitors_of_erased
-- Which visitor keys lead to a shopper, and which checkout tokens these keys are linked to.
-- in:    :buckets int[], :shopper_id uuid
-- out:   visitor_key, links jsonb (their names)      0..n rows
-- locks: none      index: none (an erasure is rare, an index would be paid at every visit)
-- scope: fanout (an erasure visits all buckets of a shop)
SELECT visitor_key, jsonb_path_query_array(facts, '$.keyvalue().key ? (@ starts with "~k:")') AS links
FROM visitors
WHERE bucket = ANY(%(buckets)s::int[]) AND shopper_id = %(shopper_id)s;

-- name: blank_carts
-- Carts keep which products were in them and what became of them: no free text (a variant may hold an engraving), and no
-- way back to anybody.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: carts rows (held by the caller)      index: carts_pkey
UPDATE carts SET cart_key = 'erased:' || id, visitor_key = NULL, checkout_key = NULL, recover_url = NULL, views = '[]',
  items = (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('product_key', one->'product_key',
      'sku', one->'sku', 'quantity', one->'quantity', 'unit_cents', one->'unit_cents', 'category', one->'category'))
    ORDER BY place), '[]') FROM jsonb_array_elements(items) WITH ORDINALITY AS each (one, place)),
  facts = jsonb_strip_nulls(jsonb_build_object('stage_at', facts->'stage_at', 'since_ms', facts->'since_ms')),
  seq = seq + 1
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: blank_events
-- Events keep that they happened.
-- in:    :bucket int, :cart_ids uuid[]
-- out:   nothing
-- locks: events rows      index: events_cart
UPDATE events SET payload = '{}', visitor_key = NULL
WHERE bucket = %(bucket)s AND cart_id = ANY(%(cart_ids)s::uuid[]);

-- name: blank_lonely_events
-- The same for events of no cart and no visit, which only an order's key ties to the person: a till's.
-- in:    :buckets int[], :shop_id bigint, :order_keys text[]
-- out:   nothing
-- locks: events rows      index: events_lonely
-- scope: fanout (an erasure visits all buckets of a shop)
UPDATE events SET payload = '{}', visitor_key = NULL
WHERE bucket = ANY(%(buckets)s::int[]) AND shop_id = %(shop_id)s AND cart_id IS NULL AND payload <> '{}'
  AND payload->'order'->>'order_key' = ANY(%(order_keys)s::text[]);

-- name: blank_order
-- A purchase keeps what was bought for how much: no free text, and no code that was made for the person.
-- in:    :bucket int, :id uuid
-- out:   nothing
-- locks: orders row      index: orders_pkey
UPDATE orders SET coupons = '[]', facts = facts - 'cart_key',
  items = (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('product_key', one->'product_key',
      'sku', one->'sku', 'quantity', one->'quantity', 'unit_cents', one->'unit_cents', 'category', one->'category'))
    ORDER BY place), '[]') FROM jsonb_array_elements(items) WITH ORDINALITY AS each (one, place))
WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: orders_of_erased
-- Where the purchases of a shopper lie.
-- in:    :buckets int[], :shopper_id uuid
-- out:   bucket, id, order_key      0..n rows
-- locks: none      index: none (an erasure is rare, an index would be paid at every order)
-- scope: fanout (an erasure visits all buckets of a shop)
SELECT bucket, id, order_key FROM orders WHERE bucket = ANY(%(buckets)s::int[]) AND shopper_id = %(shopper_id)s;

-- name: consents_of_erased
-- The ledger of an address for every purpose.
-- in:    :bucket int, :shop_id bigint, :channels text[], :address_hash bytea
-- out:   ConsentRow columns      0..n rows
-- locks: none      index: consents_chain
SELECT shop_id, channel, address_hash, seq, kind, at, recorded_at, wording, source, evidence, previous_hash, row_hash
FROM consents
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND channel = ANY(%(channels)s::text[])
  AND address_hash = %(address_hash)s
ORDER BY channel, seq;

-- name: redact_consent
-- A row of the ledger without what was the person's own; its hash, and with it the chain, stays.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea, :seq int, :wording text, :evidence jsonb
-- out:   nothing
-- locks: consents row      index: consents_chain
UPDATE consents SET wording = %(wording)s, evidence = %(evidence)s
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND channel = %(channel)s AND address_hash = %(address_hash)s
  AND seq = %(seq)s;

-- name: visitors_of_carts
-- Which visitors lead to some carts, whoever they belong to.
-- in:    :buckets int[], :cart_ids uuid[]
-- out:   bucket, id      0..n rows
-- locks: none      index: none (an erasure is rare, an index would be paid at every visit)
-- scope: fanout (an erasure visits all buckets of a shop)
SELECT bucket, id
FROM visitors
WHERE bucket = ANY(%(buckets)s::int[]) AND cart_id = ANY(%(cart_ids)s::uuid[]);

-- name: part_visitors_from_carts
-- These visitors no longer lead to the carts they led to.
-- in:    :bucket int, :ids uuid[], :cart_ids uuid[]
-- out:   nothing
-- locks: visitors rows      index: visitors_pkey
UPDATE visitors SET cart_bucket = NULL, cart_id = NULL, facts = facts - 'cart_ms'
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) AND cart_id = ANY(%(cart_ids)s::uuid[]);

-- name: part_carts_from_shopper
-- Carts that were blanked belong to nobody: a browser that goes on with one must not lead to who was erased.
-- in:    :bucket int, :ids uuid[], :shopper_id uuid
-- out:   nothing
-- locks: carts rows (held by the caller)      index: carts_pkey
UPDATE carts SET shopper_bucket = NULL, shopper_id = NULL, seq = seq + 1
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) AND shopper_id = %(shopper_id)s;

-- name: drop_visitors
-- Visitors that led to an erased shopper are unknown from now on.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: visitors rows      index: visitors_pkey
DELETE FROM visitors
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: blank_shopper
-- A shopper without name, account and traits; orders stay counted.
-- in:    :bucket int, :id uuid, :at timestamptz
-- out:   nothing
-- locks: shoppers row (held by the caller)      index: shoppers_pkey
UPDATE shoppers SET customer_key = NULL, first_name = '', last_name = '', locale = '', country = '', region = '',
  timezones = '[]', traits = '{}', preferences = NULL, opted_out_at = coalesce(opted_out_at, %(at)s), erased_at = coalesce(erased_at, %(at)s),
  seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: blank_contacts
-- Addresses without the address: their keyed hash still says whose they were, and no.
-- in:    :bucket int, :ids uuid[], :at timestamptz
-- out:   nothing
-- locks: contact_points rows      index: contact_points_pkey
UPDATE contact_points SET address = '', consent = 'withdrawn', consent_at = greatest(consent_at, %(at)s),
  consent_wording = '', consent_confirmed = false, consent_written = false, consent_names_carts = false
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: blank_sends
-- What was fixed in a message for this shopper.
-- in:    :bucket int, :shopper_id uuid
-- out:   nothing
-- locks: sends rows      index: sends_shopper
UPDATE sends SET context = '{}'
WHERE bucket = %(bucket)s AND shopper_id = %(shopper_id)s;

-- name: blank_send_events
-- What providers said about the shopper's messages.
-- in:    :bucket int, :shopper_id uuid
-- out:   nothing
-- locks: send_events rows      index: send_events_send, sends_shopper
UPDATE send_events v SET detail = '{}'
FROM sends s
WHERE v.bucket = %(bucket)s AND s.bucket = %(bucket)s AND s.shopper_id = %(shopper_id)s AND v.send_id = s.id;
