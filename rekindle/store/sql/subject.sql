-- What is known and kept about one person, as requests about personal data read and change it.

-- name: home_of_shopper
-- Country and region of a shopper, as far as known.
-- in:    :bucket int, :id uuid
-- out:   country, region      0..1 row
-- locks: none      index: shoppers_pkey
SELECT country, region FROM shoppers WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: note_objection
-- The shopper objected to marketing: no message and no profile any more; what had been noted about them goes, but the
-- keys of the visit that first made them known, which decide whose an address is.
-- in:    :bucket int, :id uuid, :at timestamptz
-- out:   nothing
-- locks: shoppers row      index: shoppers_pkey
UPDATE shoppers SET objected_at = coalesce(objected_at, %(at)s), timezones = '[]',
  traits = jsonb_strip_nulls(jsonb_build_object('_origin', traits->'_origin')), seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: stop_sale
-- Nothing about the shopper is passed on to anybody, as if each of their browsers said so (Global Privacy Control).
-- in:    :bucket int, :id uuid
-- out:   nothing
-- locks: shoppers row      index: shoppers_pkey
UPDATE shoppers SET gpc = true, seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s AND NOT gpc;

-- name: blank_privacy_requests
-- What requests say about an erased person: the hash of an address stays, the address and their words go.
-- in:    :bucket int, :shop_id bigint, :hashes text[], :shopper_id uuid
-- out:   id      0..n rows
-- locks: privacy_requests rows      index: privacy_requests_received
UPDATE privacy_requests SET note = '', customer_key = '', subjects = (
    SELECT coalesce(jsonb_agg(one || '{"address": ""}'), '[]') FROM jsonb_array_elements(subjects) AS one)
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s
  AND (shopper_id = %(shopper_id)s OR jsonb_path_query_array(subjects, '$[*].hash') ?| %(hashes)s::text[])
RETURNING id;

-- name: blank_privacy_events
-- What people wrote into the history of these requests.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: privacy_events rows      index: privacy_events_request
UPDATE privacy_events SET detail = detail - 'text'
WHERE bucket = %(bucket)s AND request_id = ANY(%(ids)s::uuid[]) AND detail ? 'text';

-- name: drop_exports_of_requests
-- Files about an erased person.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: subject_exports rows      index: subject_exports_request
UPDATE subject_exports SET content = NULL, state = 'expired'
WHERE bucket = %(bucket)s AND request_id = ANY(%(ids)s::uuid[]) AND state <> 'taken';

-- name: suppression_reason
-- Why an address is not written to.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea
-- out:   reason      0..1 row
-- locks: none      index: suppressions_pkey
SELECT reason FROM suppressions
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND channel = %(channel)s AND address_hash = %(address_hash)s;

-- name: correct_names
-- The right names, where one is given.
-- in:    :bucket int, :id uuid, :first_name text, :last_name text
-- out:   nothing
-- locks: shoppers row      index: shoppers_pkey
UPDATE shoppers SET first_name = coalesce(%(first_name)s::text, first_name),
  last_name = coalesce(%(last_name)s::text, last_name), seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s AND erased_at IS NULL;

-- name: move_carts
-- Carts of a shopper who turned out to be another one.
-- in:    :bucket int, :ids uuid[], :from_id uuid, :to_bucket int, :to_id uuid
-- out:   nothing
-- locks: carts rows (held by the caller)      index: carts_pkey
UPDATE carts SET shopper_bucket = %(to_bucket)s, shopper_id = %(to_id)s, seq = seq + 1
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) AND shopper_id = %(from_id)s;

-- name: move_visitor
-- A visit of such a shopper.
-- in:    :bucket int, :id uuid, :from_id uuid, :to_bucket int, :to_id uuid
-- out:   nothing
-- locks: visitors row      index: visitors_pkey
UPDATE visitors SET shopper_bucket = %(to_bucket)s, shopper_id = %(to_id)s
WHERE bucket = %(bucket)s AND id = %(id)s AND shopper_id = %(from_id)s;

-- name: move_order
-- A purchase of a shopper who turned out to be another one.
-- in:    :bucket int, :id uuid, :to_bucket int, :to_id uuid
-- out:   nothing
-- locks: orders row      index: orders_pkey
UPDATE orders SET shopper_bucket = %(to_bucket)s, shopper_id = %(to_id)s
WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: empty_shopper
-- A shopper who turned out to be another one: nothing is left but the row that messages point to.
-- in:    :bucket int, :id uuid
-- out:   order_count, spent_cents, last_order_at, as they were      1 row
-- locks: shoppers row (held by the caller)      index: shoppers_pkey
WITH was AS MATERIALIZED (
  SELECT id, order_count, spent_cents, last_order_at FROM shoppers WHERE bucket = %(bucket)s AND id = %(id)s FOR UPDATE
)
UPDATE shoppers s SET customer_key = NULL, first_name = '', last_name = '', order_count = 0, spent_cents = 0,
  timezones = '[]', traits = '{}', seq = s.seq + 1
FROM was
WHERE s.bucket = %(bucket)s AND s.id = was.id
RETURNING was.order_count, was.spent_cents, was.last_order_at;

-- name: add_counts
-- What such a shopper had bought.
-- in:    :bucket int, :id uuid, :order_count int, :spent_cents bigint, :last_order_at timestamptz
-- out:   nothing
-- locks: shoppers row      index: shoppers_pkey
UPDATE shoppers SET order_count = order_count + %(order_count)s, spent_cents = spent_cents + %(spent_cents)s,
  last_order_at = greatest(last_order_at, %(last_order_at)s), seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s;
