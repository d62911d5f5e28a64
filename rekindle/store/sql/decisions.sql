-- name: copy_decisions
-- Append verdicts; ids are time-ordered and random, so a repeated batch appends again (its transaction did not commit).
-- in:    rows by COPY, binary
-- out:   nothing
-- locks: none      index: none (append-only)
COPY decisions (bucket, id, shop_id, at, question, outcome, reason, retry_at, cart_id, shopper_id, enrolment_id, send_id, step, evidence) FROM STDIN (FORMAT binary);
