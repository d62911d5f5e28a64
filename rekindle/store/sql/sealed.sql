-- What is sealed with the vault's key, for sealing it anew.

-- name: sealed_accounts
-- Accounts with anything sealed, in the order of their ids, after one.
-- in:    :after bigint, :limit int
-- out:   id, shop_id, secret, hook_secret      0..n rows
-- locks: none (what follows is conditional on what was read)      index: provider_accounts_pkey
SELECT id, shop_id, secret, hook_secret
FROM provider_accounts
WHERE id > %(after)s AND (length(secret) > 0 OR length(hook_secret) > 0)
ORDER BY id
LIMIT %(limit)s;

-- name: seal_account_anew
-- The same values sealed with another key; nothing when somebody entered others meanwhile.
-- in:    :id bigint, :secret bytea, :hook_secret bytea, :old_secret bytea, :old_hook_secret bytea
-- out:   id      0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts SET secret = %(secret)s, hook_secret = %(hook_secret)s
WHERE id = %(id)s AND secret = %(old_secret)s AND hook_secret = %(old_hook_secret)s
RETURNING id;
