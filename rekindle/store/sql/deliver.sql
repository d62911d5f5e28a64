-- Sends on their way out: claim, facts, the two locks, what became of them. The states are in docs/reference/states.md.

-- name: due_buckets
-- Which of these buckets have a send that is due, and since when? The most overdue first.
-- in:    :buckets int[], :now timestamptz
-- out:   bucket, due_at                       0..n rows
-- locks: none      index: outbox_due, index-only over due rows
-- scope: fanout (one sweep over the buckets of a worker, when it knows of no work; never locks)
SELECT bucket, min(send_at) AS due_at
FROM outbox
WHERE bucket = ANY(%(buckets)s) AND state = 'scheduled' AND send_at <= %(now)s
GROUP BY bucket
ORDER BY 2;

-- name: next_send_at
-- When does the next send of these buckets become due?
-- in:    :buckets int[]
-- out:   send_at                              1 row, NULL when nothing waits
-- locks: none      index: outbox_due
-- scope: fanout (as due_buckets; asked only when nothing is due)
SELECT min(send_at) AS send_at
FROM outbox
WHERE bucket = ANY(%(buckets)s) AND state = 'scheduled';

-- name: claim_due_sends
-- Take at most :limit due sends, fair between the shops that have some: each gets limit / number of such shops.
-- A recursive loose index scan finds the shops after :after; a shop with little leaves the batch short, the next claim
-- fills up. The claim is written: a crash leaves `claimed`, which is handed back when the lease ends.
-- in:    :bucket int, :after bigint, :now timestamptz, :limit int, :lease_until timestamptz
-- out:   id, shop_id, shopper_id, enrolment_id, channel, attempts, send_at, seed, account_id, first_try_at,
--        letter_hash      0..n rows
-- locks: outbox rows, SKIP LOCKED      index: outbox_shop_due
WITH RECURSIVE pending AS (
  (SELECT o.shop_id, o.send_at FROM outbox o
   WHERE o.bucket = %(bucket)s AND o.state = 'scheduled' AND o.shop_id > %(after)s
   ORDER BY o.shop_id, o.send_at LIMIT 1)
  UNION ALL
  SELECT n.shop_id, n.send_at FROM pending p CROSS JOIN LATERAL (
    SELECT o.shop_id, o.send_at FROM outbox o
    WHERE o.bucket = %(bucket)s AND o.state = 'scheduled' AND o.shop_id > p.shop_id
    ORDER BY o.shop_id, o.send_at LIMIT 1) n
),
ready AS MATERIALIZED (SELECT shop_id FROM pending WHERE send_at <= %(now)s),
due AS MATERIALIZED (
  SELECT d.id FROM ready r CROSS JOIN LATERAL (
    SELECT o.id FROM outbox o
    WHERE o.bucket = %(bucket)s AND o.shop_id = r.shop_id AND o.state = 'scheduled' AND o.send_at <= %(now)s
    ORDER BY o.send_at
    LIMIT (SELECT greatest(%(limit)s / greatest(count(*), 1), 1) FROM ready)
    FOR UPDATE SKIP LOCKED) d
  LIMIT %(limit)s
)
UPDATE outbox m
SET state = 'claimed', lease_until = %(lease_until)s
FROM due
WHERE m.bucket = %(bucket)s AND m.id = due.id
RETURNING m.id, m.shop_id, m.shopper_id, m.enrolment_id, m.channel, m.attempts, m.send_at, m.seed, m.account_id,
  m.first_try_at, m.letter_hash;

-- name: send_facts
-- Everything the decision and the message need, for the claimed sends of one batch. A missing row gives NULLs, and
-- NULL means no. The cart is joined only when it lies in the same bucket (carts_elsewhere reads the others). Suppressions
-- are looked up by columns of the contact point alone: by those of two tables the planner skips through the index.
-- in:    :bucket int, :ids uuid[]
-- out:   id and the columns below             0..n rows
-- locks: none      index: primary keys
SELECT o.id, s.step, s.contact_point_id, s.cart_bucket, s.cart_id, s.template_version_id, s.flow_id, s.context,
  s.kind, s.planned_at,
  e.state AS enrolment_state, e.arm, e.exit_reason, e.abandoned_at,
  p.first_name, p.country, p.region, p.timezones, p.last_order_at, p.order_count, p.opted_out_at, p.erased_at,
  p.preferences, c.address, c.consent, c.consent_at, c.consent_wording, c.consent_confirmed, c.consent_written,
  c.consent_names_carts,
  CASE WHEN c.id IS NULL THEN NULL ELSE x.address_hash IS NOT NULL END AS suppressed,
  k.state AS cart_state, k.touched_at, k.order_key IS NOT NULL AS ordered, k.items, k.currency, k.total_cents,
  k.stage AS cart_stage
