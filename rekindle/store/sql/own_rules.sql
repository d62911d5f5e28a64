-- A shop's own rules over the policy pack: what holds, and who changed what when and why.

-- name: lock_own_rules
-- The rules that hold now, so that two people cannot change them over each other.
-- in:    :shop_id bigint
-- out:   own_rules      0..1 rows
-- locks: one shops row      index: shops_pkey
SELECT own_rules FROM shops WHERE id = %(shop_id)s FOR UPDATE;

-- name: set_own_rules
-- These rules hold from now on.
-- in:    :shop_id bigint, :own_rules jsonb
-- out:   nothing
-- locks: one shops row      index: shops_pkey
UPDATE shops SET own_rules = %(own_rules)s WHERE id = %(shop_id)s;

-- name: note_rule_change
-- Who changed what, when and why.
-- in:    :shop_id bigint, :at timestamptz, :person_id bigint, :person_name text, :role text, :loosens boolean,
--        :reason text, :changes jsonb, :own_rules jsonb
-- out:   nothing
-- locks: none      index: rule_changes_pkey
INSERT INTO rule_changes (shop_id, at, person_id, person_name, role, loosens, reason, changes, own_rules)
VALUES (%(shop_id)s, %(at)s, %(person_id)s, %(person_name)s, %(role)s, %(loosens)s, %(reason)s, %(changes)s,
  %(own_rules)s);

-- name: rule_changes_of_shop
-- The newest changes first.
-- in:    :shop_id bigint, :n int
-- out:   at, person_name, role, loosens, reason, changes      0..n rows
-- locks: none      index: rule_changes_shop_id
SELECT at, person_name, role, loosens, reason, changes
FROM rule_changes
WHERE shop_id = %(shop_id)s
ORDER BY at DESC, id DESC
LIMIT %(n)s;
