-- What is older than it may be, bucket by bucket: deleted, or without what could lead to anybody. Batches, so that no lock
-- is held for long and the log of the database stays small.

-- name: count_old_events
-- How many rows the next run takes.
-- in:    :bucket int, :shop_id bigint, :floor uuid
-- out:   count int      1 row
-- locks: none      index: events_pkey
SELECT count(*)::int AS count FROM events t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.id < %(floor)s::uuid;

-- name: delete_old_events
-- A batch of them.
-- in:    :bucket int, :shop_id bigint, :floor uuid, :limit int
-- out:   nothing (the number of rows counts)
-- locks: events rows      index: events_pkey
WITH gone AS MATERIALIZED (
  SELECT t.id FROM events t
  WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.id < %(floor)s::uuid
  ORDER BY t.id LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
)
DELETE FROM events x USING gone WHERE x.bucket = %(bucket)s AND x.id = gone.id;

-- name: count_old_send_events
-- How many rows the next run takes.
-- in:    :bucket int, :shop_id bigint, :floor uuid
-- out:   count int      1 row
-- locks: none      index: send_events_pkey
SELECT count(*)::int AS count FROM send_events t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.id < %(floor)s::uuid;

-- name: delete_old_send_events
-- A batch of them.
-- in:    :bucket int, :shop_id bigint, :floor uuid, :limit int
-- out:   nothing (the number of rows counts)
-- locks: send_events rows      index: send_events_pkey
WITH gone AS MATERIALIZED (
  SELECT t.id FROM send_events t
  WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.id < %(floor)s::uuid
  ORDER BY t.id LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
)
DELETE FROM send_events x USING gone WHERE x.bucket = %(bucket)s AND x.id = gone.id;

-- name: count_old_decisions
-- How many rows the next run takes.
-- in:    :bucket int, :shop_id bigint, :floor uuid
-- out:   count int      1 row
-- locks: none      index: decisions_pkey
SELECT count(*)::int AS count FROM decisions t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.id < %(floor)s::uuid;

-- name: delete_old_decisions
-- A batch of them.
-- in:    :bucket int, :shop_id bigint, :floor uuid, :limit int
-- out:   nothing (the number of rows counts)
-- locks: decisions rows      index: decisions_pkey
WITH gone AS MATERIALIZED (
  SELECT t.id FROM decisions t
  WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.id < %(floor)s::uuid
  ORDER BY t.id LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
)
DELETE FROM decisions x USING gone WHERE x.bucket = %(bucket)s AND x.id = gone.id;

-- name: count_old_sends
-- How many rows the next run takes.
-- in:    :bucket int, :shop_id bigint, :floor uuid
-- out:   count int      1 row
-- locks: none      index: sends_pkey, outbox_pkey
SELECT count(*)::int AS count FROM sends t
LEFT JOIN outbox o ON o.bucket = %(bucket)s AND o.id = t.id
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.id < %(floor)s::uuid AND o.id IS NULL;

-- name: delete_old_sends
-- A batch of them.
-- in:    :bucket int, :shop_id bigint, :floor uuid, :limit int
-- out:   nothing (the number of rows counts)
-- locks: sends rows      index: sends_pkey, outbox_pkey
WITH gone AS MATERIALIZED (
  SELECT t.id FROM sends t
  LEFT JOIN outbox o ON o.bucket = %(bucket)s AND o.id = t.id
  WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.id < %(floor)s::uuid AND o.id IS NULL
  ORDER BY t.id LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
)
DELETE FROM sends x USING gone WHERE x.bucket = %(bucket)s AND x.id = gone.id;

-- name: count_old_anonymous_carts
-- How many rows the next run takes.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   count int      1 row
-- locks: none      index: carts_created
SELECT count(*)::int AS count FROM carts t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.shopper_id IS NULL AND t.order_key IS NULL AND t.touched_at < %(before)s;

-- name: delete_old_anonymous_carts
-- A batch of them.
-- in:    :bucket int, :shop_id bigint, :before timestamptz, :limit int
-- out:   nothing (the number of rows counts)
-- locks: carts rows      index: carts_created
WITH gone AS MATERIALIZED (
  SELECT t.id FROM carts t
  WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.shopper_id IS NULL AND t.order_key IS NULL AND t.touched_at < %(before)s
  ORDER BY t.id LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
)
DELETE FROM carts x USING gone WHERE x.bucket = %(bucket)s AND x.id = gone.id;

-- name: count_old_visitors
-- How many rows the next run takes.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   count int      1 row
-- locks: none      index: none (once a day)
SELECT count(*)::int AS count FROM visitors t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.shopper_id IS NULL AND t.seen_at < %(before)s;

-- name: delete_old_visitors
-- A batch of them.
-- in:    :bucket int, :shop_id bigint, :before timestamptz, :limit int
-- out:   nothing (the number of rows counts)
-- locks: visitors rows      index: none (once a day)
WITH gone AS MATERIALIZED (
  SELECT t.id FROM visitors t
  WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.shopper_id IS NULL AND t.seen_at < %(before)s
  ORDER BY t.id LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED
)
DELETE FROM visitors x USING gone WHERE x.bucket = %(bucket)s AND x.id = gone.id;

