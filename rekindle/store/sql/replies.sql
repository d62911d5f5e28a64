-- What shoppers wrote back, in the bucket of the address it came from.

-- name: put_reply
-- Keep a reply; nothing comes back when the same one is there already.
-- in:    :bucket int, :id uuid, :shop_id bigint, :channel text, :account_id bigint, :address_hash bytea,
--        :shopper_bucket int, :shopper_id uuid, :text text, :verdict text, :at timestamptz
-- out:   id                                   0..1 rows
-- locks: the new row      index: replies_pkey
INSERT INTO replies (bucket, id, shop_id, channel, account_id, address_hash, shopper_bucket, shopper_id, text, verdict, at)
VALUES (%(bucket)s, %(id)s, %(shop_id)s, %(channel)s, %(account_id)s, %(address_hash)s, %(shopper_bucket)s,
  %(shopper_id)s, %(text)s, %(verdict)s, %(at)s)
ON CONFLICT (bucket, id) DO NOTHING
RETURNING id;

-- name: has_reply
-- Whether a reply was heard already.
-- in:    :bucket int, :id uuid, :shop_id bigint
-- out:   id                                   0..1 rows
-- locks: none      index: replies_pkey
SELECT id FROM replies WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s;

-- name: asked_for_help_since
-- Whether an address was given help a short while ago: two machines must not talk to each other.
-- in:    :bucket int, :shop_id bigint, :channel text, :address_hash bytea, :since timestamptz
-- out:   id                                   0..1 rows
-- locks: none      index: replies_address
SELECT id FROM replies
WHERE bucket = %(bucket)s AND address_hash = %(address_hash)s AND shop_id = %(shop_id)s AND channel = %(channel)s
  AND verdict = 'help' AND at > %(since)s
LIMIT 1;

-- name: replies_waiting
-- Replies of a shop that a person has to read, oldest first.
-- in:    :buckets int[], :shop_id bigint, :limit int
-- out:   WaitingReply columns                 0..n rows
-- locks: none      index: replies_waiting
-- scope: fanout (a shop's page reads the shop's own buckets)
SELECT r.bucket, r.id, r.channel, r.shopper_bucket, r.shopper_id, r.text, r.at, c.address
FROM replies r
LEFT JOIN contact_points c ON c.bucket = r.bucket AND c.shop_id = r.shop_id AND c.channel = r.channel
  AND c.shopper_id = r.shopper_id AND c.address_hash = r.address_hash
WHERE r.bucket = ANY(%(buckets)s) AND r.shop_id = %(shop_id)s AND r.verdict = 'review' AND r.settled_at IS NULL
ORDER BY r.at
LIMIT %(limit)s;

-- name: replies_heard
-- The newest replies of a shop, whatever they were taken for.
-- in:    :buckets int[], :shop_id bigint, :since timestamptz, :limit int
-- out:   at, channel, text, verdict, settled_as, settled_by      0..n rows
-- locks: none      index: none (replies are few; the page asks for thirty days)
-- scope: fanout (a shop's page reads the shop's own buckets)
SELECT at, channel, text, verdict, settled_as, settled_by
FROM replies
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND at > %(since)s
  AND NOT (verdict = 'review' AND settled_at IS NULL)
ORDER BY at DESC
LIMIT %(limit)s;

-- name: count_replies_waiting
-- How many replies of a shop a person has to read.
-- in:    :buckets int[], :shop_id bigint
-- out:   count                                1 row
-- locks: none      index: replies_waiting
-- scope: fanout (a shop's page reads the shop's own buckets)
SELECT count(*) FROM replies
WHERE bucket = ANY(%(buckets)s) AND shop_id = %(shop_id)s AND verdict = 'review' AND settled_at IS NULL;

-- name: settle_replies
-- A person has decided about one reply, and with it about all that wait from the same address.
-- in:    :bucket int, :id uuid, :shop_id bigint, :now timestamptz, :decided text, :person text
-- out:   channel, address_hash, shopper_bucket, shopper_id, text      0..n rows
-- locks: replies rows      index: replies_pkey, replies_address
WITH one AS MATERIALIZED (
  SELECT address_hash, channel FROM replies
  WHERE bucket = %(bucket)s AND id = %(id)s AND shop_id = %(shop_id)s AND verdict = 'review' AND settled_at IS NULL
)
UPDATE replies r SET settled_at = %(now)s, settled_as = %(decided)s, settled_by = %(person)s
FROM one
WHERE r.bucket = %(bucket)s AND r.address_hash = one.address_hash AND r.shop_id = %(shop_id)s
  AND r.channel = one.channel AND r.verdict = 'review' AND r.settled_at IS NULL
RETURNING r.channel, r.address_hash, r.shopper_bucket, r.shopper_id, r.text;

-- name: blank_replies
-- What an erased person wrote.
-- in:    :bucket int, :shop_id bigint, :address_hashes bytea[]
-- out:   nothing
-- locks: replies rows      index: replies_address
UPDATE replies SET text = '', shopper_id = NULL, shopper_bucket = NULL
WHERE bucket = %(bucket)s AND address_hash = ANY(%(address_hashes)s::bytea[]) AND shop_id = %(shop_id)s;
