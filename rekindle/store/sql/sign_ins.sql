-- name: failed_sign_ins
-- How often sign-in failed under each of these keys within the window.
-- in:    :keys text[], :since timestamptz
-- out:   key, failed_count, first_at         0..n rows
-- locks: none      index: sign_in_attempts_pkey
SELECT key, failed_count, first_at
FROM sign_in_attempts
WHERE key = ANY(%(keys)s) AND first_at > %(since)s;

-- name: count_failed_sign_in
-- One more failure under this key; a window that has ended begins anew.
-- in:    :key text, :at timestamptz, :since timestamptz
-- out:   nothing
-- locks: one sign_in_attempts row      index: sign_in_attempts_pkey
INSERT INTO sign_in_attempts AS a (key, failed_count, first_at)
VALUES (%(key)s, 1, %(at)s)
ON CONFLICT (key) DO UPDATE SET
  failed_count = CASE WHEN a.first_at > %(since)s THEN a.failed_count + 1 ELSE 1 END,
  first_at = CASE WHEN a.first_at > %(since)s THEN a.first_at ELSE excluded.first_at END;

-- name: clear_failed_sign_ins
-- Forget these keys, and everything whose window has ended.
-- in:    :keys text[], :since timestamptz
-- out:   nothing
-- locks: sign_in_attempts rows      index: sign_in_attempts_pkey; the table stays small
DELETE FROM sign_in_attempts
WHERE key = ANY(%(keys)s) OR first_at <= %(since)s;
