-- What an audit asks of a bucket: was anything handed over that must not have been? Read-only. What went is what a
-- provider took since :since_id, an operator's word about a doubt left out. It went at the instant its call was started
-- (`started_at` of its event), where that was not kept at that of the decision which allowed it, the earlier of both.

-- name: audit_went
-- Every message that went, judged by what lies in the shopper's bucket: looked at, and for each rule how many broke it
-- with a few of their ids. A record of what happened elsewhere counts from :slack before the call, for that is how long
-- an answer of ours may take; reports of providers bear the provider's time and count from :report_delay.
-- in:    :bucket int, :since_id uuid, :slack interval, :report_delay interval
-- out:   looked_at, then for undecided, baseless, unlinted, held_out, erased, suppressed: number, ids      1 row
-- locks: none      index: primary keys; reads the bucket's part of each table once
WITH went AS MATERIALIZED (
  SELECT v.send_id, min(v.at) AS at, min((v.detail->>'started_at')::timestamptz) AS started_at
  FROM send_events v
  WHERE v.bucket = %(bucket)s AND v.id >= %(since_id)s AND v.kind = 'handed_over' AND v.reason IS DISTINCT FROM 'OPERATOR'
  GROUP BY v.send_id
),
allowed AS MATERIALIZED (
  SELECT DISTINCT ON (d.send_id) d.send_id, d.at, d.evidence
  FROM decisions d JOIN went w ON w.send_id = d.send_id
  WHERE d.bucket = %(bucket)s AND d.question = 'may_send' AND d.outcome = 'allow' AND d.reason = 'ALLOWED' AND d.at <= w.at
  ORDER BY d.send_id, d.at DESC
),
judged AS (
  SELECT w.send_id,
    s.id IS NULL OR a.send_id IS NULL AS undecided,
    a.send_id IS NOT NULL AND NOT coalesce(a.evidence->>'pack' <> '' AND a.evidence->'basis' ?& ARRAY(
      SELECT jsonb_array_elements_text(a.evidence->'regions')) AND jsonb_array_length(a.evidence->'regions') > 0, false)
      AS baseless,
    a.send_id IS NOT NULL AND a.evidence->>'lint' IS DISTINCT FROM 'passed' AS unlinted,
    s.kind = 'reminder' AND e.arm IS DISTINCT FROM 'treated' AS held_out,
    coalesce(p.erased_at < coalesce(w.started_at, a.at, w.at) - %(slack)s::interval, false) AS erased,
    EXISTS (
      SELECT 1 FROM suppressions x
      WHERE x.bucket = %(bucket)s AND x.shop_id = s.shop_id AND x.channel = s.channel AND x.address_hash = c.address_hash
        AND x.at < coalesce(w.started_at, a.at, w.at) - CASE
          WHEN x.reason IN ('hard_bounce', 'complaint', 'review', 'unsubscribed') THEN %(report_delay)s::interval
          ELSE %(slack)s::interval END) AS suppressed
  FROM went w
  LEFT JOIN allowed a ON a.send_id = w.send_id
  LEFT JOIN sends s ON s.bucket = %(bucket)s AND s.id = w.send_id
  LEFT JOIN enrolments e ON e.bucket = %(bucket)s AND e.id = s.enrolment_id
  LEFT JOIN shoppers p ON p.bucket = %(bucket)s AND p.id = s.shopper_id
  LEFT JOIN contact_points c ON c.bucket = %(bucket)s AND c.id = s.contact_point_id
)
SELECT count(*) AS looked_at,
  count(*) FILTER (WHERE undecided), (array_agg(send_id) FILTER (WHERE undecided))[1:5],
  count(*) FILTER (WHERE baseless), (array_agg(send_id) FILTER (WHERE baseless))[1:5],
  count(*) FILTER (WHERE unlinted), (array_agg(send_id) FILTER (WHERE unlinted))[1:5],
  count(*) FILTER (WHERE held_out), (array_agg(send_id) FILTER (WHERE held_out))[1:5],
  count(*) FILTER (WHERE erased), (array_agg(send_id) FILTER (WHERE erased))[1:5],
  count(*) FILTER (WHERE suppressed), (array_agg(send_id) FILTER (WHERE suppressed))[1:5]
