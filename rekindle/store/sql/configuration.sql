-- name: active_flows
-- Every flow that is switched on, with its active definition, most important first within its shop.
-- in:    nothing
-- out:   shop_id, flow_id, key, priority, activated_at, version_id, definition text      0..n rows
-- locks: none      index: primary keys (small tables, read whole)
SELECT f.shop_id, f.id, f.key, f.priority, f.activated_at, v.id, v.definition::text
FROM flows f
JOIN flow_versions v ON v.id = f.active_version_id
WHERE f.activated_at IS NOT NULL
ORDER BY f.shop_id, f.priority DESC, f.id;

-- name: flow_versions_by_id
-- The definitions of some flow versions, active or not: enrolments run on with the version they entered.
-- in:    :ids bigint[]
-- out:   version_id, flow_id, key, definition text      0..n rows
-- locks: none      index: flow_versions_pkey
SELECT v.id, f.id, f.key, v.definition::text
FROM flow_versions v
JOIN flows f ON f.id = v.flow_id
WHERE v.id = ANY(%(ids)s::bigint[]);

-- name: published_templates
-- Which version of each template goes out now.
-- in:    nothing
-- out:   shop_id, key, channel, version_id      0..n rows
-- locks: none      index: none (small table, read whole)
SELECT t.shop_id, t.key, t.channel, t.published_version_id
FROM templates t
WHERE t.published_version_id IS NOT NULL;

-- name: template_version_by_id
-- The content of one template version.
-- in:    :id bigint
-- out:   version_id, shop_id, key, channel, subject, preheader, html, text, source      0..1 rows
-- locks: none      index: template_versions_pkey
SELECT v.id, t.shop_id, t.key, t.channel, v.subject, v.preheader, v.html, v.text,
  CASE WHEN t.channel = 'push' THEN v.source ELSE '' END AS source
FROM template_versions v
JOIN templates t ON t.id = v.template_id
WHERE v.id = %(id)s;

-- name: provider_accounts_in_use
-- Every provider account that is not switched off, in the order in which a shop wants them tried.
-- in:    nothing
-- out:   account_id, shop_id, channel, kind, name, options jsonb, secret bytea, position, paused_until, paused_reason,
--        weight, limits jsonb, pause_kind, trip_count, probe_until, hook_serial      0..n rows
-- locks: none      index: none (small table, read whole)
SELECT a.id, a.shop_id, a.channel, a.kind, a.name, a.options, a.secret, a.position, a.paused_until, a.paused_reason,
  a.weight, a.limits, a.pause_kind, a.trip_count, a.probe_until,
  a.hook_serial
FROM provider_accounts a
WHERE a.enabled
ORDER BY a.shop_id, a.channel, a.position, a.id;

-- name: flow_of_shop
-- One flow by its key, locked against a neighbour who saves or switches it at the same moment.
-- in:    :shop_id bigint, :key text
-- out:   id, name, active_version_id, activated_at, priority      0..1 rows
-- locks: flows row      index: flows_key
SELECT f.id, f.name, f.active_version_id, f.activated_at, f.priority
FROM flows f
WHERE f.shop_id = %(shop_id)s AND f.key = %(key)s
FOR UPDATE;

-- name: insert_flow
-- A new flow, switched off.
-- in:    :shop_id bigint, :key text, :name text, :priority int
-- out:   id      1 row
-- locks: none      index: none
INSERT INTO flows (shop_id, key, name, active_version_id, activated_at, priority)
VALUES (%(shop_id)s, %(key)s, %(name)s, NULL, NULL, %(priority)s)
RETURNING id;

-- name: update_flow_labels
-- A flow's name and rank.
-- in:    :id bigint, :name text, :priority int
-- out:   nothing
-- locks: flows row      index: flows_pkey
UPDATE flows SET name = %(name)s, priority = %(priority)s WHERE id = %(id)s;

-- name: insert_flow_version
-- The next immutable definition of a flow; its row is locked by the caller, so numbers have no gaps.
-- in:    :flow_id bigint, :definition jsonb, :created_at timestamptz, :created_by text
-- out:   id, number      1 row
-- locks: none      index: flow_versions_number
INSERT INTO flow_versions (flow_id, number, definition, created_at, created_by)
SELECT %(flow_id)s, coalesce(max(v.number), 0) + 1, %(definition)s::jsonb, %(created_at)s, %(created_by)s
FROM flow_versions v
WHERE v.flow_id = %(flow_id)s
RETURNING id, number;

