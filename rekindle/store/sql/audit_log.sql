-- What people did: append-only (a trigger refuses changes), one chain of keyed hashes over the installation.

-- name: hold_log
-- One writer at a time, until the transaction ends: the chain has one end.
-- in:    :key bigint
-- out:   nothing that is used
-- locks: an advisory lock      index: none
SELECT pg_advisory_xact_lock(%(key)s);

-- name: last_log_entry
-- The end of the chain.
-- in:    nothing
-- out:   seq, row_hash      0..1 rows
-- locks: none      index: audit_log_pkey
SELECT seq, row_hash FROM audit_log ORDER BY seq DESC LIMIT 1;

-- name: add_log_entry
-- One more entry; the caller holds the log.
-- in:    :seq bigint, :at timestamptz, :shop_id bigint, :actor text, :action text, :outcome text, :subject text,
--        :facts jsonb, :network text, :previous_hash bytea, :row_hash bytea
-- out:   nothing
-- locks: none      index: audit_log_pkey
INSERT INTO audit_log (seq, at, shop_id, actor, action, outcome, subject, facts, network, previous_hash, row_hash)
VALUES (%(seq)s, %(at)s, %(shop_id)s, %(actor)s, %(action)s, %(outcome)s, %(subject)s, %(facts)s, %(network)s,
  %(previous_hash)s, %(row_hash)s);

-- name: whole_log
-- Every entry, oldest first.
-- in:    nothing
-- out:   the columns of an entry      0..n rows
-- locks: none      index: audit_log_pkey
SELECT seq, at, shop_id, actor, action, outcome, subject, facts, network, previous_hash, row_hash
FROM audit_log
ORDER BY seq;

-- name: log_of_shop
-- What people did in a shop, newest first; what belongs to no shop (sign-ins) is there for the people of the shop.
-- in:    :shop_id bigint, :before bigint, :actor text, :action text, :since timestamptz, :until timestamptz, :limit int
-- out:   the columns of an entry      0..n rows
-- locks: none      index: audit_log_pkey
SELECT seq, at, shop_id, actor, action, outcome, subject, facts, network, previous_hash, row_hash
FROM audit_log
WHERE seq < %(before)s AND at >= %(since)s AND at < %(until)s
  AND (shop_id = %(shop_id)s OR (shop_id IS NULL AND actor IN (
    SELECT u.username FROM memberships m JOIN auth_user u ON u.id = m.person_id WHERE m.shop_id = %(shop_id)s)))
  AND (%(actor)s::text = '' OR actor = %(actor)s) AND (%(action)s::text = '' OR action = %(action)s)
ORDER BY seq DESC
LIMIT %(limit)s;

-- name: who_and_what_of_log
-- Which people and actions occur in a shop's log: the choices of its filters.
-- in:    :shop_id bigint
-- out:   actor, action      0..n rows
-- locks: none      index: audit_log_shop
SELECT DISTINCT actor, action FROM audit_log WHERE shop_id = %(shop_id)s ORDER BY 1, 2 LIMIT 2000;