FROM outbox o
JOIN sends s ON s.bucket = %(bucket)s AND s.id = o.id
LEFT JOIN enrolments e ON e.bucket = %(bucket)s AND e.id = o.enrolment_id
LEFT JOIN shoppers p ON p.bucket = %(bucket)s AND p.id = o.shopper_id
LEFT JOIN contact_points c ON c.bucket = %(bucket)s AND c.id = s.contact_point_id AND c.shopper_id = o.shopper_id
  AND c.channel = o.channel
LEFT JOIN suppressions x ON x.bucket = %(bucket)s AND x.shop_id = c.shop_id AND x.channel = c.channel
  AND x.address_hash = c.address_hash
LEFT JOIN carts k ON k.bucket = %(bucket)s AND k.id = s.cart_id AND s.cart_bucket = %(bucket)s
WHERE o.bucket = %(bucket)s AND o.id = ANY(%(ids)s::uuid[]);

-- name: carts_elsewhere
-- Carts of a batch that lie in other buckets than their shoppers: only shops that spread over several have them.
-- in:    :buckets int[], :ids uuid[]
-- out:   id, cart_state, touched_at, ordered, items, currency, total_cents, cart_stage      0..n rows
-- locks: none      index: carts_pkey
-- scope: fanout (a spread shop's carts lie by cart key, its shoppers by address)
SELECT k.id, k.state AS cart_state, k.touched_at, k.order_key IS NOT NULL AS ordered, k.items, k.currency, k.total_cents,
  k.stage AS cart_stage
FROM carts k
WHERE k.bucket = ANY(%(buckets)s) AND k.id = ANY(%(ids)s::uuid[]);

-- name: send_history
-- Earlier messages to these shoppers that count towards caps: handed over, refused after hand-over, or perhaps sent.
-- :ids (the sends being decided) are left out, and so are questions whether an address agrees. The array in the middle makes the planner probe events by send.
-- in:    :bucket int, :shopper_ids uuid[], :ids uuid[], :since timestamptz, :since_id uuid
-- out:   shopper_id, channel, cart_id, enrolment_id, planned_at, at      0..n rows
-- locks: none      index: sends_shopper, send_events_send, outbox_shopper
WITH prior AS MATERIALIZED (
  SELECT s.id, s.shopper_id, s.channel, s.cart_id, s.enrolment_id, s.planned_at FROM sends s
  WHERE s.bucket = %(bucket)s AND s.shopper_id = ANY(%(shopper_ids)s::uuid[]) AND s.created_at >= %(since)s
    AND NOT (s.id = ANY(%(ids)s::uuid[])) AND s.kind = 'reminder'
),
went AS (
  SELECT v.send_id, min(v.at) AS at FROM send_events v
  WHERE v.bucket = %(bucket)s AND v.id >= %(since_id)s AND v.send_id = ANY(ARRAY(SELECT id FROM prior))
    AND v.kind IN ('handed_over', 'delivered', 'bounced', 'failed')
  GROUP BY v.send_id
  UNION ALL
  SELECT o.id, coalesce(o.uncertain_at, o.lease_until) FROM outbox o
  WHERE o.bucket = %(bucket)s AND o.shopper_id = ANY(%(shopper_ids)s::uuid[]) AND o.state IN ('sending', 'uncertain')
)
SELECT p.shopper_id, p.channel, p.cart_id, p.enrolment_id, p.planned_at, w.at
FROM prior p JOIN went w ON w.send_id = p.id;

-- name: drop_claimed
-- These claimed sends end here (decided not to send); says which were still ours, only those get their event.
-- in:    :bucket int, :ids uuid[], :lease_until timestamptz
-- out:   id                                   0..n rows
-- locks: outbox rows in id order      index: outbox_pkey
WITH ours AS (
  SELECT id FROM outbox
  WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) AND state = 'claimed' AND lease_until = %(lease_until)s
  ORDER BY id FOR UPDATE
)
DELETE FROM outbox m USING ours WHERE m.bucket = %(bucket)s AND m.id = ours.id
RETURNING m.id;

-- name: hand_back
-- Claimed sends go back to waiting: :rows is [{"id", "send_at"}], sorted by id; no attempt is used up.
-- in:    :bucket int, :rows jsonb, :lease_until timestamptz
-- out:   id                                   0..n rows
-- locks: outbox rows      index: outbox_pkey
UPDATE outbox m
SET state = 'scheduled', lease_until = NULL, send_at = r.send_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (id uuid, send_at timestamptz)
WHERE m.bucket = %(bucket)s AND m.id = r.id AND m.state = 'claimed' AND m.lease_until = %(lease_until)s
RETURNING m.id;

