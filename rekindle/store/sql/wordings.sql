-- The texts that shoppers are shown before they agree: rows are only ever added.

-- name: add_wording
-- Keep a version of a text; nothing when this version is there already.
-- in:    :shop_id bigint, :purpose text, :language text, :version text, :text text, :text_hash bytea,
--        :mentions_cart bool, :valid_from timestamptz, :now timestamptz, :by text
-- out:   id                                   0..1 rows
-- locks: none      index: consent_wordings_version
INSERT INTO consent_wordings (shop_id, purpose, language, version, text, text_hash, mentions_cart, valid_from,
  created_at, created_by)
VALUES (%(shop_id)s, %(purpose)s, %(language)s, %(version)s, %(text)s, %(text_hash)s, %(mentions_cart)s,
  %(valid_from)s, %(now)s, %(by)s)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: kept_wordings
-- Every version of a shop's texts, the newest first.
-- in:    :shop_id bigint
-- out:   purpose, language, version, text, mentions_cart, valid_from      0..n rows
-- locks: none      index: consent_wordings_version
SELECT purpose, language, version, text, mentions_cart, valid_from
FROM consent_wordings
WHERE shop_id = %(shop_id)s
ORDER BY purpose, language, valid_from DESC, id DESC;

-- name: wording_named
-- The text of a version: in the language asked for, else in the one language in which the version exists. A version
-- that is not valid yet when somebody agreed (:at) cannot have been shown to them.
-- in:    :shop_id bigint, :purpose text, :version text, :language text, :at timestamptz
-- out:   purpose, language, version, text, mentions_cart, valid_from      0..1 rows
-- locks: none      index: consent_wordings_version
SELECT purpose, language, version, text, mentions_cart, valid_from
FROM consent_wordings w
WHERE shop_id = %(shop_id)s AND purpose = %(purpose)s AND version = %(version)s AND valid_from <= %(at)s
  AND (language = %(language)s OR (%(language)s = '' AND NOT EXISTS (
    SELECT 1 FROM consent_wordings o
    WHERE o.shop_id = w.shop_id AND o.purpose = w.purpose AND o.version = w.version AND o.language <> w.language)))
LIMIT 1;

-- name: wording_of_text
-- The newest version that has exactly this text.
-- in:    :shop_id bigint, :purpose text, :text_hash bytea, :at timestamptz
-- out:   purpose, language, version, text, mentions_cart, valid_from      0..1 rows
-- locks: none      index: consent_wordings_version
SELECT purpose, language, version, text, mentions_cart, valid_from
FROM consent_wordings
WHERE shop_id = %(shop_id)s AND purpose = %(purpose)s AND text_hash = %(text_hash)s AND valid_from <= %(at)s
ORDER BY valid_from DESC, id DESC
LIMIT 1;
