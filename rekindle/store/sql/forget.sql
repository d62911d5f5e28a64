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
-- Carts keep what was in them and what became of them, and no way back to anybody.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: carts rows (held by the caller)      index: carts_pkey
UPDATE carts SET cart_key = 'erased:' || id, visitor_key = NULL, checkout_key = NULL, recover_url = NULL,
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