-- name: mark_sending
-- First lock: from here on a crash means "perhaps sent". Only while the lease still runs; a fresh one begins. The
-- coalesces keep the planner off outbox_leased, where it would read the whole batch for each wave. The ids come sorted:
-- rows are locked in that order, as by an order of several shoppers that withdraws what waits for them.
-- in:    :bucket int, :ids uuid[], :accounts bigint[], :held_until timestamptz, :now timestamptz,
--        :lease_until timestamptz
-- out:   id                                   0..n rows; what is missing was cancelled, or its lease ran out
-- locks: outbox rows      index: outbox_pkey
UPDATE outbox m
SET state = 'sending', lease_until = %(lease_until)s, account_id = w.account_id
FROM unnest(%(ids)s::uuid[], %(accounts)s::bigint[]) AS w (id, account_id)
WHERE m.bucket = %(bucket)s AND m.id = w.id AND coalesce(m.state, '') = 'claimed'
  AND coalesce(m.lease_until = %(held_until)s AND m.lease_until > %(now)s, false)
RETURNING m.id;

-- name: remember_letters
-- These are about to go to an account that answers a repeated key without a second delivery: :rows is [{"id",
-- "letter_hash" hex}]. Written before they are sent, so that a repeat after a crash can be the same message.
-- in:    :bucket int, :rows jsonb, :held_until timestamptz, :now timestamptz
-- out:   nothing
-- locks: outbox rows      index: outbox_pkey
UPDATE outbox m
SET first_try_at = %(now)s, letter_hash = decode(r.letter_hash, 'hex')
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (id uuid, letter_hash text)
WHERE m.bucket = %(bucket)s AND m.id = r.id AND coalesce(m.state, '') = 'claimed'
  AND coalesce(m.lease_until = %(held_until)s, false);

-- name: leave_in_doubt
-- These were to repeat a key and cannot any more: a person decides. Without its hash nothing repeats them again.
-- in:    :bucket int, :ids uuid[], :held_until timestamptz, :at timestamptz
-- out:   id                                   0..n rows
-- locks: outbox rows      index: outbox_pkey
UPDATE outbox m
SET state = 'uncertain', uncertain_at = %(at)s, lease_until = NULL, letter_hash = NULL
WHERE m.bucket = %(bucket)s AND m.id = ANY(%(ids)s::uuid[]) AND coalesce(m.state, '') = 'claimed'
  AND coalesce(m.lease_until = %(held_until)s, false)
RETURNING m.id;

-- name: lock_shoppers
-- Second lock: the rows that an order, an opt-out and an erasure lock too. What comes back is the newest state.
-- in:    :bucket int, :ids uuid[]
-- out:   id, last_order_at, order_count, opted_out_at, erased_at      0..n rows
-- locks: shoppers rows in id order      index: shoppers_pkey
SELECT id, last_order_at, order_count, opted_out_at, erased_at
FROM shoppers
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[])
ORDER BY id
FOR UPDATE;

-- name: second_look
-- What could have changed since the facts were read, seen after lock_shoppers: in a statement of its own, because a
-- statement that waits for a lock still sees other tables as they were before it waited. `others_going`, `others_gone`:
-- another message to the same shopper is on its way, or went out since :since_id, so the caps have to be asked again.
-- The coalesces keep the planner off outbox_leased: there it would read every leased row of the bucket.
-- in:    :bucket int, :ids uuid[], :contacts uuid[], :held_until timestamptz, :now timestamptz, :since_id uuid
-- out:   id, enrolment_state, exit_reason, consent, suppressed, others_going, others_gone      only rows still ours
-- locks: none      index: primary keys, outbox_shopper, sends_shopper, send_events_send
SELECT o.id, e.state AS enrolment_state, e.exit_reason, c.consent,
  CASE WHEN c.id IS NULL THEN NULL ELSE x.address_hash IS NOT NULL END AS suppressed,
  EXISTS (
    SELECT 1 FROM outbox n
    WHERE n.bucket = %(bucket)s AND n.shopper_id = o.shopper_id AND n.id <> o.id AND coalesce(n.state, '') = 'sending')
    AS others_going,
  EXISTS (
    SELECT 1 FROM sends t CROSS JOIN LATERAL (
      SELECT 1 FROM send_events v
      WHERE v.bucket = %(bucket)s AND v.send_id = t.id AND v.id >= %(since_id)s AND v.kind = 'handed_over' LIMIT 1) v
    WHERE t.bucket = %(bucket)s AND t.shopper_id = o.shopper_id AND t.id <> o.id) AS others_gone
