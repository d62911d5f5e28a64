-- Asking an address to confirm: at most so often, and once at a time.

-- name: ask_network
-- May one more question be asked on behalf of this network? Counted per shop from the first one on, for :span.
-- in:    :shop_id bigint, :network text, :now timestamptz, :span interval, :most int
-- out:   times                                0..1 rows: none when it asked too often
-- locks: one opt_in_networks row      index: opt_in_networks_pkey
INSERT INTO opt_in_networks AS n (shop_id, network, since, times)
VALUES (%(shop_id)s, %(network)s, %(now)s, 1)
ON CONFLICT (shop_id, network) DO UPDATE
SET times = CASE WHEN n.since <= %(now)s - %(span)s::interval THEN 1 ELSE n.times + 1 END,
  since = CASE WHEN n.since <= %(now)s - %(span)s::interval THEN %(now)s ELSE n.since END
WHERE n.since <= %(now)s - %(span)s::interval OR n.times < %(most)s
RETURNING times;

-- name: forget_networks
-- Networks that asked so long ago that it counts no more.
-- in:    :before timestamptz
-- out:   nothing
-- locks: opt_in_networks rows      index: none (a small table)
DELETE FROM opt_in_networks WHERE since < %(before)s;

-- name: note_opt_in_request
-- An address is being asked: one row a contact point. Nothing comes back while an earlier question is open, soon after
-- one, or after too many that nobody answered.
-- in:    :bucket int, :id uuid, :shop_id bigint, :send_id uuid, :now timestamptz, :open_since timestamptz,
--        :answered_before timestamptz, :most int
-- out:   times                                0..1 rows
-- locks: one opt_in_requests row      index: opt_in_requests_pkey
INSERT INTO opt_in_requests AS r (bucket, id, shop_id, send_id, asked_at, times)
VALUES (%(bucket)s, %(id)s, %(shop_id)s, %(send_id)s, %(now)s, 1)
ON CONFLICT (bucket, id) DO UPDATE
SET send_id = %(send_id)s, asked_at = %(now)s, confirmed_at = NULL,
  times = CASE WHEN r.confirmed_at IS NULL THEN r.times + 1 ELSE 1 END
WHERE (r.confirmed_at IS NULL AND r.asked_at <= %(open_since)s AND r.times < %(most)s)
  OR (r.confirmed_at IS NOT NULL AND r.asked_at <= %(answered_before)s)
RETURNING times;

-- name: open_opt_in_request
-- The question that an address has not answered yet.
-- in:    :bucket int, :id uuid, :open_since timestamptz
-- out:   send_id                              0..1 rows
-- locks: none      index: opt_in_requests_pkey
SELECT send_id FROM opt_in_requests
WHERE bucket = %(bucket)s AND id = %(id)s AND confirmed_at IS NULL AND asked_at > %(open_since)s;

-- name: answer_opt_in_request
-- The address has confirmed.
-- in:    :bucket int, :id uuid, :send_id uuid, :now timestamptz
-- out:   nothing
-- locks: one opt_in_requests row      index: opt_in_requests_pkey
UPDATE opt_in_requests SET confirmed_at = coalesce(confirmed_at, %(now)s)
WHERE bucket = %(bucket)s AND id = %(id)s AND send_id = %(send_id)s;

-- name: drop_opt_in_requests
-- Nothing is known of questions to these addresses any more.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: opt_in_requests rows      index: opt_in_requests_pkey
DELETE FROM opt_in_requests WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: queue_confirmation
-- The message that asks: a send of its own kind, about no cart and no flow, due now.
-- in:    :bucket int, :id uuid, :shop_id bigint, :shopper_id uuid, :contact_id uuid, :channel text, :now timestamptz,
--        :link_hash bytea, :optout_hash bytea, :seed bytea, :context jsonb
-- out:   nothing
-- locks: none      index: sends_pkey, outbox_pkey
WITH made AS (
  INSERT INTO sends (bucket, id, shop_id, enrolment_id, flow_id, flow_version_id, step, channel, shopper_id,
    contact_point_id, cart_bucket, cart_id, template_version_id, created_at, planned_at, link_hash, optout_hash, context,
    kind)
  VALUES (%(bucket)s, %(id)s, %(shop_id)s, %(id)s, 0, 0, 'confirm', %(channel)s, %(shopper_id)s, %(contact_id)s,
    %(bucket)s, %(id)s, 0, %(now)s, %(now)s, %(link_hash)s, %(optout_hash)s, %(context)s::jsonb, 'confirmation')
  ON CONFLICT (bucket, id) DO NOTHING
  RETURNING id
)
INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed)
SELECT %(bucket)s, made.id, %(shop_id)s, %(shopper_id)s, made.id, %(channel)s, 'scheduled', %(now)s, 0, %(seed)s
FROM made;

-- name: contact_now
-- What an address agrees to now, and where its shopper lives: what the law is asked with.
-- in:    :bucket int, :id uuid
-- out:   address, consent, consent_at, consent_confirmed, consent_names_carts, country, region, locale     0..1 rows
-- locks: none      index: contact_points_pkey, shoppers_pkey
SELECT c.address, c.consent, c.consent_at, c.consent_confirmed, c.consent_names_carts, p.country, p.region, p.locale
FROM contact_points c JOIN shoppers p ON p.bucket = %(bucket)s AND p.id = c.shopper_id
WHERE c.bucket = %(bucket)s AND c.id = %(id)s AND p.erased_at IS NULL;
