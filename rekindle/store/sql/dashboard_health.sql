-- name: oldest_due_work
-- The oldest work of a shop that is due and not done, one row a kind of work: is anything late?
-- in:    :buckets int[], :shop_id bigint, :now timestamptz
-- out:   kind text ('check', 'step', 'send'), oldest timestamptz or NULL      3 rows
-- locks: none      index: carts_check, enrolments_due, outbox_shop_due
-- scope: fanout (the health line of a shop's pages looks into all buckets of the shop)
SELECT 'check' AS kind, min(check_at) AS oldest
FROM carts
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND check_at <= %(now)s
UNION ALL
SELECT 'step', min(due_at)
FROM enrolments
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND state = 'waiting' AND due_at <= %(now)s
UNION ALL
SELECT 'send', min(send_at)
FROM outbox
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND state = 'scheduled' AND send_at <= %(now)s;

-- name: count_uncertain_sends
-- How many sends of a shop nobody knows the fate of.
-- in:    :buckets int[], :shop_id bigint
-- out:   n bigint      1 row
-- locks: none      index: outbox_uncertain
-- scope: fanout (the health line of a shop's pages looks into all buckets of the shop)
SELECT count(*) AS n
FROM outbox
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND state = 'uncertain';