FROM unnest(%(ids)s::uuid[], %(contacts)s::uuid[]) AS w (id, contact_id)
JOIN outbox o ON o.bucket = %(bucket)s AND o.id = w.id
LEFT JOIN enrolments e ON e.bucket = %(bucket)s AND e.id = o.enrolment_id
LEFT JOIN contact_points c ON c.bucket = %(bucket)s AND c.id = w.contact_id AND c.shopper_id = o.shopper_id
  AND c.channel = o.channel
LEFT JOIN suppressions x ON x.bucket = %(bucket)s AND x.shop_id = c.shop_id AND x.channel = c.channel
  AND x.address_hash = c.address_hash
WHERE coalesce(o.state, '') = 'sending'
  AND coalesce(o.lease_until = %(held_until)s AND o.lease_until > %(now)s, false);

-- name: add_send_events
-- What happened to sends. Ids are made of the facts, so that a repeat changes nothing.
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: none      index: send_events_pkey
INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, reason, provider_key, detail)
SELECT %(bucket)s, r.id, r.shop_id, r.send_id, r.shopper_id, r.kind, r.at, r.reason, r.provider_key, r.detail
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  id uuid, shop_id bigint, send_id uuid, shopper_id uuid, kind text, at timestamptz, reason text, provider_key text,
  detail jsonb)
ON CONFLICT (bucket, id) DO NOTHING;

-- name: record_sent
-- What a provider took: its events, and out of the outbox, whatever happened to the leases meanwhile: it is a fact.
-- in:    :bucket int, :events jsonb, :sent uuid[]
-- out:   nothing
-- locks: outbox rows      index: outbox_pkey, send_events_pkey
WITH gone AS (
  DELETE FROM outbox WHERE bucket = %(bucket)s AND id = ANY(%(sent)s::uuid[])
)
INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, reason, provider_key, detail)
SELECT %(bucket)s, r.id, r.shop_id, r.send_id, r.shopper_id, r.kind, r.at, r.reason, r.provider_key, r.detail
FROM jsonb_to_recordset(%(events)s::jsonb) AS r (
  id uuid, shop_id bigint, send_id uuid, shopper_id uuid, kind text, at timestamptz, reason text, provider_key text,
  detail jsonb)
ON CONFLICT (bucket, id) DO NOTHING;

-- name: drop_sending
-- Sends that ended without being sent (stopped at the second look, refused for good); only if nobody took them over.
-- in:    :bucket int, :ids uuid[], :held_until timestamptz
-- out:   id                                   0..n rows
-- locks: outbox rows      index: outbox_pkey
DELETE FROM outbox
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[])
  AND (state = 'sending' AND lease_until = %(held_until)s OR state = 'uncertain')
RETURNING id;

-- name: try_again_later
-- The provider did not take these now, and certainly has not sent them: :rows is [{"id", "send_at", "attempts"}]. They
-- may go out by any account, except those that repeat the key of one.
-- in:    :bucket int, :rows jsonb, :held_until timestamptz
-- out:   id                                   0..n rows
-- locks: outbox rows      index: outbox_pkey
UPDATE outbox m
SET state = 'scheduled', lease_until = NULL, uncertain_at = NULL, send_at = r.send_at, attempts = r.attempts,
  account_id = r.account_id
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (id uuid, send_at timestamptz, attempts smallint, account_id bigint)
WHERE m.bucket = %(bucket)s AND m.id = r.id
  AND (m.state = 'sending' AND m.lease_until = %(held_until)s OR m.state = 'uncertain')
RETURNING m.id;

-- name: mark_uncertain
-- Nobody knows whether these went out. :at is when the last call may have begun to matter: look-ups wait from there.
-- in:    :bucket int, :ids uuid[], :held_until timestamptz, :at timestamptz
-- out:   id                                   0..n rows
-- locks: outbox rows      index: outbox_pkey
UPDATE outbox
SET state = 'uncertain', uncertain_at = %(at)s, lease_until = NULL
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]) AND state = 'sending' AND lease_until = %(held_until)s
RETURNING id;

-- name: suppress_refused
-- Addresses that a provider says do not exist: :rows is [{"shop_id", "channel", "address_hash" hex, ...}].
-- in:    :bucket int, :rows jsonb
-- out:   nothing
-- locks: none      index: suppressions_pkey
INSERT INTO suppressions (bucket, shop_id, channel, address_hash, reason, at, source)
SELECT %(bucket)s, r.shop_id, r.channel, decode(r.address_hash, 'hex'), r.reason, r.at, r.source
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  shop_id bigint, channel text, address_hash text, reason text, at timestamptz, source text)
ON CONFLICT (bucket, shop_id, channel, address_hash) DO NOTHING;
