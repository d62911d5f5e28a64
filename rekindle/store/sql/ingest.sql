-- Events as they are stored. The primary key is the deduplication.

-- name: copy_events
-- Append events in binary form; one that is there already makes the whole batch fail, known_events then says which.
-- in:    rows by COPY
-- out:   nothing
-- locks: none      index: events_pkey, events_cart
COPY events (bucket, id, shop_id, kind, name, at, received_at, visitor_key, cart_id, payload) FROM STDIN (FORMAT BINARY);

-- name: known_events
-- Which of these events are stored already?
-- in:    :bucket int, :ids uuid[]
-- out:   id      0..n rows
-- locks: none      index: events_pkey
SELECT id
FROM events
WHERE bucket = %(bucket)s AND id = ANY(%(ids)s::uuid[]);

-- name: events_go_along
-- The events of a cart that turned out to be part of another go along with it.
-- in:    :bucket int, :from_id uuid, :to_id uuid
-- out:   nothing
-- locks: events rows      index: events_cart
UPDATE events SET cart_id = %(to_id)s
WHERE bucket = %(bucket)s AND cart_id = %(from_id)s;

-- name: drop_cart
-- A cart that turned out to be part of another, as long as nobody changed it meanwhile.
-- in:    :bucket int, :id uuid, :seq bigint
-- out:   id      0..1 rows
-- locks: carts row      index: carts_pkey
DELETE FROM carts
WHERE bucket = %(bucket)s AND id = %(id)s AND seq = %(seq)s
RETURNING id;

-- name: flow_patience
-- The shortest silence, per kind of abandonment, after which an active flow of a shop looks at a cart.
-- in:    :shop_id bigint
-- out:   kind text, idle_s int      0..4 rows
-- locks: none      index: flows_key, flow_versions_pkey
SELECT k.kind, min((v.definition->'trigger'->>'idle_s')::int) AS idle_s
FROM flows f
JOIN flow_versions v ON v.id = f.active_version_id
CROSS JOIN LATERAL jsonb_array_elements_text(v.definition->'trigger'->'kinds') AS k (kind)
WHERE f.shop_id = %(shop_id)s AND v.definition->'trigger'->>'idle_s' IS NOT NULL
GROUP BY k.kind;