FROM judged;

-- name: audit_orders
-- Orders of a bucket that named a cart or a shopper, from :since on; those called off stop nothing.
-- in:    :bucket int, :since timestamptz
-- out:   shop_id, ordered_at, received_at, cart_id, shopper_bucket, shopper_id      0..n rows
-- locks: none      index: none, reads the bucket's orders once
SELECT o.shop_id, o.ordered_at, o.received_at, o.cart_id, o.shopper_bucket, o.shopper_id
FROM orders o
WHERE o.bucket = %(bucket)s AND o.received_at >= %(since)s AND o.state <> 'cancelled' AND o.shopper_id IS NOT NULL;

-- name: audit_sent_after_orders
-- What went to these buyers after their orders were accepted: about the cart that was bought or one left before, or
-- within the time for which a purchase silences the shop. :rows: [{"shopper_id", "ordered_at", "received_at",
-- "quiet_until"}].
-- in:    :bucket int, :rows jsonb, :since_id uuid, :slack interval
-- out:   send_id      0..n rows
-- locks: none      index: sends_shopper, send_events_send
SELECT DISTINCT s.id AS send_id
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  shopper_id uuid, ordered_at timestamptz, received_at timestamptz, quiet_until timestamptz)
JOIN sends s ON s.bucket = %(bucket)s AND s.shopper_id = r.shopper_id
JOIN enrolments e ON e.bucket = %(bucket)s AND e.id = s.enrolment_id
JOIN send_events v ON v.bucket = %(bucket)s AND v.send_id = s.id AND v.id >= %(since_id)s
  AND v.kind = 'handed_over' AND v.reason IS DISTINCT FROM 'OPERATOR'
CROSS JOIN LATERAL (
  SELECT coalesce((v.detail->>'started_at')::timestamptz, (
    SELECT max(d.at) FROM decisions d
    WHERE d.bucket = %(bucket)s AND d.cart_id = s.cart_id AND d.send_id = s.id AND d.question = 'may_send'
      AND d.outcome = 'allow' AND d.at <= v.at), v.at) AS at) w
WHERE r.received_at < w.at - %(slack)s::interval AND (r.ordered_at >= e.abandoned_at OR w.at < r.quiet_until);

-- name: audit_withdrawals
-- When addresses of a bucket said no, by our own clock, and until when that held. A no that came in after a newer yes
-- had been given ends nothing.
-- in:    :bucket int
-- out:   contact_point_id, shopper_bucket, from_at, until_at      0..n rows
-- locks: none      index: consents_chain
SELECT p.id AS contact_point_id, p.shopper_bucket, c.recorded_at AS from_at, min(n.recorded_at) AS until_at
FROM consents c
JOIN contact_points p ON p.bucket = %(bucket)s AND p.shop_id = c.shop_id AND p.channel = c.channel
  AND p.address_hash = c.address_hash
LEFT JOIN consents y ON y.bucket = %(bucket)s AND y.shop_id = c.shop_id AND y.channel = c.channel
  AND y.address_hash = c.address_hash AND y.seq < c.seq AND y.kind <> 'withdrawn' AND y.at > c.at
LEFT JOIN consents n ON n.bucket = %(bucket)s AND n.shop_id = c.shop_id AND n.channel = c.channel
  AND n.address_hash = c.address_hash AND n.seq > c.seq AND n.kind <> 'withdrawn' AND n.at > c.at
WHERE c.bucket = %(bucket)s AND c.kind = 'withdrawn' AND y.id IS NULL
GROUP BY p.id, p.shopper_bucket, c.id, c.recorded_at;

