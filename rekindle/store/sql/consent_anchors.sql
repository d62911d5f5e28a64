-- Anchors of the consent ledger: one chain over the installation, each saying what was written down in a span of time.

-- name: last_anchor
-- The newest anchor.
-- in:    nothing
-- out:   seq, since, until, row_count, digest, previous_hash, own_hash      0..1 rows
-- locks: none      index: consent_anchors_pkey
SELECT seq, since, until, row_count, digest, previous_hash, own_hash
FROM consent_anchors
ORDER BY seq DESC
LIMIT 1;

-- name: all_anchors
-- Every anchor, oldest first.
-- in:    nothing
-- out:   seq, since, until, row_count, digest, previous_hash, own_hash      0..n rows
-- locks: none      index: consent_anchors_pkey
SELECT seq, since, until, row_count, digest, previous_hash, own_hash
FROM consent_anchors
ORDER BY seq;

-- name: add_anchor
-- One more anchor; nothing when a neighbour was faster.
-- in:    :seq int, :since timestamptz, :until timestamptz, :row_count bigint, :digest bytea, :previous_hash bytea,
--        :own_hash bytea
-- out:   seq                                  0..1 rows
-- locks: none      index: consent_anchors_pkey
INSERT INTO consent_anchors (seq, since, until, row_count, digest, previous_hash, own_hash)
VALUES (%(seq)s, %(since)s, %(until)s, %(row_count)s, %(digest)s, %(previous_hash)s, %(own_hash)s)
ON CONFLICT DO NOTHING
RETURNING seq;

-- name: recorded_between
-- The hashes of what was written down in a span of time, of one bucket.
-- in:    :bucket int, :since timestamptz, :until timestamptz
-- out:   id, row_hash, recorded_at            0..n rows
-- locks: none      index: consents_recorded
SELECT id, row_hash, recorded_at
FROM consents
WHERE bucket = %(bucket)s AND recorded_at > %(since)s AND recorded_at <= %(until)s
ORDER BY id;

-- name: last_removal
-- The newest word about rows that were deleted.
-- in:    nothing
-- out:   seq, own_hash                        0..1 rows
-- locks: none      index: consent_removals_pkey
SELECT seq, own_hash FROM consent_removals ORDER BY seq DESC LIMIT 1;

-- name: all_removals
-- Every word about rows that were deleted, oldest first.
-- in:    nothing
-- out:   seq, at, shop_id, before, row_count, spans, previous_hash, own_hash      0..n rows
-- locks: none      index: consent_removals_pkey
SELECT seq, at, shop_id, before, row_count, spans, previous_hash, own_hash
FROM consent_removals
ORDER BY seq;

-- name: add_removal
-- One more; who writes it is alone (hold_log with the key of the anchors).
-- in:    :seq int, :at timestamptz, :shop_id bigint, :before timestamptz, :row_count bigint, :spans jsonb,
--        :previous_hash bytea, :own_hash bytea
-- out:   nothing
-- locks: none      index: consent_removals_pkey
INSERT INTO consent_removals (seq, at, shop_id, before, row_count, spans, previous_hash, own_hash)
VALUES (%(seq)s, %(at)s, %(shop_id)s, %(before)s, %(row_count)s, %(spans)s, %(previous_hash)s, %(own_hash)s);
