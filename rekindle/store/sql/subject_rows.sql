-- Every row about one person, table by table, for the file a person may ask for. Hashes of tokens, keys of browsers and
-- the seed of a message stay out: they tell nothing about the person and open things.

-- name: rows_of_shoppers
-- Who the person is in this shop.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: shoppers_pkey
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM shoppers t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_contact_points
-- Addresses, and what was agreed to for each.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[], :hashes bytea[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: contact_points_shopper
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM contact_points t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND (t.shopper_id = ANY(%(shopper_ids)s::uuid[]) OR t.address_hash = ANY(%(hashes)s::bytea[]))
ORDER BY t.bucket, t.id;

-- name: rows_of_devices
-- Browsers and apps that show messages.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: devices_shopper
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t) - '{public_key,auth}'::text[]
FROM devices t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.shopper_id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_visitors
-- Visits and outside keys that lead to the person.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: none (an export is rare)
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM visitors t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.shopper_id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_carts
-- What was put into carts, and what became of them.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: carts_shopper
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM carts t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.shopper_id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_events
-- What happened at the shop, as it was told.
-- in:    :buckets int[], :shop_id bigint, :cart_ids uuid[], :visitor_keys text[], :order_keys text[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: events_cart, events_lonely
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM events t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND (t.cart_id = ANY(%(cart_ids)s::uuid[]) OR t.visitor_key = ANY(%(visitor_keys)s::text[])
    OR (t.cart_id IS NULL AND t.payload->'order'->>'order_key' = ANY(%(order_keys)s::text[])))
ORDER BY t.bucket, t.id;

-- name: rows_of_orders
-- Purchases.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[], :cart_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: none (an export is rare)
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM orders t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND (t.shopper_id = ANY(%(shopper_ids)s::uuid[]) OR t.cart_id = ANY(%(cart_ids)s::uuid[]))
ORDER BY t.bucket, t.id;

-- name: rows_of_enrolments
-- Runs of carts through a flow.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: enrolments_shopper
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM enrolments t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.shopper_id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_sends
-- Messages that were planned or sent.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: sends_shopper
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t) - '{link_hash,optout_hash}'::text[]
FROM sends t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.shopper_id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_outbox
-- Messages that wait, or are on their way.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: outbox_shopper
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t) - '{seed,letter_hash}'::text[]
FROM outbox t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.shopper_id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_send_events
-- What became of messages: delivered, clicked, bounced.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[], :send_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: send_events_send
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM send_events t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND (t.shopper_id = ANY(%(shopper_ids)s::uuid[]) OR t.send_id = ANY(%(send_ids)s::uuid[]))
ORDER BY t.bucket, t.id;

-- name: rows_of_decisions
-- What was decided, and why.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[], :cart_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: decisions_cart
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM decisions t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND (t.shopper_id = ANY(%(shopper_ids)s::uuid[]) OR t.cart_id = ANY(%(cart_ids)s::uuid[]))
ORDER BY t.bucket, t.id;

-- name: rows_of_exposures
-- Into which group of a comparison the person was drawn.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: none (an export is rare)
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM exposures t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.shopper_id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_coupons
-- Codes that were issued to the person.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: none (an export is rare)
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM coupons t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.shopper_id = ANY(%(shopper_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_attributions
-- Which order is credited to which message.
-- in:    :buckets int[], :shop_id bigint, :order_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: none (an export is rare)
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM attributions t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.order_id = ANY(%(order_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_consents
-- What was agreed to or withdrawn, with the wording.
-- in:    :buckets int[], :shop_id bigint, :hashes bytea[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: consents_chain
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM consents t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.address_hash = ANY(%(hashes)s::bytea[])
ORDER BY t.bucket, t.id;

-- name: rows_of_opt_in_requests
-- Addresses that were asked to confirm.
-- in:    :buckets int[], :shop_id bigint, :send_ids uuid[], :contact_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: none (an export is rare)
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM opt_in_requests t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND (t.send_id = ANY(%(send_ids)s::uuid[]) OR t.id = ANY(%(contact_ids)s::uuid[]))
ORDER BY t.bucket, t.id;

-- name: rows_of_suppressions
-- Addresses that are not written to.
-- in:    :buckets int[], :shop_id bigint, :hashes bytea[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: suppressions_pkey
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM suppressions t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.address_hash = ANY(%(hashes)s::bytea[])
ORDER BY t.bucket, t.address_hash;

-- name: rows_of_replies
-- What the person wrote back.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[], :hashes bytea[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: replies_address
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM replies t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND (t.shopper_id = ANY(%(shopper_ids)s::uuid[]) OR t.address_hash = ANY(%(hashes)s::bytea[]))
ORDER BY t.bucket, t.id;

-- name: rows_of_privacy_requests
-- Requests about personal data.
-- in:    :buckets int[], :shop_id bigint, :shopper_ids uuid[], :request_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: privacy_requests_received
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM privacy_requests t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND (t.shopper_id = ANY(%(shopper_ids)s::uuid[]) OR t.id = ANY(%(request_ids)s::uuid[]))
ORDER BY t.bucket, t.id;

-- name: rows_of_privacy_events
-- What was done about these requests.
-- in:    :buckets int[], :shop_id bigint, :request_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: privacy_events_request
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t)
FROM privacy_events t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.request_id = ANY(%(request_ids)s::uuid[])
ORDER BY t.bucket, t.id;

-- name: rows_of_subject_exports
-- Files that were made of this kind.
-- in:    :buckets int[], :shop_id bigint, :request_ids uuid[]
-- out:   one jsonb object a row      0..n rows
-- locks: none      index: subject_exports_request
-- scope: fanout (an export looks at all buckets of a shop)
SELECT to_jsonb(t) - '{content}'::text[]
FROM subject_exports t
WHERE t.bucket = ANY(%(buckets)s::int[]) AND t.shop_id = %(shop_id)s
  AND t.request_id = ANY(%(request_ids)s::uuid[])
ORDER BY t.bucket, t.id;