-- name: flow_version_of_flow
-- A version by its number, or the newest when no number is given.
-- in:    :flow_id bigint, :number int
-- out:   id, number, definition text      0..1 rows
-- locks: none      index: flow_versions_number
SELECT v.id, v.number, v.definition::text
FROM flow_versions v
WHERE v.flow_id = %(flow_id)s AND (%(number)s::int IS NULL OR v.number = %(number)s::int)
ORDER BY v.number DESC
LIMIT 1;

-- name: switch_flow
-- Switch a flow on with a version, or off with none. Changing the version of a running flow keeps its first instant.
-- in:    :id bigint, :version_id bigint, :activated_at timestamptz
-- out:   nothing
-- locks: flows row      index: flows_pkey
UPDATE flows SET active_version_id = %(version_id)s, activated_at = %(activated_at)s WHERE id = %(id)s;

-- name: template_channels_of_shop
-- The channel of each published template of a shop, to check a flow against.
-- in:    :shop_id bigint
-- out:   key, channel      0..n rows
-- locks: none      index: templates_key
SELECT t.key, t.channel
FROM templates t
WHERE t.shop_id = %(shop_id)s AND t.published_version_id IS NOT NULL;

-- name: put_template
-- A template by its key, made when it is new; its row is locked against a neighbour who saves at the same moment.
-- in:    :shop_id bigint, :key text, :name text, :channel text
-- out:   id, channel      1 row
-- locks: templates row      index: templates_key
INSERT INTO templates (shop_id, key, name, channel, published_version_id)
VALUES (%(shop_id)s, %(key)s, %(name)s, %(channel)s, NULL)
ON CONFLICT (shop_id, key) DO UPDATE SET name = excluded.name
RETURNING id, channel;

-- name: insert_template_version
-- The next immutable state of a template, whose row the caller holds.
-- in:    :template_id bigint, :subject text, :preheader text, :source text, :html text, :text text,
--        :created_at timestamptz, :created_by text
-- out:   id, number      1 row
-- locks: none      index: template_versions_number
INSERT INTO template_versions (template_id, number, subject, preheader, source, html, text, created_at, created_by)
SELECT %(template_id)s, coalesce(max(v.number), 0) + 1, %(subject)s, %(preheader)s, %(source)s, %(html)s, %(text)s,
  %(created_at)s, %(created_by)s
FROM template_versions v
WHERE v.template_id = %(template_id)s
RETURNING id, number;

-- name: publish_template_version
-- From now on messages use this version.
-- in:    :template_id bigint, :version_id bigint
-- out:   nothing
-- locks: templates row      index: templates_pkey
UPDATE templates SET published_version_id = %(version_id)s WHERE id = %(template_id)s;

-- name: stop_enrolments_of_flow
-- End at most :limit waiting runs of a flow; waits for workers that hold some.
-- in:    :bucket int, :flow_id bigint, :reason text, :now timestamptz, :limit int
-- out:   id, shop_id, cart_id, shopper_id, step      0..n rows
-- locks: enrolments rows in id order      index: enrolments_due
UPDATE enrolments e
SET state = 'exited', exit_reason = %(reason)s, due_at = NULL, ended_at = %(now)s
FROM (
  SELECT id FROM enrolments
  WHERE bucket = %(bucket)s AND state = 'waiting' AND flow_id = %(flow_id)s
  ORDER BY id LIMIT %(limit)s FOR UPDATE) d
WHERE e.bucket = %(bucket)s AND e.id = d.id AND e.state = 'waiting'
RETURNING e.id, e.shop_id, e.cart_id, e.shopper_id, e.step;

-- name: hurry_timers
-- Bring the timers of at most :limit carts forward to :idle after their last activity, where that is still to come and
-- the timer rings later. Only timers that ring in (:after, :until] are looked at.
-- in:    :bucket int, :shop_id bigint, :stages text[], :idle interval, :now timestamptz, :after timestamptz,
--        :until timestamptz, :limit int
-- out:   one row per cart      0..n rows
-- locks: carts rows in id order      index: carts_check
UPDATE carts c
SET check_at = c.touched_at + %(idle)s::interval, seq = c.seq + 1
FROM (
  SELECT id FROM carts
  WHERE bucket = %(bucket)s AND check_at > %(after)s AND check_at <= %(until)s AND shop_id = %(shop_id)s
    AND stage = ANY(%(stages)s) AND state IN ('open', 'abandoned')
    AND touched_at + %(idle)s::interval > %(now)s AND touched_at + %(idle)s::interval < check_at
  ORDER BY id LIMIT %(limit)s FOR UPDATE) d
WHERE c.bucket = %(bucket)s AND c.id = d.id
RETURNING 1;
