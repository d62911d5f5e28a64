-- What the loops of a worker ask between batches: where is work, which periodic job is due, who is alive?

-- name: first_check_by_bucket
-- The earliest idle timer of each of these buckets; independent of how many carts wait in them.
-- in:    :buckets int[]
-- out:   bucket, check_at      0..n rows, earliest first
-- locks: none      index: carts_check (one probe a bucket)
-- scope: fanout (one sweep of a worker over its buckets, when it knows of no work)
SELECT b.bucket, d.check_at
FROM unnest(%(buckets)s::int[]) AS b (bucket)
CROSS JOIN LATERAL (
  SELECT c.check_at FROM carts c
  WHERE c.bucket = b.bucket AND c.check_at IS NOT NULL
  ORDER BY c.check_at LIMIT 1) d
ORDER BY d.check_at;

-- name: first_step_by_bucket
-- The earliest step of each of these buckets; independent of how many runs wait in them.
-- in:    :buckets int[]
-- out:   bucket, due_at      0..n rows, earliest first
-- locks: none      index: enrolments_due (one probe a bucket)
-- scope: fanout (one sweep of a worker over its buckets, when it knows of no work)
SELECT b.bucket, d.due_at
FROM unnest(%(buckets)s::int[]) AS b (bucket)
CROSS JOIN LATERAL (
  SELECT e.due_at FROM enrolments e
  WHERE e.bucket = b.bucket AND e.state = 'waiting' AND e.due_at IS NOT NULL
  ORDER BY e.due_at LIMIT 1) d
ORDER BY d.due_at;

-- name: put_job
-- Make a periodic job known; one that is known keeps its time.
-- in:    :name text, :due_at timestamptz
-- out:   nothing
-- locks: none      index: jobs_pkey
INSERT INTO jobs (name, due_at, last_error) VALUES (%(name)s, %(due_at)s, '') ON CONFLICT (name) DO NOTHING;

-- name: claim_job
-- Take a job that is due and that no living worker holds.
-- in:    :name text, :now timestamptz, :lease_until timestamptz
-- out:   last_ok_at      0..1 row
-- locks: jobs row      index: jobs_pkey
UPDATE jobs SET lease_until = %(lease_until)s
WHERE name = %(name)s AND due_at <= %(now)s AND (lease_until IS NULL OR lease_until <= %(now)s)
RETURNING last_ok_at;

-- name: finish_job
-- Give a job back with its next time. What went well is remembered longer than what did not.
-- in:    :name text, :due_at timestamptz, :last_ok_at timestamptz, :error text
-- out:   nothing
-- locks: jobs row      index: jobs_pkey
UPDATE jobs
SET lease_until = NULL, due_at = %(due_at)s, last_ok_at = coalesce(%(last_ok_at)s::timestamptz, last_ok_at),
  last_error = %(error)s
WHERE name = %(name)s;

-- name: last_ok_at
-- When did a job end well the last time?
-- in:    :name text
-- out:   last_ok_at      0..1 rows
-- locks: none      index: jobs_pkey
SELECT last_ok_at FROM jobs WHERE name = %(name)s;

-- name: next_job_at
-- When is one of these jobs due next?
-- in:    :names text[]
-- out:   due_at      1 row, NULL when none is known
-- locks: none      index: jobs_pkey
SELECT min(greatest(due_at, lease_until)) FROM jobs WHERE name = ANY(%(names)s::text[]);

-- name: beat
-- A loop is alive and its last turn went well (error empty) or not.
-- in:    :name text, :now timestamptz, :error text
-- out:   nothing
-- locks: jobs row      index: jobs_pkey
INSERT INTO jobs (name, due_at, last_ok_at, last_error)
VALUES (%(name)s, %(now)s, CASE WHEN %(error)s::text = '' THEN %(now)s::timestamptz END, %(error)s)
ON CONFLICT (name) DO UPDATE
SET due_at = excluded.due_at, last_ok_at = coalesce(excluded.last_ok_at, jobs.last_ok_at), last_error = excluded.last_error;

-- name: all_beats
-- When each loop and job of the installation last did something, and what went wrong last.
-- in:    nothing
-- out:   name, due_at, last_ok_at, last_error      0..n rows
-- locks: none      index: none (a small table)
SELECT name, due_at, last_ok_at, last_error FROM jobs ORDER BY name;
