-- The consent ledger, what addresses agree to now, and suppressions.

-- name: last_consent
-- The head of an address's chain.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea
-- out:   seq, row_hash, kind, wording, at, evidence      0..1 rows
-- locks: none      index: consents_chain
SELECT seq, row_hash, kind, wording, at, evidence
FROM consents
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND channel = %(channel)s AND address_hash = %(address_hash)s
ORDER BY seq DESC
LIMIT 1;

-- name: append_consent
-- Add a row to a chain; nothing when the same fact is there already, or when somebody else added a row just now.
-- in:    :bucket int, :id uuid, :shop_id bigint, :channel text, :address_hash bytea, :seq int, :kind text,
--        :at timestamptz, :recorded_at timestamptz, :wording text, :source text, :evidence jsonb, :previous_hash bytea,
--        :row_hash bytea
-- out:   id      0..1 rows
-- locks: none      index: consents_pkey, consents_chain
INSERT INTO consents (bucket, id, shop_id, channel, address_hash, seq, kind, at, recorded_at, wording, source, evidence,
  previous_hash, row_hash)
VALUES (%(bucket)s, %(id)s, %(shop_id)s, %(channel)s, %(address_hash)s, %(seq)s, %(kind)s, %(at)s, %(recorded_at)s,
  %(wording)s, %(source)s, %(evidence)s, %(previous_hash)s, %(row_hash)s)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: has_consent
-- Whether a fact is in the ledger already.
-- in:    :bucket int, :id uuid
-- out:   id      0..1 rows
-- locks: none      index: consents_pkey
SELECT id FROM consents WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: consent_chain
-- All rows of an address's chain, oldest first.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea
-- out:   shop_id, channel, address_hash, seq, kind, at, recorded_at, wording, source, evidence, previous_hash, row_hash
-- locks: none      index: consents_chain
SELECT shop_id, channel, address_hash, seq, kind, at, recorded_at, wording, source, evidence, previous_hash, row_hash
FROM consents
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND channel = %(channel)s AND address_hash = %(address_hash)s
ORDER BY seq;

-- name: set_contact_consent
-- What an address agrees to from now on; an older fact changes nothing, of two at one instant the no wins, and a
-- confirmation can be as old as what it confirms.
-- The same agreement told again keeps what was known of it: confirmed once is confirmed. And what an address confirmed
-- stands until it confirms something else or says no: an unconfirmed agreement may be anybody's.
-- in:    :bucket int, :id uuid, :kind text, :at timestamptz, :wording text, :confirmed bool, :written bool,
--        :names_carts bool
-- out:   shopper_bucket, shopper_id      0..1 rows
-- locks: contact_points row      index: contact_points_pkey
UPDATE contact_points
SET consent = %(kind)s, consent_at = %(at)s, consent_wording = %(wording)s,
  consent_confirmed = %(confirmed)s OR (consent_confirmed AND consent = %(kind)s AND consent_wording = %(wording)s),
  consent_written = %(written)s OR (consent_written AND consent = %(kind)s AND consent_wording = %(wording)s),
  consent_names_carts = %(names_carts)s OR (consent_names_carts AND consent = %(kind)s AND consent_wording = %(wording)s)
WHERE bucket = %(bucket)s AND id = %(id)s
  AND (consent_at IS NULL OR consent_at < %(at)s
    OR (consent_at = %(at)s AND (%(kind)s = 'withdrawn' OR (%(confirmed)s AND consent IN ('express', 'pending')))))
  AND NOT (consent IS NOT DISTINCT FROM 'express' AND consent_confirmed AND NOT %(confirmed)s
    AND %(kind)s IN ('express', 'pending', 'soft_opt_in') AND consent_wording <> %(wording)s)
RETURNING shopper_bucket, shopper_id;

-- name: owner_of_contact
-- Whose address this is.
-- in:    :bucket int, :id uuid
-- out:   shopper_bucket, shopper_id      0..1 rows
-- locks: none      index: contact_points_pkey
SELECT shopper_bucket, shopper_id
FROM contact_points
WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: suppress
-- Never write to this address again; a stronger reason replaces a weaker one, so that the order of what happened does
-- not matter: erasure, complaint, bounce, a person's or an import's word, unsubscription, doubt.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea, :reason text, :at timestamptz, :source text
-- out:   nothing
-- locks: suppressions row      index: suppressions_pkey
INSERT INTO suppressions AS s (bucket, shop_id, channel, address_hash, reason, at, source)
VALUES (%(bucket)s, %(shop_id)s, %(channel)s, %(address_hash)s, %(reason)s, %(at)s, %(source)s)
ON CONFLICT (bucket, shop_id, channel, address_hash) DO UPDATE
SET reason = excluded.reason, at = excluded.at, source = excluded.source
WHERE array_position(
    ARRAY['review', 'unsubscribed', 'imported', 'manual', 'hard_bounce', 'complaint', 'erased'], excluded.reason::text)
  > array_position(
    ARRAY['review', 'unsubscribed', 'imported', 'manual', 'hard_bounce', 'complaint', 'erased'], s.reason::text);

-- name: suppress_on_word
-- A no by short message: nothing comes back when the address was suppressed already, so that it is confirmed once.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea, :at timestamptz, :source text
-- out:   at                                   0..1 rows
-- locks: suppressions row      index: suppressions_pkey
INSERT INTO suppressions AS s (bucket, shop_id, channel, address_hash, reason, at, source)
VALUES (%(bucket)s, %(shop_id)s, %(channel)s, %(address_hash)s, 'unsubscribed', %(at)s, %(source)s)
ON CONFLICT (bucket, shop_id, channel, address_hash) DO UPDATE
SET reason = excluded.reason, at = excluded.at, source = excluded.source
WHERE s.reason = 'review'
RETURNING at;

-- name: lift_review
-- A person has read what might have been a no, and it was none.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea
-- out:   nothing
-- locks: suppressions row      index: suppressions_pkey
DELETE FROM suppressions
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND channel = %(channel)s AND address_hash = %(address_hash)s
  AND reason = 'review';

-- name: lift_unsubscription
-- A new express consent ends an earlier unsubscription, and a doubt; no other reason is ever lifted by a shopper's event.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea, :at timestamptz
-- out:   nothing
-- locks: suppressions row      index: suppressions_pkey
DELETE FROM suppressions
WHERE bucket = %(bucket)s AND shop_id = %(shop_id)s AND channel = %(channel)s AND address_hash = %(address_hash)s
  AND reason IN ('unsubscribed', 'review') AND at < %(at)s;

-- name: note_opt_out
-- The shopper wants nothing any more, on any channel.
-- in:    :bucket int, :id uuid, :at timestamptz
-- out:   nothing
-- locks: shoppers row (held by the caller)      index: shoppers_pkey
UPDATE shoppers SET opted_out_at = coalesce(opted_out_at, %(at)s), seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s;

-- name: end_opt_out
-- A new express consent on one channel: from now on each channel is judged by its own consent again.
-- in:    :bucket int, :id uuid, :at timestamptz
-- out:   nothing
-- locks: shoppers row      index: shoppers_pkey
UPDATE shoppers SET opted_out_at = NULL, objected_at = NULL, seq = seq + 1
WHERE bucket = %(bucket)s AND id = %(id)s AND opted_out_at < %(at)s AND erased_at IS NULL;
