-- name: AdvanceSource :execrows
-- Holds the source, so that its reports are taken one after the other.
INSERT INTO notifications.incident_sources AS s (source, as_of) VALUES (@source, @as_of)
ON CONFLICT (source) DO UPDATE SET as_of = EXCLUDED.as_of WHERE s.as_of <= EXCLUDED.as_of;

-- name: LockOpenIncidents :many
SELECT * FROM notifications.incidents WHERE source = @source AND resolved_at IS NULL ORDER BY id FOR UPDATE;

-- name: LockOpenIncident :one
SELECT * FROM notifications.incidents WHERE key = @key AND resolved_at IS NULL FOR UPDATE;

-- name: LockIncident :one
SELECT * FROM notifications.incidents WHERE id = @id FOR UPDATE;

-- name: InsertIncident :one
INSERT INTO notifications.incidents (
    key, source, tier, words, count, version, news, news_at, news_count, news_why, opened_at, changed_at, resolved_at
)
VALUES (@key, @source, @tier, @words, @count, @version, @news, @news_at, @news_count, @news_why, @opened_at, @changed_at, @resolved_at)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: UpdateIncident :exec
UPDATE notifications.incidents
SET tier = @tier, words = @words, count = @count, version = @version, news = @news, news_at = @news_at, news_count = @news_count,
    news_why = @news_why, changed_at = @changed_at, resolved_at = @resolved_at, acknowledged_by = @acknowledged_by,
    acknowledged_at = @acknowledged_at, acknowledged_news = @acknowledged_news, snoozed_until = @snoozed_until
WHERE id = @id;

-- name: InsertIncidentEvent :exec
INSERT INTO notifications.incident_events (incident_id, what, actor, note, at) VALUES (@incident_id, @what, @actor, @note, @at);

-- name: ListIncidents :many
-- The open ones first, and then the newest.
SELECT * FROM notifications.incidents
WHERE (sqlc.arg(key)::text = '' OR key = sqlc.arg(key)::text)
    AND (sqlc.arg(include_resolved)::boolean OR resolved_at IS NULL)
    AND (resolved_at IS NOT NULL, -id) > (sqlc.arg(after_resolved)::boolean, sqlc.arg(after_id)::bigint)
ORDER BY resolved_at IS NOT NULL, -id
LIMIT @page_size;

-- name: IncidentEvents :many
SELECT * FROM notifications.incident_events WHERE incident_id = ANY (sqlc.arg(incident_ids)::bigint[]) ORDER BY id;

-- name: IncidentChannels :many
SELECT * FROM notifications.incident_channels WHERE incident_id = ANY (sqlc.arg(incident_ids)::bigint[]) ORDER BY channel;

-- name: WakeChannels :exec
-- Also of channels that were set up since. What is at rest for good is left so by the look.
INSERT INTO notifications.incident_channels AS c (incident_id, channel, next_look_at)
SELECT @incident_id, unnest(@channels::text[]), @now::timestamptz
ON CONFLICT (incident_id, channel) DO UPDATE SET next_look_at = EXCLUDED.next_look_at WHERE NOT c.closed;

-- name: ClaimChannels :many
-- The lease is longer than a telling may take: nobody else tells it meanwhile.
UPDATE notifications.incident_channels AS c
SET leased_until = @leased_until::timestamptz, next_look_at = @leased_until::timestamptz
FROM (
    SELECT due.incident_id, due.channel
    FROM notifications.incident_channels AS due
    WHERE due.next_look_at <= @now::timestamptz AND (due.leased_until IS NULL OR due.leased_until <= @now::timestamptz)
    ORDER BY due.next_look_at
    LIMIT @max_rows
    FOR UPDATE SKIP LOCKED
) AS d
WHERE c.incident_id = d.incident_id AND c.channel = d.channel
RETURNING c.incident_id, c.channel;

-- name: LockChannel :one
SELECT * FROM notifications.incident_channels WHERE incident_id = @incident_id AND channel = @channel FOR UPDATE;

-- name: BeginPost :exec
UPDATE notifications.incident_channels SET begun_at = @begun_at WHERE incident_id = @incident_id AND channel = @channel;

-- name: PutChannel :exec
UPDATE notifications.incident_channels
SET news = @news, version = @version, told_at = @told_at, closed = @closed, thread = @thread, begun_at = @begun_at,
    failures = @failures, retry_at = @retry_at, last_error = @last_error, next_look_at = @next_look_at, leased_until = NULL
WHERE incident_id = @incident_id AND channel = @channel;

-- name: NoteChannelFailure :one
INSERT INTO notifications.failing_channels AS f (channel, since, failed_at, tier, told, why)
VALUES (@channel, @now, @now, @tier, @told, @why)
ON CONFLICT (channel) DO UPDATE SET
    failed_at = EXCLUDED.failed_at, why = EXCLUDED.why,
    tier = CASE WHEN f.tier = 'PAGE_NOW' THEN f.tier ELSE EXCLUDED.tier END,
    told = f.told OR EXCLUDED.told OR f.since <= sqlc.arg(lasts_since)::timestamptz
RETURNING told;

-- name: NoteChannelWorks :execrows
DELETE FROM notifications.failing_channels WHERE channel = @channel;

-- name: FailingChannels :many
SELECT * FROM notifications.failing_channels ORDER BY channel;

-- name: MailsOfIncident :many
-- What one address was sent of an incident before.
SELECT a.news, a.closes, m.state, m.message_id
FROM notifications.alerts AS a
JOIN notifications.messages AS m ON m.id = a.message_id
WHERE a.incident_id = @incident_id AND a.recipient = @recipient
ORDER BY a.closes, a.news;

-- name: IncidentTier :one
SELECT tier FROM notifications.incidents WHERE id = @id;