-- name: count_old_carts
-- How many carts of known shoppers the next run blanks.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   count int      1 row
-- locks: none      index: carts_created
SELECT count(*)::int AS count FROM carts t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.shopper_id IS NOT NULL AND t.order_key IS NULL
  AND t.touched_at < %(before)s AND t.cart_key NOT LIKE 'erased:%%';

-- name: hold_old_carts
-- A batch of carts to blank, held until the transaction ends.
-- in:    :bucket int, :shop_id bigint, :before timestamptz, :limit int
-- out:   id      0..n rows
-- locks: carts rows in id order, SKIP LOCKED      index: carts_created
SELECT t.id FROM carts t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.shopper_id IS NOT NULL AND t.order_key IS NULL
  AND t.touched_at < %(before)s AND t.cart_key NOT LIKE 'erased:%%'
ORDER BY t.id LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED;

-- name: count_old_replies
-- How many replies the next run blanks.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   count int      1 row
-- locks: none      index: none (once a day)
SELECT count(*)::int AS count FROM replies t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.at < %(before)s AND t.text <> '';

-- name: blank_old_replies
-- Replies without their text.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   nothing (the number of rows counts)
-- locks: replies rows      index: none (once a day)
UPDATE replies SET text = ''
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND at < %(before)s AND text <> '';

-- name: count_old_requests
-- How many closed requests the next run deletes.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   count int      1 row
-- locks: none      index: privacy_requests_received
SELECT count(*)::int AS count FROM privacy_requests t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND t.closed_at < %(before)s;

-- name: delete_old_requests
-- Closed requests.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   id      0..n rows
-- locks: privacy_requests rows      index: privacy_requests_received
DELETE FROM privacy_requests
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND closed_at < %(before)s
RETURNING id;

-- name: delete_history_of_requests
-- What had happened to them.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: privacy_events rows      index: privacy_events_request
DELETE FROM privacy_events WHERE bucket = %(bucket)s AND request_id = ANY(%(ids)s::uuid[]);

-- name: delete_exports_of_requests
-- And the rows of their files.
-- in:    :bucket int, :ids uuid[]
-- out:   nothing
-- locks: subject_exports rows      index: subject_exports_request
DELETE FROM subject_exports WHERE bucket = %(bucket)s AND request_id = ANY(%(ids)s::uuid[]);

-- name: count_old_consents
-- How many rows of the ledger the next run deletes: whole chains only, or what is left could not be proven.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   count int      1 row
-- locks: none      index: consents_chain
SELECT count(*)::int AS count FROM consents t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND (t.channel, t.address_hash) IN (
  SELECT n.channel, n.address_hash FROM consents n
  WHERE n.bucket = %(bucket)s AND n.shop_id = %(shop_id)s
  GROUP BY n.channel, n.address_hash HAVING max(n.recorded_at) < %(before)s);

-- name: delete_old_consents
-- Whole chains of the ledger that nothing was added to for so long.
-- in:    :bucket int, :shop_id bigint, :before timestamptz
-- out:   id, row_hash, recorded_at      0..n rows
-- locks: consents rows      index: consents_chain
DELETE FROM consents t
WHERE t.bucket = %(bucket)s AND t.shop_id = %(shop_id)s AND (t.channel, t.address_hash) IN (
  SELECT n.channel, n.address_hash FROM consents n
  WHERE n.bucket = %(bucket)s AND n.shop_id = %(shop_id)s
  GROUP BY n.channel, n.address_hash HAVING max(n.recorded_at) < %(before)s)
RETURNING t.id, t.row_hash, t.recorded_at;

-- name: note_retention
-- What a run took away.
-- in:    :shop_id bigint, :data_class text, :at timestamptz, :before timestamptz, :row_count bigint, :partitions text
-- out:   nothing
-- locks: none      index: retention_runs_pkey
INSERT INTO retention_runs (shop_id, data_class, at, before, row_count, partitions)
VALUES (%(shop_id)s, %(data_class)s, %(at)s, %(before)s, %(row_count)s, %(partitions)s);

-- name: retention_report
-- What was taken away, newest first; partitions hold rows of every shop.
-- in:    :shop_id bigint, :limit int
-- out:   Taken columns      0..n rows
-- locks: none      index: retention_runs_at
SELECT data_class, at, before, row_count, partitions
FROM retention_runs
WHERE shop_id = %(shop_id)s OR shop_id IS NULL
ORDER BY at DESC, id DESC
LIMIT %(limit)s;

-- name: partitions_of
-- The partitions of a table.
-- in:    :parent text
-- out:   name text      0..n rows
-- locks: none      index: pg_inherits
SELECT c.relname::text AS name
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relname = %(parent)s::text
ORDER BY c.relname;
