-- What providers report about sends. A report's row has an id made of its facts, so that a repeat changes nothing, and
-- order does not matter: the state of a send follows from all of its events.

-- name: targets_of_feedback
-- Whom the reports with consequences are about: :rows is [{"n", "id", "send_id"}]; `is_new` says that the event with
-- this id is not there yet.
-- in:    :bucket int, :shop_id bigint, :rows jsonb
-- out:   n, shopper_id, contact_point_id, address_hash, is_new      0..n rows; sends of others are missing
-- locks: none      index: sends_pkey, contact_points_pkey, send_events_pkey
SELECT r.n, s.shopper_id, s.contact_point_id, c.address_hash, v.id IS NULL AS is_new
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (n int, id uuid, send_id uuid)
JOIN sends s ON s.bucket = %(bucket)s AND s.id = r.send_id AND s.shop_id = %(shop_id)s
LEFT JOIN contact_points c ON c.bucket = %(bucket)s AND c.id = s.contact_point_id
LEFT JOIN send_events v ON v.bucket = %(bucket)s AND v.id = r.id
ORDER BY r.n;

-- name: record_feedback
-- One body's reports about sends of one bucket, in one statement: events are added, and sends of which nobody knew
-- whether they went out are cleared where the provider speaks of them (:settles; `sending` is left to its worker). Sends
-- of another shop are not found.
-- in:    :bucket int, :shop_id bigint, :rows jsonb, :settles uuid[]
-- out:   known_count, new_count, settled jsonb      1 row
-- locks: outbox rows in id order      index: sends_pkey, send_events_pkey, outbox_pkey
WITH told AS MATERIALIZED (
  SELECT r.* FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
    id uuid, send_id uuid, kind text, at timestamptz, reason text, provider_key text, detail jsonb)
),
known AS MATERIALIZED (
  SELECT t.*, s.shopper_id FROM told t
  JOIN sends s ON s.bucket = %(bucket)s AND s.id = t.send_id AND s.shop_id = %(shop_id)s
),
doubted AS MATERIALIZED (
  SELECT o.id FROM outbox o
  WHERE o.bucket = %(bucket)s AND o.id = ANY(%(settles)s::uuid[]) AND o.shop_id = %(shop_id)s
    AND coalesce(o.state, '') = 'uncertain'
  ORDER BY o.id FOR UPDATE
),
settled AS (
  DELETE FROM outbox o USING doubted d WHERE o.bucket = %(bucket)s AND o.id = d.id
  RETURNING o.id, o.shop_id, o.shopper_id, o.account_id, o.uncertain_at
),
added AS (
  INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, reason, provider_key, detail)
  SELECT %(bucket)s, k.id, %(shop_id)s, k.send_id, k.shopper_id, k.kind, k.at, k.reason, k.provider_key, k.detail
  FROM known k WHERE k.kind <> ''
  ORDER BY k.id
  ON CONFLICT (bucket, id) DO NOTHING
  RETURNING id
)
SELECT (SELECT count(*) FROM known) AS known_count, (SELECT count(*) FROM added) AS new_count,
  (SELECT jsonb_agg(jsonb_build_object('id', id, 'shopper_id', shopper_id, 'account', account_id, 'at', uncertain_at))
   FROM settled) AS settled;

-- name: watched_sends
-- May it be noted who clicked or opened? What decides that, for the sends of some reports.
-- in:    :bucket int, :shop_id bigint, :ids uuid[]
-- out:   id, channel, country, region, clicks bool      0..n rows; sends of others are missing
-- locks: none      index: sends_pkey, shoppers_pkey
SELECT s.id, s.channel, coalesce(p.country, '') AS country, coalesce(p.region, '') AS region,
  (p.preferences->>'clicks')::boolean AS clicks
FROM sends s
LEFT JOIN shoppers p ON p.bucket = %(bucket)s AND p.id = s.shopper_id AND p.erased_at IS NULL
WHERE s.bucket = %(bucket)s AND s.shop_id = %(shop_id)s AND s.id = ANY(%(ids)s::uuid[]);

-- name: find_sends
-- Where sends lie that are named without their bucket: returned letters carry the Message-ID only.
-- in:    :buckets int[], :shop_id bigint, :ids uuid[]
-- out:   id, bucket                           0..n rows
-- locks: none      index: sends_pkey
-- scope: fanout (a letter that came back without our header; rare)
SELECT id, bucket FROM sends
WHERE bucket = ANY(%(buckets)s::int[]) AND id = ANY(%(ids)s::uuid[]) AND shop_id = %(shop_id)s;

-- name: shops_of_sends
-- Which shop some sends of one bucket belong to.
-- in:    :bucket int, :ids uuid[]
-- out:   id, shop_id                          0..n rows
-- locks: none      index: sends_pkey
SELECT id, shop_id FROM sends WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);
