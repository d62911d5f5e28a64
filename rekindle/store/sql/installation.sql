-- Which database is this, and how far has it come? One row; see engine/restore_gate.py.

-- name: installation
-- The one row.
-- in:    nothing
-- out:   key, beat      0..1 row
-- locks: none      index: installation_pkey
SELECT key, beat FROM installation WHERE number = 1;

-- name: begin_installation
-- The first look of the first worker.
-- in:    :key text, :now timestamptz
-- out:   nothing
-- locks: none      index: installation_pkey
INSERT INTO installation (number, key, beat, beaten_at) VALUES (1, %(key)s, 0, %(now)s) ON CONFLICT (number) DO NOTHING;

-- name: count_up
-- Another few seconds of the same database.
-- in:    :now timestamptz
-- out:   key, beat      0..1 row
-- locks: the row      index: installation_pkey
UPDATE installation SET beat = beat + 1, beaten_at = %(now)s WHERE number = 1 RETURNING key, beat;

-- name: catch_up
-- A restored database is the one from now on.
-- in:    :beat bigint, :now timestamptz
-- out:   key, beat      1 row
-- locks: the row      index: installation_pkey
UPDATE installation SET beat = greatest(beat, %(beat)s) + 1, beaten_at = %(now)s WHERE number = 1 RETURNING key, beat;

-- name: has_sends
-- Was anything ever planned in this database?
-- in:    nothing
-- out:   found boolean      1 row
-- locks: none      index: none (stops at the first row)
-- scope: fanout (any bucket will do)
SELECT EXISTS (SELECT 1 FROM sends) AS found;
