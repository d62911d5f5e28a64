-- Sends that waited for something which is over: let them be looked at now.

-- name: sends_to_look_at
-- At most :limit sends of a shop and channel that would be looked at in (:after, :until] and were planned for earlier
-- than now. What another transaction holds is left alone: it is being withdrawn.
-- in:    :bucket int, :shop_id bigint, :channel text, :after timestamptz, :until timestamptz, :now timestamptz,
--        :limit int
-- out:   id, planned_at      0..n rows
-- locks: outbox rows in id order, SKIP LOCKED      index: outbox_shop_due
SELECT o.id, s.planned_at
FROM outbox o
JOIN sends s ON s.bucket = %(bucket)s AND s.id = o.id
WHERE o.bucket = %(bucket)s AND o.shop_id = %(shop_id)s AND o.state = 'scheduled' AND o.channel = %(channel)s
  AND o.send_at > %(after)s AND o.send_at <= %(until)s AND s.planned_at <= %(now)s
ORDER BY o.id
LIMIT %(limit)s
FOR UPDATE OF o SKIP LOCKED;

-- name: look_at_sends
-- When waiting sends are looked at; :ids sorted, :ats beside them.
-- in:    :bucket int, :ids uuid[], :ats timestamptz[]
-- out:   nothing
-- locks: outbox rows, held by the caller      index: outbox_pkey
UPDATE outbox m
SET send_at = w.send_at
FROM unnest(%(ids)s::uuid[], %(ats)s::timestamptz[]) AS w (id, send_at)
WHERE m.bucket = %(bucket)s AND m.id = w.id AND m.state = 'scheduled';
