-- Erasure: what is left of a person is a pseudonym and a suppression.

-- name: erase_shopper
-- Take everything personal off a shopper; the row stays, so that sums and past sends keep their subject.
-- in:    :bucket int, :id uuid, :now timestamptz
-- out:   id      0..1 rows
-- locks: shoppers row (held by the caller)      index: shoppers_pkey
UPDATE shoppers
SET customer_key = NULL, first_name = '', last_name = '', locale = '', country = '', region = '', timezones = '[]',
  traits = '{}', erased_at = coalesce(erased_at, %(now)s), opted_out_at = coalesce(opted_out_at, %(now)s), seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s
RETURNING id;

-- name: erase_contacts
-- Take the addresses off some contact points; their keyed hashes stay.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: contact_points rows      index: contact_points_pkey
UPDATE contact_points SET address = '', consent_wording = ''
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: carts_of_shopper_ever
-- Every cart of a shopper in one bucket, with the visit it came from.
-- in:    :bucket int, :shopper_id uuid
-- out:   id, visitor_key      0..n rows
-- locks: none      index: carts_shopper
SELECT id, visitor_key FROM carts
WHERE bucket = %(bucket)s AND shopper_id = %(shopper_id)s;

-- name: blank_carts
-- Carts without what leads back to a person.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: carts rows      index: carts_pkey
UPDATE carts SET visitor_key = NULL, recover_url = NULL, checkout_key = NULL, check_at = NULL, facts = '{}', seq = seq + 1
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: blank_events
-- Events of carts without what was told in them.
-- in:    :bucket int, :cart_ids uuid[]
-- out:   nothing
-- locks: events rows      index: events_cart
UPDATE events SET payload = '{}', visitor_key = NULL
WHERE bucket = %(bucket)s AND cart_id = ANY(%(cart_ids)s::uuid[]);
