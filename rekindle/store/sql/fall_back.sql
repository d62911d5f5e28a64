-- Messages that failed on their channel and are taken over by the next one of their step.

-- name: sends_with_a_way_on
-- Those of some sends whose step names a further channel.
-- in:    :bucket int, :ids uuid[]
-- out:   id, shop_id, shopper_id, enrolment_id, cart_id, step, channel, context      0..n rows
-- locks: none      index: sends_pkey
SELECT s.id, s.shop_id, s.shopper_id, s.enrolment_id, s.cart_id, s.step, s.channel, s.context
FROM sends s
WHERE s.bucket = %(bucket)s AND s.id = ANY(%(ids)s::uuid[]) AND s.context ? 'otherwise'
ORDER BY s.id;

-- name: fall_back
-- Make a send in place of each failed one and put it in line, due now: :rows is [{"id", "failed_id", "channel",
-- "contact_point_id", "template_version_id", "link_hash", "optout_hash", "seed" (hex), "otherwise"}]. None where the run
-- has gone on to a later message since, or where the send is there already: ids are made of run, step and channel.
-- in:    :bucket int, :rows jsonb, :now timestamptz
-- out:   id                                   0..n rows
-- locks: none      index: sends_pkey, sends_shopper
WITH told AS MATERIALIZED (
  SELECT r.* FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
    id uuid, failed_id uuid, channel text, contact_point_id uuid, template_version_id bigint, link_hash text,
    optout_hash text, seed text, otherwise jsonb)
),
made AS (
  INSERT INTO sends (bucket, id, shop_id, enrolment_id, flow_id, flow_version_id, step, channel, shopper_id,
    contact_point_id, cart_bucket, cart_id, template_version_id, created_at, planned_at, link_hash, optout_hash, context)
  SELECT %(bucket)s, r.id, s.shop_id, s.enrolment_id, s.flow_id, s.flow_version_id, s.step, r.channel, s.shopper_id,
    r.contact_point_id, s.cart_bucket, s.cart_id, r.template_version_id, %(now)s, s.planned_at,
    decode(r.link_hash, 'hex'), decode(r.optout_hash, 'hex'),
    s.context - 'otherwise' || jsonb_strip_nulls(jsonb_build_object(
      'instead_of', s.channel, 'otherwise', nullif(r.otherwise, '[]'::jsonb)))
  FROM told r
  JOIN sends s ON s.bucket = %(bucket)s AND s.id = r.failed_id
  LEFT JOIN sends n ON n.bucket = %(bucket)s AND n.shopper_id = s.shopper_id AND n.enrolment_id = s.enrolment_id
    AND n.planned_at > s.planned_at
  WHERE n.id IS NULL
  ORDER BY r.id
  ON CONFLICT (bucket, id) DO NOTHING
  RETURNING id, shop_id, shopper_id, enrolment_id, channel
)
INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed)
SELECT %(bucket)s, m.id, m.shop_id, m.shopper_id, m.enrolment_id, m.channel, 'scheduled', %(now)s, 0,
  decode(r.seed, 'hex')
FROM made m JOIN told r ON r.id = m.id
RETURNING id;
