-- Can work be done, and how much of it waits? For /readyz and /metrics.

-- name: applied_migrations
-- Migrations of our own tables that this database has had.
-- in:    (nothing)
-- out:   name      one per migration
-- locks: none      index: none (a small table)
SELECT name FROM django_migrations WHERE app = 'store';

-- name: existing_tables
-- Which of these tables exist?
-- in:    :names text[]
-- out:   name      0..n rows
-- locks: none      index: pg_class_relname_nsp_index
SELECT relname FROM pg_catalog.pg_class WHERE relname = ANY(%(names)s);

-- name: oldest_due_by_stage
-- The oldest due instant of each kind of work in the whole installation; NULL when nothing is due.
-- With every bucket named, the indexes are asked for what is due only, not for what waits.
-- in:    :buckets int[], :now timestamptz
-- out:   stage, oldest      3 rows
-- locks: none      index: carts_check, enrolments_due, outbox_due
-- scope: fanout (an operator's gauge over all shops)
SELECT 'abandon', min(check_at)
FROM carts
WHERE bucket = ANY(%(buckets)s) AND check_at <= %(now)s
UNION ALL
SELECT 'advance', min(due_at)
FROM enrolments
WHERE bucket = ANY(%(buckets)s) AND state = 'waiting' AND due_at <= %(now)s
UNION ALL
SELECT 'deliver', min(send_at)
FROM outbox
WHERE bucket = ANY(%(buckets)s) AND state = 'scheduled' AND send_at <= %(now)s;

-- name: outbox_by_state
-- How many sends lie in the outbox, by state, in the whole installation.
-- in:    (nothing)
-- out:   state, count      0..n rows
-- locks: none      index: none (the outbox holds only what waits)
-- scope: fanout (an operator's gauge over all shops)
SELECT state, count(*) FROM outbox GROUP BY state;
