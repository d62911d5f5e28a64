-- What is withdrawn when a cart is no longer left behind, a shopper ordered, opted out or was erased. Rows in `sending`
-- are left alone: their call may have begun, and the sender's second lock sees what happened here.

-- name: exit_runs_of_carts
-- End the waiting runs of some carts.
-- in:    :bucket int, :cart_ids uuid[], :reason text, :now timestamptz
-- out:   id, cart_id, shopper_id, step      0..n rows
-- locks: enrolments rows in id order      index: enrolments_cart
WITH held AS MATERIALIZED (
  SELECT id FROM enrolments
  WHERE bucket = %(bucket)s AND cart_id = ANY(%(cart_ids)s::uuid[]) AND state = 'waiting'
  ORDER BY id FOR UPDATE
)
UPDATE enrolments e SET state = 'exited', exit_reason = %(reason)s, due_at = NULL, ended_at = %(now)s
FROM held h
WHERE e.bucket = %(bucket)s AND e.id = h.id
RETURNING e.id, e.cart_id, e.shopper_id, e.step;

-- name: exit_runs_of_shoppers
-- End the waiting runs of some shoppers about carts that were left before an instant.
-- in:    :bucket int, :shopper_ids uuid[], :left_before timestamptz, :reason text, :now timestamptz
-- out:   id, cart_id, shopper_id, step      0..n rows
-- locks: enrolments rows in id order (the caller holds the shoppers)      index: enrolments_shopper
WITH held AS MATERIALIZED (
  SELECT id FROM enrolments
  WHERE bucket = %(bucket)s AND shopper_id = ANY(%(shopper_ids)s::uuid[]) AND state = 'waiting'
    AND abandoned_at <= %(left_before)s
  ORDER BY id FOR UPDATE
)
UPDATE enrolments e SET state = 'exited', exit_reason = %(reason)s, due_at = NULL, ended_at = %(now)s
FROM held h
WHERE e.bucket = %(bucket)s AND e.id = h.id
RETURNING e.id, e.cart_id, e.shopper_id, e.step;

-- name: drop_pending_of_carts
-- Take the sends of some carts out of the outbox that nobody has begun to send.
-- in:    :bucket int, :cart_ids uuid[], :shopper_ids uuid[]
-- out:   id, shopper_id, enrolment_id, cart_id, step, channel      0..n rows
-- locks: outbox rows in id order      index: outbox_shopper, sends_pkey
WITH held AS MATERIALIZED (
  SELECT o.id, o.shopper_id, o.enrolment_id, o.channel, s.cart_id, s.step
  FROM outbox o JOIN sends s ON s.bucket = %(bucket)s AND s.id = o.id
  WHERE o.bucket = %(bucket)s AND o.shopper_id = ANY(%(shopper_ids)s::uuid[]) AND o.state IN ('scheduled', 'claimed')
    AND s.cart_id = ANY(%(cart_ids)s::uuid[])
  ORDER BY o.id FOR UPDATE OF o
)
DELETE FROM outbox x USING held h
WHERE x.bucket = %(bucket)s AND x.id = h.id
RETURNING h.id, h.shopper_id, h.enrolment_id, h.cart_id, h.step, h.channel;

-- name: drop_pending_of_shoppers
-- The same for all sends of some shoppers about carts that were left before an instant; a question whether the address
-- agrees is about no cart.
-- in:    :bucket int, :shopper_ids uuid[], :left_before timestamptz
-- out:   id, shopper_id, enrolment_id, cart_id, step, channel      0..n rows
-- locks: outbox rows in id order (the caller holds the shoppers)      index: outbox_shopper, sends_pkey, enrolments_pkey
WITH held AS MATERIALIZED (
  SELECT o.id, o.shopper_id, o.enrolment_id, o.channel, s.cart_id, s.step
  FROM outbox o
  LEFT JOIN sends s ON s.bucket = %(bucket)s AND s.id = o.id
  LEFT JOIN enrolments e ON e.bucket = %(bucket)s AND e.id = o.enrolment_id
  WHERE o.bucket = %(bucket)s AND o.shopper_id = ANY(%(shopper_ids)s::uuid[]) AND o.state IN ('scheduled', 'claimed')
    AND (e.id IS NULL OR e.abandoned_at <= %(left_before)s) AND s.kind IS DISTINCT FROM 'confirmation'
  ORDER BY o.id FOR UPDATE OF o
)
DELETE FROM outbox x USING held h
WHERE x.bucket = %(bucket)s AND x.id = h.id
RETURNING h.id, h.shopper_id, h.enrolment_id, h.cart_id, h.step, h.channel;

-- name: drop_pending_of_channels
-- The same for one shopper's sends on some channels.
-- in:    :bucket int, :shopper_id uuid, :channels text[]
-- out:   id, shopper_id, enrolment_id, cart_id, step, channel      0..n rows
-- locks: outbox rows in id order (the caller holds the shopper)      index: outbox_shopper, sends_pkey
WITH held AS MATERIALIZED (
  SELECT o.id, o.shopper_id, o.enrolment_id, o.channel, s.cart_id, s.step
  FROM outbox o LEFT JOIN sends s ON s.bucket = %(bucket)s AND s.id = o.id
  WHERE o.bucket = %(bucket)s AND o.shopper_id = %(shopper_id)s AND o.state IN ('scheduled', 'claimed')
    AND o.channel = ANY(%(channels)s)
  ORDER BY o.id FOR UPDATE OF o
)
DELETE FROM outbox x USING held h
WHERE x.bucket = %(bucket)s AND x.id = h.id
RETURNING h.id, h.shopper_id, h.enrolment_id, h.cart_id, h.step, h.channel;
