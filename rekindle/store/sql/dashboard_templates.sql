-- The templates of a shop and their versions, as the dashboard lists them.

-- name: template_versions_of_shop
-- Every version of every template of a shop, by key, the newest first.
-- in:    :shop_id bigint
-- out:   VersionLine columns      0..n rows
-- locks: none      index: templates_key, template_versions_number
SELECT t.key, t.name, t.channel, v.id AS version_id, v.number, v.id = t.published_version_id AS is_published,
  v.created_at, v.created_by
FROM templates t JOIN template_versions v ON v.template_id = t.id
WHERE t.shop_id = %(shop_id)s
ORDER BY t.key, v.number DESC;