-- name: audit_sent_after_withdrawals
-- What went to these addresses while their no held. :rows: [{"contact_point_id", "from_at", "until_at"}].
-- in:    :bucket int, :rows jsonb, :since_id uuid, :slack interval
-- out:   send_id      0..n rows
-- locks: none      index: none, reads the bucket's sends once
SELECT DISTINCT s.id AS send_id
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (contact_point_id uuid, from_at timestamptz, until_at timestamptz)
JOIN sends s ON s.bucket = %(bucket)s AND s.contact_point_id = r.contact_point_id
JOIN send_events v ON v.bucket = %(bucket)s AND v.send_id = s.id AND v.id >= %(since_id)s
  AND v.kind = 'handed_over' AND v.reason IS DISTINCT FROM 'OPERATOR'
CROSS JOIN LATERAL (
  SELECT coalesce((v.detail->>'started_at')::timestamptz, (
    SELECT max(d.at) FROM decisions d
    WHERE d.bucket = %(bucket)s AND d.cart_id = s.cart_id AND d.send_id = s.id AND d.question = 'may_send'
      AND d.outcome = 'allow' AND d.at <= v.at), v.at) AS at) w
WHERE r.from_at < w.at - %(slack)s::interval AND w.at < coalesce(r.until_at, 'infinity');

-- name: audit_twice
-- Steps of runs that went more than once: on one channel, or on a further one though the first had not failed. Those
-- that an operator repeated on purpose are left out.
-- in:    :bucket int, :since_id uuid
-- out:   looked_at, number, ids      1 row
-- locks: none      index: sends_pkey; reads the bucket's events once
WITH told AS MATERIALIZED (
  SELECT v.send_id,
    count(*) FILTER (WHERE v.kind = 'handed_over') AS times,
    bool_or(v.kind IN ('bounced', 'failed')) AS is_lost,
    bool_or(v.kind = 'resent' OR v.reason = 'OPERATOR') AS is_by_hand
  FROM send_events v
  WHERE v.bucket = %(bucket)s AND v.id >= %(since_id)s AND v.kind IN ('handed_over', 'bounced', 'failed', 'resent')
  GROUP BY v.send_id
),
steps AS (
  SELECT s.enrolment_id, s.step, min(s.id::text)::uuid AS send_id, bool_or(t.times > 1) AS is_repeated,
    count(*) FILTER (WHERE NOT t.is_lost) AS whole, count(*) AS sent, count(DISTINCT s.channel) AS channels
  FROM told t JOIN sends s ON s.bucket = %(bucket)s AND s.id = t.send_id
  WHERE t.times > 0 AND NOT coalesce(t.is_by_hand, false)
  GROUP BY s.enrolment_id, s.step
),
bad AS (SELECT send_id FROM steps WHERE is_repeated OR whole > 1 OR channels < sent)
SELECT (SELECT count(*) FROM steps) AS looked_at, (SELECT count(*) FROM bad) AS number,
  (SELECT array_agg(send_id) FROM (SELECT send_id FROM bad LIMIT 5) few) AS ids;

-- name: audit_text_slots
-- Text messages that went about a cart within :span after another one about the same cart.
-- in:    :bucket int, :since_id uuid, :span interval
-- out:   looked_at, number, ids      1 row
-- locks: none      index: sends_pkey; reads the bucket's events once
WITH texts AS MATERIALIZED (
  SELECT s.id, s.cart_id, min(v.at) AS at
  FROM send_events v JOIN sends s ON s.bucket = %(bucket)s AND s.id = v.send_id
  WHERE v.bucket = %(bucket)s AND v.id >= %(since_id)s AND v.kind = 'handed_over' AND s.channel = 'sms'
  GROUP BY s.id, s.cart_id
),
spaced AS (SELECT id, at - lag(at) OVER (PARTITION BY cart_id ORDER BY at, id) AS gap FROM texts)
SELECT count(*) AS looked_at, count(*) FILTER (WHERE gap < %(span)s::interval) AS number,
  (array_agg(id) FILTER (WHERE gap < %(span)s::interval))[1:5] AS ids
FROM spaced;

