-- Where providers report: which account an address belongs to, and what proves a report.

-- name: hook_account
-- The account behind a hook's address. The caller has checked that the address is one of ours.
-- in:    :id bigint
-- out:   HookAccount columns                  0..1 rows
-- locks: none      index: provider_accounts_pkey
SELECT id, shop_id, channel, kind, hook_serial, hook_serial_before, hook_secret
FROM provider_accounts
WHERE id = %(id)s;

-- name: set_hook_secret
-- What proves an account's reports from now on.
-- in:    :shop_id bigint, :id bigint, :secret bytea
-- out:   id                                   0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts SET hook_secret = %(secret)s
WHERE id = %(id)s AND shop_id = %(shop_id)s
RETURNING id;

-- name: renew_hook
-- A new address for an account's reports; the one before it stays good until it is dropped.
-- in:    :shop_id bigint, :id bigint
-- out:   hook_serial, hook_serial_before      0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts SET hook_serial_before = hook_serial, hook_serial = hook_serial + 1
WHERE id = %(id)s AND shop_id = %(shop_id)s
RETURNING hook_serial, hook_serial_before;

-- name: drop_old_hook
-- The address before the present one is good no longer.
-- in:    :shop_id bigint, :id bigint
-- out:   hook_serial, hook_serial_before      0..1 rows
-- locks: one provider_accounts row      index: provider_accounts_pkey
UPDATE provider_accounts SET hook_serial_before = NULL
WHERE id = %(id)s AND shop_id = %(shop_id)s
RETURNING hook_serial, hook_serial_before;

-- name: hook_serials
-- Which addresses an account's reports may come to.
-- in:    :shop_id bigint, :id bigint
-- out:   kind, hook_serial, hook_serial_before      0..1 rows
-- locks: none      index: provider_accounts_pkey
SELECT kind, hook_serial, hook_serial_before
FROM provider_accounts
WHERE id = %(id)s AND shop_id = %(shop_id)s;

-- name: remember_token
-- A token that counts once; nothing comes back when it was there already.
-- in:    :bucket int, :account_id bigint, :token_hash bytea, :body_hash bytea, :at timestamptz
-- out:   account_id                           0..1 rows
-- locks: the new row      index: seen_tokens_pkey
INSERT INTO seen_tokens (bucket, account_id, token_hash, body_hash, at)
VALUES (%(bucket)s, %(account_id)s, %(token_hash)s, %(body_hash)s, %(at)s)
ON CONFLICT (bucket, account_id, token_hash) DO NOTHING
RETURNING account_id;

-- name: body_of_token
-- With which body a token came first.
-- in:    :bucket int, :account_id bigint, :token_hash bytea
-- out:   body_hash                            0..1 rows
-- locks: none      index: seen_tokens_pkey
SELECT body_hash FROM seen_tokens
WHERE bucket = %(bucket)s AND account_id = %(account_id)s AND token_hash = %(token_hash)s;

-- name: forget_tokens
-- Tokens that are too old to be believed anyway.
-- in:    :buckets int[], :before timestamptz
-- out:   nothing
-- locks: seen_tokens rows      index: none (a day's tokens, read once an hour)
-- scope: fanout (one sweep an hour)
DELETE FROM seen_tokens WHERE bucket = ANY(%(buckets)s::int[]) AND at < %(before)s;

-- name: note_strange_reports
-- Count reports that nothing is known about: :rows is [{"name", "times", "sample"}]. Beyond 200 names of an account only
-- those that are there already are counted on.
-- in:    :account_id bigint, :shop_id bigint, :at timestamptz, :rows jsonb
-- out:   nothing
-- locks: strange_reports rows in name order      index: strange_reports_pkey
INSERT INTO strange_reports AS s (account_id, name, shop_id, times, first_at, last_at, sample)
SELECT %(account_id)s, r.name, %(shop_id)s, r.times, %(at)s, %(at)s, r.sample
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (name text, times bigint, sample jsonb)
WHERE (SELECT count(*) FROM strange_reports k WHERE k.account_id = %(account_id)s) < 200
  OR EXISTS (SELECT 1 FROM strange_reports k WHERE k.account_id = %(account_id)s AND k.name = r.name)
ORDER BY r.name
ON CONFLICT (account_id, name) DO UPDATE
SET times = s.times + excluded.times, last_at = greatest(s.last_at, excluded.last_at);

-- name: strange_reports_of_shop
-- What came that nobody knew what to do with.
-- in:    :shop_id bigint
-- out:   account_name, kind, name, times, first_at, last_at      0..n rows
-- locks: none      index: the table is small
SELECT a.name AS account_name, a.kind, s.name, s.times, s.first_at, s.last_at
FROM strange_reports s JOIN provider_accounts a ON a.id = s.account_id
WHERE s.shop_id = %(shop_id)s
ORDER BY s.last_at DESC
LIMIT 200;
