-- Files with everything about a person: ordered on a request, made by a worker, taken once.

-- name: order_export
-- A file is asked for.
-- in:    :bucket int, :id uuid, :shop_id bigint, :request_id uuid, :at timestamptz, :by text
-- out:   nothing
-- locks: none      index: subject_exports_pkey
INSERT INTO subject_exports (bucket, id, shop_id, request_id, state, ordered_at, ordered_by, taken_by, manifest)
VALUES (%(bucket)s::int, %(id)s, %(shop_id)s, %(request_id)s, 'ordered', %(at)s, %(by)s, '', '{}')
ON CONFLICT (bucket, id) DO NOTHING;

-- name: exports_of_request
-- The files of a request, newest first, without what is in them.
-- in:    :bucket int, :request_id uuid
-- out:   ExportLine columns      0..n rows
-- locks: none      index: subject_exports_request
SELECT id, request_id, state, ordered_at, ordered_by, ready_at, expires_at, taken_at, taken_by, manifest
FROM subject_exports
WHERE bucket = %(bucket)s AND request_id = %(request_id)s
ORDER BY ordered_at DESC, id;

-- name: first_ordered_exports
-- Which files wait to be made, in all buckets.
-- in:    :buckets int[], :now timestamptz, :limit int
-- out:   bucket, id, shop_id, request_id      0..n rows
-- locks: none      index: subject_exports_waiting
-- scope: fanout (a worker looks for files to make in all buckets)
SELECT bucket, id, shop_id, request_id
FROM subject_exports
WHERE bucket = ANY(%(buckets)s::int[]) AND state = 'ordered' AND (lease_until IS NULL OR lease_until < %(now)s)
ORDER BY ordered_at, id
LIMIT %(limit)s;

-- name: claim_export
-- One worker makes it; one that dies loses its lease.
-- in:    :bucket int, :id uuid, :now timestamptz, :lease_until timestamptz
-- out:   id      0..1 row
-- locks: one subject_exports row      index: subject_exports_pkey
UPDATE subject_exports SET lease_until = %(lease_until)s
WHERE bucket = %(bucket)s AND id = %(id)s AND state = 'ordered' AND (lease_until IS NULL OR lease_until < %(now)s)
RETURNING id;

-- name: finish_export
-- It is ready, or cannot be made (content NULL).
-- in:    :bucket int, :id uuid, :state text, :ready_at timestamptz, :expires_at timestamptz, :manifest jsonb,
--        :content bytea
-- out:   id      0..1 row; none when the person was erased meanwhile
-- locks: one subject_exports row      index: subject_exports_pkey
UPDATE subject_exports SET state = %(state)s, ready_at = %(ready_at)s, expires_at = %(expires_at)s,
  manifest = %(manifest)s, content = %(content)s, lease_until = NULL
WHERE bucket = %(bucket)s AND id = %(id)s AND state = 'ordered'
RETURNING id;

-- name: hold_export
-- A file that is about to be taken, held until the transaction ends.
-- in:    :bucket int, :id uuid, :shop_id bigint, :now timestamptz
-- out:   request_id, content      0..1 row; none unless it is ready and not too old
-- locks: one subject_exports row      index: subject_exports_pkey
SELECT request_id, content
FROM subject_exports
WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s AND state = 'ready' AND expires_at > %(now)s
FOR UPDATE;

-- name: has_export
-- Is this a file of the shop, in whatever state?
-- in:    :bucket int, :id uuid, :shop_id bigint
-- out:   one row when it is
-- locks: none      index: subject_exports_pkey
SELECT 1 FROM subject_exports WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s;

-- name: note_export_taken
-- It was taken: it is not here any more.
-- in:    :bucket int, :id uuid, :at timestamptz, :by text
-- out:   nothing
-- locks: one subject_exports row (held by the caller)      index: subject_exports_pkey
UPDATE subject_exports SET state = 'taken', taken_at = %(at)s, taken_by = %(by)s, content = NULL
WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: expire_exports
-- Files that nobody took in time are thrown away.
-- in:    :buckets int[], :now timestamptz
-- out:   bucket, id, shop_id, request_id      0..n rows
-- locks: subject_exports rows      index: subject_exports_waiting
-- scope: fanout (a worker throws old files away in all buckets)
UPDATE subject_exports SET state = 'expired', content = NULL
WHERE bucket = ANY(%(buckets)s::int[]) AND state = 'ready' AND expires_at <= %(now)s
RETURNING bucket, id, shop_id, request_id;
