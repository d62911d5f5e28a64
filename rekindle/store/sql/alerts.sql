-- What needs a person: shown in the dashboard until it is over.

-- name: raise_alert
-- Something needs a person. While an alert of the same kind about the same thing is open, it is only counted.
-- in:    :shop_id bigint, :kind text, :subject_id bigint, :text text, :at timestamptz
-- out:   id, is_new      1 row
-- locks: one alerts row      index: alerts_open
INSERT INTO alerts (shop_id, kind, subject_id, text, opened_at, last_at, times)
VALUES (%(shop_id)s, %(kind)s, %(subject_id)s, %(text)s, %(at)s, %(at)s, 1)
ON CONFLICT (shop_id, kind, subject_id) WHERE closed_at IS NULL
DO UPDATE SET text = excluded.text, last_at = excluded.last_at, times = alerts.times + 1
RETURNING id, xmax = 0 AS is_new;

-- name: close_alerts
-- It is over, or somebody has seen to it. A NULL kind closes every alert about the thing.
-- in:    :shop_id bigint, :kind text, :subject_id bigint, :at timestamptz, :by text
-- out:   id      0..n rows
-- locks: alerts rows      index: alerts_open
UPDATE alerts SET closed_at = %(at)s, closed_by = %(by)s
WHERE shop_id = %(shop_id)s AND subject_id = %(subject_id)s AND closed_at IS NULL
  AND (%(kind)s::text IS NULL OR kind = %(kind)s::text)
RETURNING id;

-- name: open_alerts
-- A shop's open alerts, newest first.
-- in:    :shop_id bigint, :limit int
-- out:   AlertLine columns      0..n rows
-- locks: none      index: alerts_open
SELECT id, kind, subject_id, text, opened_at, last_at, times
FROM alerts
WHERE shop_id = %(shop_id)s AND closed_at IS NULL
ORDER BY last_at DESC, id DESC
LIMIT %(limit)s;

-- name: count_open_alerts
-- How many alerts are open, by kind: for the metrics.
-- in:    nothing
-- out:   kind, count      0..n rows
-- locks: none      index: none (small table)
SELECT kind, count(*)::int AS count FROM alerts WHERE closed_at IS NULL GROUP BY kind ORDER BY kind;
