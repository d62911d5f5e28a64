-- name: flows_of_shop
-- A shop's flows with the version that new enrolments get; without one, the newest version.
-- in:    :shop_id bigint
-- out:   FlowLine columns      0..n rows
-- locks: none      index: flows_key, flow_versions_number
SELECT f.id, f.key, f.name, f.priority, f.activated_at, f.active_version_id IS NOT NULL AS is_active,
       v.id AS version_id, v.number AS version_number, v.definition, v.created_at AS version_at
FROM flows f JOIN flow_versions v ON v.id = coalesce(
  f.active_version_id,
  (SELECT n.id FROM flow_versions n WHERE n.flow_id = f.id ORDER BY n.number DESC LIMIT 1))
WHERE f.shop_id = %(shop_id)s
ORDER BY f.priority DESC, f.id;

-- name: templates_of_shop
-- A shop's templates with what is published of each.
-- in:    :shop_id bigint
-- out:   TemplateLine columns      0..n rows
-- locks: none      index: templates_key, template_versions_pkey
SELECT t.key, t.name, t.channel, v.id AS version_id, v.number, v.subject, v.preheader, v.html, v.text
FROM templates t JOIN template_versions v ON v.id = t.published_version_id
WHERE t.shop_id = %(shop_id)s
ORDER BY t.key;

-- name: flow_entries
-- How many enrolments entered a flow since an instant, and how they stand.
-- in:    :buckets int[], :shop_id bigint, :flow_id bigint, :since_id uuid
-- out:   entered, held_out, waiting, done, exited      1 row
-- locks: none      index: enrolments_pkey (bucket, id range)
-- scope: fanout (a flow's page adds up all buckets of a shop)
SELECT count(*) AS entered,
       count(*) FILTER (WHERE arm = 'holdout') AS held_out,
       count(*) FILTER (WHERE state = 'waiting') AS waiting,
       count(*) FILTER (WHERE state = 'done') AS done,
       count(*) FILTER (WHERE state = 'exited') AS exited
FROM enrolments
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND flow_id = %(flow_id)s AND id >= %(since_id)s;

-- name: flow_exits
-- Why enrolments that entered since an instant left the flow before its end.
-- in:    :buckets int[], :shop_id bigint, :flow_id bigint, :since_id uuid
-- out:   reason, n      0..n rows
-- locks: none      index: enrolments_pkey (bucket, id range)
-- scope: fanout (a flow's page adds up all buckets of a shop)
SELECT coalesce(exit_reason, '') AS reason, count(*) AS n
FROM enrolments
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND flow_id = %(flow_id)s AND id >= %(since_id)s
  AND state = 'exited'
GROUP BY 1;

-- name: flow_waiting_by_step
-- How many enrolments wait at each step now.
-- in:    :buckets int[], :shop_id bigint, :flow_id bigint
-- out:   step, n      0..n rows
-- locks: none      index: enrolments_due (waiting ones only)
-- scope: fanout (a flow's page adds up all buckets of a shop)
SELECT coalesce(step, '') AS step, count(*) AS n
FROM enrolments
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND flow_id = %(flow_id)s AND state = 'waiting'
GROUP BY 1;

-- name: flow_sends_by_step
-- What became of each message step's sends, for enrolments that entered since an instant; each send counts once
-- in each number.
-- in:    :buckets int[], :shop_id bigint, :flow_id bigint, :since_id uuid
-- out:   StepSends columns      0..n rows
-- locks: none      index: sends_pkey (bucket, id range), send_events_send
-- scope: fanout (a flow's page adds up all buckets of a shop)
SELECT s.step, count(DISTINCT s.id) AS planned,
       count(DISTINCT s.id) FILTER (WHERE e.kind = 'handed_over') AS sent,
       count(DISTINCT s.id) FILTER (WHERE e.kind = 'skipped') AS skipped,
       count(DISTINCT s.id) FILTER (WHERE e.kind = 'failed') AS failed,
       count(DISTINCT s.id) FILTER (WHERE e.kind IN ('clicked', 'restored')) AS clicked
FROM sends s LEFT JOIN send_events e ON e.bucket = s.bucket AND e.send_id = s.id
WHERE s.bucket = ANY(%(buckets)s) AND s.shop_id = %(shop_id)s AND s.flow_id = %(flow_id)s AND s.id >= %(since_id)s
GROUP BY s.step;

-- name: flow_skips_by_step
-- Why each step's sends did not go out.
-- in:    :buckets int[], :shop_id bigint, :flow_id bigint, :since_id uuid
-- out:   step, reason, n      0..n rows
-- locks: none      index: sends_pkey (bucket, id range), send_events_send
-- scope: fanout (a flow's page adds up all buckets of a shop)
SELECT s.step, coalesce(e.reason, '') AS reason, count(DISTINCT s.id) AS n
FROM sends s JOIN send_events e ON e.bucket = s.bucket AND e.send_id = s.id AND e.kind = 'skipped'
WHERE s.bucket = ANY(%(buckets)s) AND s.shop_id = %(shop_id)s AND s.flow_id = %(flow_id)s AND s.id >= %(since_id)s
GROUP BY 1, 2
ORDER BY 1, 3 DESC, 2;

-- name: flow_orders
-- The orders that the rule gives to a flow's sends since an instant, with the send each is given to.
-- in:    :buckets int[], :shop_id bigint, :flow_id bigint, :rule text, :since timestamptz, :since_id uuid
-- out:   send_bucket, send_id, currency, net_cents      0..n rows
-- locks: none      index: attributions_ordered
-- scope: fanout (a flow's page adds up all buckets of a shop)
SELECT send_bucket, send_id, currency, net_cents
FROM attributions
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND flow_id = %(flow_id)s AND rule = %(rule)s
  AND send_id >= %(since_id)s AND ordered_at >= %(since)s;

-- name: steps_of_sends
-- Which step each of these sends belongs to.
-- in:    :buckets int[], :send_ids uuid[]
-- out:   id, step      0..n rows
-- locks: none      index: sends_pkey
-- scope: fanout (the sends of a shop's orders lie in many buckets)
SELECT id, step
FROM sends
WHERE bucket = ANY(%(buckets)s) AND id = ANY(%(send_ids)s);
