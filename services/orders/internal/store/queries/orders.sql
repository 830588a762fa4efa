-- name: InsertOrder :exec
-- What is made for a buyer who was erased, a late renewal, is erased from its beginning.
INSERT INTO orders.orders (
    id, reference, kind, state, plan_id, plan_name, term_months, amount_minor, currency,
    email, email_key, name, account_id, checkout, allow_repeat, created_at,
    attempt_id, payment_method, submitted_at, payment_status, payment_intent_id, charge_id, customer_id, charged_at,
    refunded_minor, dispute, last_progress_at, next_look_at,
    renews, renews_order_id, subscription_id, period_start, period_end, access_until, promise_by, trace_parent, erased_at
) VALUES (
    @id, @reference, @kind, @state, @plan_id, @plan_name, @term_months, @amount_minor, @currency,
    @email, @email_key, @name, @account_id, @checkout, @allow_repeat, @created_at,
    @attempt_id, @payment_method, @submitted_at, @payment_status, @payment_intent_id, @charge_id, @customer_id, @charged_at,
    @refunded_minor, @dispute, @created_at, sqlc.arg(next_look_at)::timestamptz,
    @renews, @renews_order_id, @subscription_id, @period_start, @period_end, @access_until, @promise_by, @trace_parent,
    CASE WHEN @email_key ~ '^erased-[0-9a-f-]{36}@erased\.invalid$' THEN sqlc.arg(created_at)::timestamptz END
);

-- name: GetOrder :one
SELECT * FROM orders.orders WHERE id = $1;

-- name: GetOrderByReference :one
SELECT * FROM orders.orders WHERE reference = $1;

-- name: UpdateOrder :execrows
-- Every change of an order is this one statement, guarded by the state and
-- version it was decided on.
UPDATE orders.orders SET
    state = @state,
    amount_minor = @amount_minor,
    currency = @currency,
    version = version + 1,
    attempt_id = @attempt_id,
    payment_method = @payment_method,
    submitted_at = @submitted_at,
    payment_status = @payment_status,
    payment_error_code = @payment_error_code,
    payment_error_message = @payment_error_message,
    client_secret = @client_secret,
    redirect_url = @redirect_url,
    payment_intent_id = @payment_intent_id,
    charge_id = @charge_id,
    customer_id = @customer_id,
    charged_at = @charged_at,
    completed_at = @completed_at,
    access_until = @access_until,
    recovered_by = @recovered_by,
    last_progress_at = @last_progress_at,
    next_look_at = @next_look_at,
    look_count = @look_count,
    last_look_at = @last_look_at,
    refunded_minor = @refunded_minor,
    dispute = @dispute,
    access_withdrawn_at = @access_withdrawn_at,
    subscription_id = @subscription_id,
    period_start = @period_start,
    period_end = @period_end,
    promise_by = @promise_by,
    promise_missed_by = @promise_missed_by,
    promise_missed_count = @promise_missed_count,
    still_working_at = @still_working_at,
    refund_token = @refund_token,
    refund_offered_at = @refund_offered_at,
    refund_offer_until = @refund_offer_until,
    refund_asked_at = @refund_asked_at,
    refund_failed_at = @refund_failed_at
WHERE id = @id AND state = @was_state AND version = @was_version;

