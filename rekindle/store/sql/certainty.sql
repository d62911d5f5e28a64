-- Was every message sent once, and none lost? The four words of the kill tests, over what is stored.

-- name: certainty_of_shop
-- Sends made since :since, in the shop's buckets: `lost` are neither waiting nor ended; `duplicated` were taken twice under
-- different names; `recovered` were in doubt and are not any more; `uncertain` are in doubt now.
-- in:    :buckets int[], :shop_id bigint, :since timestamptz
-- out:   sends, lost, duplicated, recovered, uncertain      1 row
-- locks: none      index: sends_shopper, send_events_send, outbox_pkey
-- scope: fanout (an operator's question about a whole shop; nothing waits for it)
WITH made AS (
  SELECT s.bucket, s.id FROM sends s
  WHERE s.bucket = ANY(%(buckets)s::int[]) AND s.shop_id = %(shop_id)s AND s.created_at >= %(since)s
),
told AS (
  SELECT m.bucket, m.id,
    count(DISTINCT v.provider_key) FILTER (WHERE v.kind = 'handed_over') AS names,
    bool_or(v.kind IN ('handed_over', 'delivered', 'bounced', 'failed', 'skipped', 'resent')) AS ended,
    bool_or(v.kind = 'uncertain') AS doubted
  FROM made m
  LEFT JOIN send_events v ON v.bucket = m.bucket AND v.send_id = m.id
  GROUP BY m.bucket, m.id
)
SELECT count(*) AS sends,
  count(*) FILTER (WHERE o.id IS NULL AND NOT coalesce(t.ended, false)) AS lost,
  count(*) FILTER (WHERE t.names > 1) AS duplicated,
  count(*) FILTER (WHERE t.doubted AND coalesce(o.state, '') <> 'uncertain') AS recovered,
  count(*) FILTER (WHERE o.state = 'uncertain') AS uncertain
FROM told t
LEFT JOIN outbox o ON o.bucket = t.bucket AND o.id = t.id;

-- name: unexpected_of_shop
-- Messages that a provider took and nobody planned.
-- in:    :buckets int[], :shop_id bigint, :since timestamptz
-- out:   unexpected      1 row
-- locks: none      index: send_events_pkey, sends_pkey
-- scope: fanout (as certainty_of_shop)
SELECT count(DISTINCT v.send_id) AS unexpected
FROM send_events v
LEFT JOIN sends s ON s.bucket = v.bucket AND s.id = v.send_id
WHERE v.bucket = ANY(%(buckets)s::int[]) AND v.shop_id = %(shop_id)s AND v.at >= %(since)s AND v.kind = 'handed_over'
  AND s.id IS NULL;
