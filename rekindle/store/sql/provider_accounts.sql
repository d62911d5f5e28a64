-- name: accounts_of_shop
-- A shop's provider accounts of a channel, switched on or not, in the order in which they are tried.
-- in:    :shop_id bigint, :channel text
-- out:   AccountLine columns      0..n rows
-- locks: none      index: the table is small
SELECT id, kind, name, options, length(secret) > 0 AS has_secret, enabled, paused_until, paused_reason
FROM provider_accounts
WHERE shop_id = %(shop_id)s AND channel = %(channel)s
ORDER BY position, id;

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
SET name = %(name)s, options = %(options)s, secret = coalesce(%(secret)s, secret), enabled = true,
    paused_until = NULL, paused_reason = ''
WHERE id = %(id)s AND shop_id = %(shop_id)s
RETURNING id;

-- name: sealed_account
-- What is needed to open an account's provider.
-- in:    :shop_id bigint, :id bigint
-- out:   kind, options, secret      0..1 rows
-- locks: none      index: provider_accounts_pkey
SELECT kind, options, secret
FROM provider_accounts
WHERE id = %(id)s AND shop_id = %(shop_id)s;