-- name: audit_stuck
-- Sends that claim to be on their way and are not: their lease ended :patience ago and nobody settled them.
-- in:    :bucket int, :now timestamptz, :patience interval
-- out:   looked_at, number, ids      1 row
-- locks: none      index: outbox_leased
SELECT count(*) AS looked_at,
  count(*) FILTER (WHERE state IN ('claimed', 'sending') AND lease_until < %(now)s::timestamptz - %(patience)s::interval)
    AS number,
  (array_agg(id) FILTER (
    WHERE state IN ('claimed', 'sending') AND lease_until < %(now)s::timestamptz - %(patience)s::interval))[1:5] AS ids
FROM outbox
WHERE bucket = %(bucket)s;

-- name: audit_letters
-- Every reminder that went, shopper by shopper, with what the decision about it rested on: for windows, caps and gaps,
-- which are reckoned in Python by the rules of the pack that the decision names. Questions that an address asked for
-- are left out: they go at once, and count for no cap.
-- in:    :bucket int, :since_id uuid
-- out:   shopper_id, send_id, shop_id, channel, cart_id, enrolment_id, abandoned_at, decided_at, went_at, pack, regions,
--        zones, holidays      0..n rows, by shopper, then time
-- locks: none      index: primary keys; reads the bucket's part of each table once
WITH went AS MATERIALIZED (
  SELECT v.send_id, min(v.at) AS at, min((v.detail->>'started_at')::timestamptz) AS started_at
  FROM send_events v
  WHERE v.bucket = %(bucket)s AND v.id >= %(since_id)s AND v.kind = 'handed_over' AND v.reason IS DISTINCT FROM 'OPERATOR'
  GROUP BY v.send_id
),
allowed AS MATERIALIZED (
  SELECT DISTINCT ON (d.send_id) d.send_id, d.at, d.evidence
  FROM decisions d JOIN went w ON w.send_id = d.send_id
  WHERE d.bucket = %(bucket)s AND d.question = 'may_send' AND d.outcome = 'allow' AND d.reason = 'ALLOWED' AND d.at <= w.at
  ORDER BY d.send_id, d.at DESC
)
SELECT s.shopper_id, s.id AS send_id, s.shop_id, s.channel, s.cart_id, s.enrolment_id, e.abandoned_at,
  a.at AS decided_at, coalesce(w.started_at, w.at) AS went_at, a.evidence->>'pack' AS pack,
  a.evidence->'regions' AS regions, a.evidence->'zones' AS zones,
  a.evidence->'holidays' AS holidays
FROM went w
JOIN sends s ON s.bucket = %(bucket)s AND s.id = w.send_id AND s.kind = 'reminder'
JOIN allowed a ON a.send_id = w.send_id
LEFT JOIN enrolments e ON e.bucket = %(bucket)s AND e.id = s.enrolment_id
ORDER BY s.shopper_id, went_at, s.id;

-- name: audit_consents
-- The whole ledger of a bucket, address by address, oldest row first.
-- in:    :bucket int
-- out:   shop_id, channel, address_hash, seq, kind, at, recorded_at, wording, source, evidence, previous_hash, row_hash
-- locks: none      index: consents_chain
SELECT shop_id, channel, address_hash, seq, kind, at, recorded_at, wording, source, evidence, previous_hash, row_hash
FROM consents
WHERE bucket = %(bucket)s
ORDER BY shop_id, channel, address_hash, seq;

-- name: audit_buckets
-- In which of these buckets is there anything to look at?
-- in:    :buckets int[], :since_id uuid, :since timestamptz
-- out:   bucket      0..n rows
-- locks: none      index: primary keys
-- scope: fanout (an audit goes through every bucket)
SELECT bucket FROM send_events WHERE bucket = ANY(%(buckets)s::int[]) AND id >= %(since_id)s
UNION SELECT bucket FROM outbox WHERE bucket = ANY(%(buckets)s::int[])
UNION SELECT bucket FROM consents WHERE bucket = ANY(%(buckets)s::int[])
UNION SELECT bucket FROM orders WHERE bucket = ANY(%(buckets)s::int[]) AND received_at >= %(since)s
ORDER BY 1;
