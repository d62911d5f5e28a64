-- By which account messages leave: what is used of limits, pauses and the trials after them.

-- name: begin_quotas
-- Rows for limits that were never taken from.
-- in:    :accounts bigint[], :scopes text[], :now timestamptz, :day date
-- out:   nothing
-- locks: none      index: account_quotas_pkey
INSERT INTO account_quotas (account_id, scope, next_at, queue_at, day, day_count)
SELECT w.account_id, w.scope, %(now)s, %(now)s, %(day)s, 0
FROM unnest(%(accounts)s::bigint[], %(scopes)s::text[]) AS w (account_id, scope)
ON CONFLICT (account_id, scope) DO NOTHING;

-- name: lock_quotas
-- What is used of some limits; the caller takes from them in the same transaction.
-- in:    :accounts bigint[], :scopes text[]
-- out:   account_id, scope, next_at, queue_at, day, day_count      0..n rows
-- locks: account_quotas rows in key order      index: account_quotas_pkey
SELECT q.account_id, q.scope, q.next_at, q.queue_at, q.day, q.day_count
FROM account_quotas q
WHERE (q.account_id, q.scope) IN (
  SELECT w.account_id, w.scope FROM unnest(%(accounts)s::bigint[], %(scopes)s::text[]) AS w (account_id, scope))
ORDER BY q.account_id, q.scope
FOR UPDATE;

-- name: put_quotas
-- What is used now: :rows is [{"account_id", "scope", "next_at", "queue_at", "day", "day_count"}].
-- in:    :rows jsonb
-- out:   nothing
-- locks: account_quotas rows, held by the caller      index: account_quotas_pkey
UPDATE account_quotas q
SET next_at = r.next_at, queue_at = r.queue_at, day = r.day, day_count = r.day_count
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
  account_id bigint, scope text, next_at timestamptz, queue_at timestamptz, day date, day_count int)
WHERE q.account_id = r.account_id AND q.scope = r.scope;

-- name: pause_account
-- A provider account takes a break; a later end wins over an earlier one, and a person's word over both.
-- in:    :id bigint, :until timestamptz, :reason text, :kind text, :trips int
-- out:   nothing
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts
SET paused_until = %(until)s, paused_reason = %(reason)s, pause_kind = %(kind)s, probe_until = NULL,
  trip_count = greatest(trip_count, %(trips)s)
WHERE id = %(id)s AND pause_kind <> 'held' AND (paused_until IS NULL OR paused_until < %(until)s);

-- name: take_probe
-- After a pause one worker tries one message; the others wait for what becomes of it, at most until :probe_until.
-- in:    :id bigint, :now timestamptz, :probe_until timestamptz
-- out:   id      0..1 rows; none: somebody else tries it, or it pauses again
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts
SET probe_until = %(probe_until)s
WHERE id = %(id)s AND pause_kind NOT IN ('', 'held') AND paused_until <= %(now)s
  AND (probe_until IS NULL OR probe_until <= %(now)s)
RETURNING id;

-- name: account_works
-- The trial went well. An answer that was under way when the pause began ends no pause.
-- in:    :id bigint, :now timestamptz
-- out:   shop_id      0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts
SET paused_until = NULL, paused_reason = '', pause_kind = '', trip_count = 0, probe_until = NULL
WHERE id = %(id)s AND pause_kind NOT IN ('', 'held') AND paused_until <= %(now)s
RETURNING shop_id;
