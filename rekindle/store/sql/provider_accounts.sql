-- name: accounts_of_shop
-- A shop's provider accounts of a channel, switched on or not, in the order in which they are tried.
-- in:    :shop_id bigint, :channel text
-- out:   AccountLine columns      0..n rows
-- locks: none      index: the table is small
SELECT id, channel, kind, name, options, length(secret) > 0 AS has_secret, enabled, paused_until, paused_reason,
  position, weight, limits, pause_kind, trip_count
FROM provider_accounts
WHERE shop_id = %(shop_id)s AND channel = %(channel)s
ORDER BY position, id;

-- name: account_of_shop
-- One account of a shop.
-- in:    :shop_id bigint, :id bigint
-- out:   AccountLine columns      0..1 rows
-- locks: none      index: provider_accounts_pkey
SELECT id, channel, kind, name, options, length(secret) > 0 AS has_secret, enabled, paused_until, paused_reason,
  position, weight, limits, pause_kind, trip_count
FROM provider_accounts
WHERE id = %(id)s AND shop_id = %(shop_id)s;

-- name: insert_account
-- A new account, tried after those that are there.
-- in:    :shop_id bigint, :channel text, :kind text, :name text, :options jsonb, :secret bytea
-- out:   id      1 row
-- locks: none      index: provider_accounts_pkey
INSERT INTO provider_accounts (shop_id, channel, kind, name, options, secret, position, enabled, paused_reason)
SELECT %(shop_id)s::bigint, %(channel)s::text, %(kind)s::text, %(name)s::text, %(options)s::jsonb, %(secret)s::bytea,
  coalesce(max(position) + 1, 0), true, ''
FROM provider_accounts
WHERE shop_id = %(shop_id)s::bigint AND channel = %(channel)s::text
RETURNING id;

-- name: change_account
-- Another way in for an account; a NULL secret keeps the stored one. A pause ends: the reason may be gone.
-- in:    :shop_id bigint, :id bigint, :name text, :options jsonb, :secret bytea
-- out:   id      0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts
SET name = %(name)s, options = %(options)s, secret = coalesce(%(secret)s, secret),
    paused_until = NULL, paused_reason = '', pause_kind = '', trip_count = 0, probe_until = NULL
WHERE id = %(id)s AND shop_id = %(shop_id)s
RETURNING id;

-- name: sealed_account
-- What is needed to open an account's provider.
-- in:    :shop_id bigint, :id bigint
-- out:   kind, channel, options, secret      0..1 rows
-- locks: none      index: provider_accounts_pkey
SELECT kind, channel, options, secret
FROM provider_accounts
WHERE id = %(id)s AND shop_id = %(shop_id)s;

-- name: set_account_route
-- When an account's turn comes: those with the lowest position share by weight, the next stand in for them.
-- in:    :shop_id bigint, :id bigint, :position int, :weight int, :limits jsonb, :enabled bool
-- out:   id      0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts
SET position = %(position)s, weight = %(weight)s, limits = %(limits)s::jsonb, enabled = %(enabled)s
WHERE id = %(id)s AND shop_id = %(shop_id)s
RETURNING id;

-- name: hold_account
-- A person stops an account; it stays stopped until a person starts it again.
-- in:    :shop_id bigint, :id bigint, :until timestamptz, :reason text
-- out:   id      0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts
SET paused_until = %(until)s, paused_reason = %(reason)s, pause_kind = 'held', probe_until = NULL
WHERE id = %(id)s AND shop_id = %(shop_id)s
RETURNING id;

-- name: resume_account
-- A pause ends, whatever it was for.
-- in:    :shop_id bigint, :id bigint
-- out:   id      0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts
SET paused_until = NULL, paused_reason = '', pause_kind = '', trip_count = 0, probe_until = NULL
WHERE id = %(id)s AND shop_id = %(shop_id)s
RETURNING id;
