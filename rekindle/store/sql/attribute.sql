-- Attribution: which order is credited to which send.

-- name: clicks_of_shoppers
-- The followed links of some shoppers in a time, with the runs they belong to.
-- in:    :bucket int, :shopper_ids uuid[], :since timestamptz, :until timestamptz
-- out:   send_id, at, enrolment_id, flow_id      0..n rows
-- locks: none      index: send_events_clicks, sends_pkey
SELECT v.send_id, v.at, s.enrolment_id, s.flow_id
FROM send_events v JOIN sends s ON s.bucket = %(bucket)s AND s.id = v.send_id
WHERE v.bucket = %(bucket)s AND v.shopper_id = ANY(%(shopper_ids)s::uuid[]) AND v.kind IN ('clicked', 'restored')
  AND v.at >= %(since)s AND v.at <= %(until)s;

-- name: put_attribution
-- Credit an order to a send under a rule; a repeat or a recomputation replaces what was there.
-- in:    :bucket int, :id uuid, :shop_id bigint, :order_id uuid, :rule text, :send_bucket int, :send_id uuid,
--        :enrolment_id uuid, :flow_id bigint, :touched_at timestamptz, :ordered_at timestamptz, :currency text,
--        :net_cents bigint
-- out:   ordered_at, enrolment_id (as they were before)      0..1 rows
-- locks: attributions row      index: attributions_pkey
WITH before AS MATERIALIZED (
  SELECT ordered_at, enrolment_id FROM attributions WHERE bucket = %(bucket)s AND id = %(id)s
), put AS (
INSERT INTO attributions (bucket, id, shop_id, order_id, rule, send_bucket, send_id, enrolment_id, flow_id, touched_at,
  ordered_at, currency, net_cents)
VALUES (%(bucket)s, %(id)s, %(shop_id)s, %(order_id)s, %(rule)s, %(send_bucket)s, %(send_id)s, %(enrolment_id)s,
  %(flow_id)s, %(touched_at)s, %(ordered_at)s, %(currency)s, %(net_cents)s)
ON CONFLICT (bucket, id) DO UPDATE SET
  send_bucket = excluded.send_bucket, send_id = excluded.send_id, enrolment_id = excluded.enrolment_id,
  flow_id = excluded.flow_id, touched_at = excluded.touched_at, ordered_at = excluded.ordered_at,
  currency = excluded.currency, net_cents = excluded.net_cents
)
SELECT ordered_at, enrolment_id FROM before;

-- name: drop_attribution
-- An order that no send is credited with (any more).
-- in:    :bucket int, :id uuid
-- out:   ordered_at, enrolment_id      0..1 rows
-- locks: attributions row      index: attributions_pkey
DELETE FROM attributions WHERE bucket = %(bucket)s AND id = %(id)s RETURNING ordered_at, enrolment_id;

-- name: orders_between
-- Orders of a shop in one bucket and time, for a recomputation.
-- in:    :bucket int, :shop_id bigint, :since timestamptz, :until timestamptz
-- out:   id      0..n rows
-- locks: none      index: orders_ordered
SELECT id FROM orders
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND ordered_at >= %(since)s AND ordered_at < %(until)s
ORDER BY id;