-- name: InsertHistory :exec
INSERT INTO orders.history (order_id, from_state, to_state, reason, actor, note, at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: ListHistory :many
SELECT * FROM orders.history WHERE order_id = $1 ORDER BY id;

-- name: ClaimDue :many
-- The claim moves the next look forward, twice as far each time and at most an
-- hour (ten minutes while a person may be at it), so a killed worker loses nothing
-- but that delay. It never moves beyond the moment when something must be said to a
-- buyer who waits (Order.WordDue); when that is now, it is near.
WITH claimed AS (
    SELECT o.id, CASE
        WHEN o.kind <> 'PURCHASE' OR o.refund_asked_at IS NOT NULL OR coalesce(o.dispute, '') = 'LOST' THEN NULL
        WHEN o.state IN ('CHARGED', 'ORPHANED') AND o.still_working_at IS NULL AND o.amount_minor > 0 THEN least(o.promise_by, o.charged_at + sqlc.arg(still_working_after)::interval)
        WHEN o.state IN ('CHARGED', 'ORPHANED') OR o.state = 'PENDING' AND o.payment_status = 'UNKNOWN' THEN o.promise_by
        END AS word_due
    FROM orders.orders o
    WHERE o.next_look_at <= sqlc.arg(now)::timestamptz
    ORDER BY o.next_look_at
    LIMIT sqlc.arg(row_limit)::int
    FOR UPDATE SKIP LOCKED
)
UPDATE orders.orders u SET
    next_look_at = CASE WHEN c.word_due <= sqlc.arg(now)::timestamptz THEN sqlc.arg(now)::timestamptz + sqlc.arg(first_delay)::interval
        ELSE least(c.word_due, sqlc.arg(now)::timestamptz + least(
            CASE WHEN u.payment_status IN ('REQUIRES_ACTION', 'REQUIRES_PAYMENT_METHOD') THEN interval '10 minutes' ELSE interval '1 hour' END,
            sqlc.arg(first_delay)::interval * power(2, least(u.look_count, 20)))) END,
    look_count = u.look_count + 1,
    last_look_at = sqlc.arg(now)::timestamptz,
    version = u.version + 1
FROM claimed c
WHERE u.id = c.id
RETURNING u.id;

-- name: CountLook :exec
UPDATE orders.orders SET version = version + 1, look_count = look_count + 1, last_look_at = sqlc.arg(now)::timestamptz
WHERE id = $1 AND next_look_at IS NOT NULL;

-- name: MakeDue :execrows
-- At start: what was in hand when this service last stopped is looked at now,
-- unless it waits for its buyer or the bank.
UPDATE orders.orders SET version = version + 1, next_look_at = sqlc.arg(now)::timestamptz
WHERE next_look_at > sqlc.arg(now)::timestamptz
  AND payment_status NOT IN ('REQUIRES_ACTION', 'REQUIRES_PAYMENT_METHOD', 'PROCESSING');

-- name: MakeSamePurchaseDue :exec
-- The buyer has paid this: what they left open for the same is looked at now.
UPDATE orders.orders SET version = version + 1, next_look_at = sqlc.arg(now)::timestamptz
WHERE email_key = $1 AND plan_id = $2 AND id <> sqlc.arg(id)::uuid AND state = 'PENDING' AND created_at <= sqlc.arg(created_at)::timestamptz;

-- name: ListStuck :many
-- What waits for its buyer, the bank or a person is listed when nobody has looked at it
-- since: that it waits is only what was heard last.
SELECT id, state, payment_status, last_progress_at, look_count FROM orders.orders
WHERE next_look_at IS NOT NULL
  AND last_progress_at <= sqlc.arg(since)::timestamptz
  AND (payment_status NOT IN ('REQUIRES_ACTION', 'REQUIRES_PAYMENT_METHOD', 'PROCESSING') AND NOT (state = 'PENDING' AND payment_status = 'SUCCEEDED')
       OR coalesce(last_look_at, submitted_at) <= sqlc.arg(since)::timestamptz)
  AND (last_progress_at, id) > (sqlc.arg(after_time)::timestamptz, sqlc.arg(after_id)::uuid)
ORDER BY last_progress_at, id
LIMIT sqlc.arg(row_limit)::int;

-- name: LockPurchase :exec
-- Two purchases of one thing by one address are decided one after the other.
SELECT pg_advisory_xact_lock(hashtextextended(sqlc.arg(email_key)::text || ' ' || sqlc.arg(plan_id)::text, 0));

-- name: SamePurchase :one
-- The order by which the same was bought a moment ago, or may have been: its money is
-- unknown, on its way, or arrived since. Money that a person must decide about is no
-- reason for longer: it is good for nothing. What is paid comes first. The order that
-- asks may stand there already, when its key was sent twice at the same moment.
SELECT id FROM orders.orders
WHERE email_key = $1 AND plan_id = $2 AND kind = 'PURCHASE' AND id <> sqlc.arg(id)::uuid
  AND (state = 'PENDING' AND payment_status IN ('UNKNOWN', 'PROCESSING')
       OR state = 'PENDING' AND payment_status = 'SUCCEEDED' AND last_progress_at > sqlc.arg(since)::timestamptz
       OR charged_at > sqlc.arg(since)::timestamptz AND state <> 'REFUNDED')
ORDER BY charged_at IS NULL, created_at, id
LIMIT 1;

-- name: HasPaidSince :one
-- Whether another order of the same buyer for the same was found paid since
-- this one was last submitted. A renewal is no purchase: nobody pressed "pay".
SELECT EXISTS (
    SELECT 1 FROM orders.orders o
    WHERE o.email_key = $1 AND o.plan_id = $2 AND o.kind = 'PURCHASE' AND o.id <> sqlc.arg(id)::uuid
      AND o.charged_at IS NOT NULL AND o.state <> 'REFUNDED'
      AND coalesce(o.completed_at, o.last_progress_at) >= sqlc.arg(since)::timestamptz
);

-- name: ListPaidSince :many
-- The charges of those other orders. The same rule as HasPaidSince.
SELECT o.charge_id::text AS charge_id
FROM orders.orders o
WHERE o.email_key = $1 AND o.plan_id = $2 AND o.kind = 'PURCHASE' AND o.id <> sqlc.arg(id)::uuid
  AND o.charged_at IS NOT NULL AND o.state <> 'REFUNDED' AND o.charge_id IS NOT NULL
  AND coalesce(o.completed_at, o.last_progress_at) >= sqlc.arg(since)::timestamptz
ORDER BY o.charged_at, o.id
LIMIT sqlc.arg(row_limit)::int;

-- name: InsertSubmission :exec
INSERT INTO orders.submissions (attempt_id, order_id, email_key, client_ip, at) VALUES ($1, $2, $3, $4, $5);

-- name: GetSubmission :one
SELECT * FROM orders.submissions WHERE attempt_id = $1;

-- name: CountSubmissions :one
SELECT
    (SELECT count(*) FROM orders.submissions a WHERE a.order_id = sqlc.arg(order_id)::uuid AND a.at > sqlc.arg(since)::timestamptz) AS by_order,
    (SELECT count(*) FROM orders.submissions b WHERE b.email_key = sqlc.arg(email_key)::text AND b.at > sqlc.arg(since)::timestamptz) AS by_email,
    (SELECT count(*) FROM orders.submissions c WHERE c.client_ip = sqlc.arg(client_ip)::text AND c.client_ip <> '' AND c.at > sqlc.arg(since)::timestamptz) AS by_ip;

-- name: IsChargingPaused :one
SELECT coalesce((SELECT paused FROM orders.charging_switch ORDER BY id DESC LIMIT 1), false)::boolean;

-- name: GetChargingSwitch :one
SELECT paused, actor, reason, at FROM orders.charging_switch ORDER BY id DESC LIMIT 1;

-- name: InsertChargingSwitch :exec
INSERT INTO orders.charging_switch (paused, actor, reason, at) VALUES ($1, $2, $3, $4);

-- name: SlowestRecovery :one
-- How long nearly all recoveries since a time took: from the money, or from when
-- its order was made, to access. The latest ten thousand say enough.
SELECT coalesce(extract(epoch FROM percentile_disc(0.99) WITHIN GROUP (ORDER BY completed_at - greatest(charged_at, created_at))), 0)::float8 AS seconds, count(*) AS recoveries
FROM (
    SELECT o.completed_at, o.charged_at, o.created_at FROM orders.orders o
    WHERE o.recovered_by IS NOT NULL AND o.completed_at IS NOT NULL AND o.completed_at >= sqlc.arg(since)::timestamptz AND o.kind = 'PURCHASE'
    ORDER BY o.completed_at DESC
    LIMIT 10000
) AS recovered;

-- name: FirstOfTwo :one
-- The earlier payment of the same person for the same that makes this one look like a
-- mistake, and stands; as in MatchCharges.
SELECT e.id
FROM orders.orders o
JOIN orders.orders e ON e.email_key = o.email_key AND e.plan_id = o.plan_id AND e.id <> o.id
WHERE o.id = $1 AND o.kind = 'PURCHASE' AND NOT o.allow_repeat
    AND e.kind = 'PURCHASE' AND e.state <> 'REFUNDED' AND coalesce(e.dispute, '') <> 'LOST'
    AND e.charged_at >= o.charged_at - sqlc.arg(duplicate_window)::interval
    AND (e.charged_at, e.created_at, e.id) < (o.charged_at, o.created_at, o.id)
ORDER BY e.charged_at, e.created_at, e.id
LIMIT 1;
