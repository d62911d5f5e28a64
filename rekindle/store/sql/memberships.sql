-- name: person_by_account
-- The person of an account name, whatever its case.
-- in:    :account text
-- out:   id, is_active      0..1 rows
-- locks: none      index: auth_user's username; the table is small
SELECT id, is_active
FROM auth_user
WHERE lower(username) = lower(%(account)s)
ORDER BY username = %(account)s DESC
LIMIT 1;

-- name: insert_person
-- A new person who can sign in; without any right of Django's own.
-- in:    :account text, :email text, :password text, :at timestamptz
-- out:   id      1 row
-- locks: none      index: auth_user's username
INSERT INTO auth_user
  (username, email, password, is_active, is_staff, is_superuser, first_name, last_name, date_joined)
VALUES (%(account)s, %(email)s, %(password)s, true, false, false, '', '', %(at)s)
RETURNING id;

-- name: set_password_of_person
-- Replace a person's password hash; every session of theirs ends with it.
-- in:    :person_id bigint, :password text
-- out:   nothing
-- locks: one auth_user row      index: auth_user_pkey
UPDATE auth_user SET password = %(password)s, is_active = true
WHERE id = %(person_id)s;

-- name: lock_shop_for_people
-- Changes of a shop's people take turns, so that two of them cannot remove the last two owners.
-- in:    :shop_id bigint
-- out:   id      0..1 rows
-- locks: one shops row      index: shops_pkey
SELECT id
FROM shops
WHERE id = %(shop_id)s
FOR NO KEY UPDATE;

-- name: put_membership
-- Give a person a role in a shop, or another one.
-- in:    :person_id bigint, :shop_id bigint, :role text
-- out:   nothing
-- locks: one memberships row      index: memberships_once
INSERT INTO memberships (person_id, shop_id, role)
VALUES (%(person_id)s, %(shop_id)s, %(role)s)
ON CONFLICT (person_id, shop_id) DO UPDATE SET role = excluded.role;

-- name: delete_membership
-- Take a person's access to a shop.
-- in:    :person_id bigint, :shop_id bigint
-- out:   id      0..1 rows
-- locks: one memberships row      index: memberships_once
DELETE FROM memberships
WHERE person_id = %(person_id)s AND shop_id = %(shop_id)s
RETURNING id;
