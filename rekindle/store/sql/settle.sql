-- Sends whose worker died, and sends of which nobody knows whether they went out.

-- name: buckets_to_settle
-- Which of these buckets have a lease that ended, or a doubt that is old enough to be cleared?
-- in:    :buckets int[], :now timestamptz, :settled_before timestamptz
-- out:   bucket                               0..n rows
-- locks: none      index: outbox_leased, outbox_uncertain
-- scope: fanout (one sweep over the buckets of a worker, every few seconds; never locks)
SELECT bucket FROM outbox
WHERE bucket = ANY(%(buckets)s::int[]) AND state IN ('claimed', 'sending') AND lease_until <= %(now)s
UNION
SELECT bucket FROM outbox
WHERE bucket = ANY(%(buckets)s::int[]) AND state = 'uncertain' AND uncertain_at <= %(settled_before)s;

-- name: release_ended_claims
-- A worker died before it sent anything of these: they wait again at once.
-- in:    :bucket int, :now timestamptz, :limit int
-- out:   id                                   0..n rows
-- locks: outbox rows, SKIP LOCKED      index: outbox_leased
WITH ended AS MATERIALIZED (
  SELECT id FROM outbox
  WHERE bucket = %(bucket)s AND state = 'claimed' AND lease_until <= %(now)s
  ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET state = 'scheduled', lease_until = NULL
FROM ended WHERE o.bucket = %(bucket)s AND o.id = ended.id
RETURNING o.id;

-- name: doubt_ended_calls
-- A worker died between the start of a call and its record: perhaps sent, never repeated blindly. The doubt begins
-- when the lease ended, so that the settle time counts from there.
-- in:    :bucket int, :now timestamptz, :limit int
-- out:   id, shop_id, shopper_id, account_id      0..n rows
-- locks: outbox rows, SKIP LOCKED      index: outbox_leased
WITH ended AS MATERIALIZED (
  SELECT id FROM outbox
  WHERE bucket = %(bucket)s AND state = 'sending' AND lease_until <= %(now)s
  ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET state = 'uncertain', uncertain_at = o.lease_until, lease_until = NULL
FROM ended WHERE o.bucket = %(bucket)s AND o.id = ended.id
RETURNING o.id, o.shop_id, o.shopper_id, o.account_id;

-- name: settled_doubts
-- Doubts that are old enough: nothing that was under way when they began can still arrive.
-- in:    :bucket int, :settled_before timestamptz, :limit int
-- out:   id, shop_id, shopper_id, channel, account_id, attempts, uncertain_at, first_try_at, letter_hash, seed
--        0..n rows
-- locks: none (what follows is conditional on uncertain_at)      index: outbox_uncertain
SELECT id, shop_id, shopper_id, channel, account_id, attempts, uncertain_at, first_try_at, letter_hash, seed
FROM outbox
WHERE bucket = %(bucket)s AND state = 'uncertain' AND uncertain_at <= %(settled_before)s
ORDER BY uncertain_at
LIMIT %(limit)s;

-- name: number_of_send
-- Whom a doubtful text message was for.
-- in:    :bucket int, :id uuid
-- out:   address      0..1 rows
-- locks: none      index: sends_pkey, contact_points_pkey
SELECT c.address
FROM sends s
JOIN contact_points c ON c.bucket = s.bucket AND c.id = s.contact_point_id
WHERE s.bucket = %(bucket)s AND s.id = %(id)s AND c.bucket = %(bucket)s;

-- name: clear_doubt_sent
-- The provider says that it took this one.
-- in:    :bucket int, :id uuid, :uncertain_at timestamptz
-- out:   id                                   0..1 rows
-- locks: one outbox row      index: outbox_pkey
DELETE FROM outbox
WHERE bucket = %(bucket)s AND id = %(id)s AND state = 'uncertain' AND uncertain_at = %(uncertain_at)s
RETURNING id;

-- name: clear_doubt_not_sent
-- The provider never took this one, or repeats nothing for the same key: it waits again. With :account_id it may only
-- go out by that account, whose key it repeats.
-- in:    :bucket int, :id uuid, :uncertain_at timestamptz, :send_at timestamptz, :account_id bigint
-- out:   id                                   0..1 rows
-- locks: one outbox row      index: outbox_pkey
UPDATE outbox SET state = 'scheduled', uncertain_at = NULL, send_at = %(send_at)s, account_id = %(account_id)s
WHERE bucket = %(bucket)s AND id = %(id)s AND state = 'uncertain' AND uncertain_at = %(uncertain_at)s
RETURNING id;

-- name: doubt_of_send
-- One uncertain send of a shop.
-- in:    :bucket int, :id uuid, :shop_id bigint
-- out:   Doubt columns                        0..1 rows
-- locks: none (what follows is conditional on uncertain_at)      index: outbox_pkey
SELECT id, shop_id, shopper_id, channel, account_id, attempts, uncertain_at, first_try_at, letter_hash, seed
FROM outbox
WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s AND state = 'uncertain';

-- name: failed_send
-- A send that certainly did not go out and is closed: nothing else was ever told of it that could be true as well.
-- in:    :bucket int, :id uuid, :shop_id bigint
-- out:   shopper_id, enrolment_id, channel      0..1 rows
-- locks: none (only one copy of a send can be made)      index: sends_pkey, send_events_send, outbox_pkey
SELECT s.shopper_id, s.enrolment_id, s.channel
FROM sends s
JOIN send_events v ON v.bucket = %(bucket)s AND v.send_id = s.id
LEFT JOIN outbox o ON o.bucket = %(bucket)s AND o.id = s.id
WHERE s.bucket = %(bucket)s AND s.id = %(id)s AND s.shop_id = %(shop_id)s
GROUP BY s.shopper_id, s.enrolment_id, s.channel
HAVING bool_or(v.kind = 'failed') AND bool_and(v.kind IN ('failed', 'uncertain', 'deferred'))
  AND bool_and(v.reason IS DISTINCT FROM 'OPERATOR') AND count(o.id) = 0;

-- name: uncertain_sends
-- The operator's list of a shop: what nobody knows, oldest first, with what helps to find out.
-- in:    :buckets int[], :shop_id bigint, :limit int
-- out:   bucket, id, channel, step, cart_bucket, cart_id, shopper_id, account_id, uncertain_at, address      0..n rows
-- locks: none      index: outbox_uncertain
-- scope: fanout (a shop's page reads the shop's own buckets)
SELECT o.bucket, o.id, o.channel, s.step, s.cart_bucket, s.cart_id, o.shopper_id, o.account_id, o.uncertain_at, c.address
FROM outbox o
LEFT JOIN sends s ON s.bucket = o.bucket AND s.id = o.id
LEFT JOIN contact_points c ON c.bucket = s.bucket AND c.id = s.contact_point_id
WHERE o.bucket = ANY(%(buckets)s::int[]) AND o.shop_id = %(shop_id)s AND o.state = 'uncertain'
ORDER BY o.uncertain_at
LIMIT %(limit)s;

-- name: take_uncertain_send
-- An operator decides about one uncertain send: out of the outbox with it, once.
-- in:    :bucket int, :id uuid, :shop_id bigint
-- out:   shopper_id, enrolment_id, channel      0..1 rows
-- locks: one outbox row      index: outbox_pkey
DELETE FROM outbox
WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s AND state = 'uncertain'
RETURNING shopper_id, enrolment_id, channel;

-- name: send_cart_and_step
-- What a decision about a send names.
-- in:    :bucket int, :id uuid
-- out:   cart_id, step                        0..1 rows
-- locks: none      index: sends_pkey
SELECT cart_id, step FROM sends WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: copy_send
-- The same message once more, as a new send with links of its own. A second try of the same copy adds nothing.
-- in:    :bucket int, :id uuid, :new_id uuid, :now timestamptz, :link_hash bytea, :optout_hash bytea
-- out:   id                                   0..1 rows
-- locks: none      index: sends_pkey
INSERT INTO sends (bucket, id, shop_id, enrolment_id, flow_id, flow_version_id, step, channel, shopper_id,
  contact_point_id, cart_bucket, cart_id, template_version_id, created_at, planned_at, link_hash, optout_hash, context,
  kind)
SELECT %(bucket)s, %(new_id)s, s.shop_id, s.enrolment_id, s.flow_id, s.flow_version_id, s.step, s.channel, s.shopper_id,
  s.contact_point_id, s.cart_bucket, s.cart_id, s.template_version_id, %(now)s, s.planned_at, %(link_hash)s,
  %(optout_hash)s, s.context, s.kind
FROM sends s
WHERE s.bucket = %(bucket)s AND s.id = %(id)s
ON CONFLICT (bucket, id) DO NOTHING
RETURNING id;

-- name: queue_send
-- Put a send into the outbox, due now.
-- in:    :bucket int, :id uuid, :now timestamptz, :seed bytea
-- out:   nothing
-- locks: none      index: outbox_pkey
INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed)
SELECT %(bucket)s, s.id, s.shop_id, s.shopper_id, s.enrolment_id, s.channel, 'scheduled', %(now)s, 0, %(seed)s
FROM sends s
WHERE s.bucket = %(bucket)s AND s.id = %(id)s;
