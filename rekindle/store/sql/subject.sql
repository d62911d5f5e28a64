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
