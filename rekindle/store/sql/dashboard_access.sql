-- name: shops_of_person
-- Every shop a person may enter, with the role; by name.
-- in:    :person_id bigint
-- out:   shop_id, slug, name, role         0..n rows
-- locks: none      index: memberships_once (person first)
SELECT s.id AS shop_id, s.slug, s.name, m.role
FROM memberships m JOIN shops s ON s.id = m.shop_id
WHERE m.person_id = %(person_id)s
ORDER BY lower(s.name), s.id;

-- name: people_of_shop
-- Who may enter a shop; owners first.
-- in:    :shop_id bigint
-- out:   person_id, account, email, role, last_sign_in_at         0..n rows
-- locks: none      index: memberships' shop
SELECT m.person_id, p.username AS account, p.email, m.role, p.last_login AS last_sign_in_at
FROM memberships m JOIN auth_user p ON p.id = m.person_id
WHERE m.shop_id = %(shop_id)s
ORDER BY CASE m.role WHEN 'owner' THEN 0 WHEN 'marketer' THEN 1 ELSE 2 END, p.username;

-- name: any_person
-- Whether anybody can sign in at all.
-- in:    nothing
-- out:   found boolean         1 row
-- locks: none      index: auth_user_pkey
SELECT EXISTS (SELECT 1 FROM auth_user WHERE is_active) AS found;
