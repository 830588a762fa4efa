-- name: PaymentByCustomer :one
-- The latest payment of the person whose Stripe customer it is: by their
-- purchases, or by what a person said.
SELECT * FROM payments.payments
WHERE customer_id = sqlc.arg(customer_id)::text
   OR email_key = (SELECT c.email_key FROM payments.customers c WHERE c.customer_id = sqlc.arg(customer_id)::text)
   OR email_key = (SELECT l.email_key FROM payments.customer_links l WHERE l.customer_id = sqlc.arg(customer_id)::text)
ORDER BY created_at DESC, seq DESC LIMIT 1;

-- name: PaymentByAccount :one
SELECT * FROM payments.payments WHERE account_id = sqlc.arg(account_id)::text AND account_id <> '' ORDER BY created_at DESC, seq DESC LIMIT 1;

-- name: PaymentsByEmail :many
-- The latest payment of an address for each account that it bought for.
SELECT DISTINCT ON (account_id) * FROM payments.payments WHERE email_key = sqlc.arg(email_key)::text ORDER BY account_id, created_at DESC, seq DESC;

-- name: ForgetCustomer :execrows
UPDATE payments.customers SET customer_id = NULL, create_try = create_try + 1, tried_at = sqlc.arg(now)::timestamptz
WHERE customer_id = sqlc.arg(customer_id)::text;

-- name: LockNamesShared :exec
SELECT pg_advisory_xact_lock_shared(sqlc.arg(lock_key)::bigint);

-- name: LockNames :exec
SELECT pg_advisory_xact_lock(sqlc.arg(lock_key)::bigint);

-- name: WakeWaiting :execrows
-- One in hand finds the name itself, before it waits again. In one order, so that
-- two who wake the same do not wait for each other.
UPDATE payments.webhook_events SET
    status = 'RECEIVED', processed_at = NULL, waits_for = NULL, payload = coalesce(payload, (SELECT b.body FROM payments.webhook_bodies b WHERE b.received_at = webhook_events.received_at AND b.stripe_event_id = webhook_events.stripe_event_id)), next_look_at = sqlc.arg(now)::timestamptz, in_hand_until = NULL
WHERE stripe_event_id IN (
    SELECT w.stripe_event_id FROM payments.webhook_events w
    WHERE w.waits_for && sqlc.arg(names)::text[] AND w.livemode = sqlc.arg(livemode)::bool AND w.status <> 'PROCESSED' AND (w.payload IS NOT NULL OR EXISTS (SELECT FROM payments.webhook_bodies b WHERE b.received_at = w.received_at AND b.stripe_event_id = w.stripe_event_id))
        AND (w.in_hand_until IS NULL OR w.in_hand_until <= sqlc.arg(now)::timestamptz)
    ORDER BY w.stripe_event_id
    FOR UPDATE
);

-- name: AnyNameKnown :one
-- A customer is known once they bought something.
SELECT (EXISTS (SELECT FROM payments.payments p WHERE p.payment_intent_id = ANY (sqlc.arg(names)::text[]))
    OR EXISTS (SELECT FROM payments.payments p WHERE p.charge_id = ANY (sqlc.arg(names)::text[]))
    OR EXISTS (SELECT FROM payments.payments p WHERE p.checkout_session_id = ANY (sqlc.arg(names)::text[]))
    OR EXISTS (SELECT FROM payments.payments p WHERE p.customer_id = ANY (sqlc.arg(names)::text[]))
    OR EXISTS (SELECT FROM payments.payments p WHERE p.account_id = ANY (sqlc.arg(names)::text[]) AND p.account_id <> '')
    OR EXISTS (SELECT FROM payments.subscriptions s WHERE s.subscription_id = ANY (sqlc.arg(names)::text[]))
    OR EXISTS (SELECT FROM payments.payments p WHERE p.order_id = ANY (sqlc.arg(order_ids)::uuid[]))
    OR EXISTS (SELECT FROM payments.payments p JOIN payments.customers c USING (email_key) WHERE c.customer_id = ANY (sqlc.arg(names)::text[]))
    OR EXISTS (SELECT FROM payments.payments p JOIN payments.customer_links l USING (email_key) WHERE l.customer_id = ANY (sqlc.arg(names)::text[])))::bool AS known;

-- name: FinishWaiting :exec
UPDATE payments.webhook_events SET
    status = @status, resolution_method = @resolution_method, last_error = @last_error, processed_at = sqlc.arg(now)::timestamptz,
    next_look_at = NULL, in_hand_until = NULL, waits_for = sqlc.arg(waits_for)::text[],
    awaits_address = nullif(sqlc.arg(awaits_address)::text, ''),
    address_look_at = CASE WHEN sqlc.arg(awaits_address)::text <> '' THEN sqlc.arg(address_look_at)::timestamptz END
WHERE stripe_event_id = @stripe_event_id AND status IN ('RECEIVED', 'FAILED');

-- name: ClaimAwaitedAddresses :many
-- The next look is a tenth of the event's age away.
UPDATE payments.webhook_events e SET
    address_look_at = sqlc.arg(now)::timestamptz + greatest(interval '1 minute', least(interval '1 day', (sqlc.arg(now)::timestamptz - e.received_at) / 10))
WHERE stripe_event_id IN (
    SELECT w.stripe_event_id FROM payments.webhook_events w
    WHERE w.status = 'ORPHANED' AND w.address_look_at <= sqlc.arg(now)::timestamptz
    ORDER BY w.address_look_at
    LIMIT sqlc.arg(row_limit)::int
    FOR UPDATE SKIP LOCKED
)
RETURNING e.stripe_event_id, coalesce(e.awaits_address, '')::text AS awaits_address;

-- name: WakeOrphan :exec
UPDATE payments.webhook_events SET
    status = 'RECEIVED', processed_at = NULL, waits_for = NULL, next_look_at = sqlc.arg(now)::timestamptz, in_hand_until = NULL
WHERE stripe_event_id = @stripe_event_id AND status = 'ORPHANED';

-- name: FailWaiting :exec
UPDATE payments.webhook_events SET
    status = @status, last_error = @last_error, next_look_at = sqlc.arg(next_look_at)::timestamptz, in_hand_until = NULL,
    waits_for = sqlc.arg(waits_for)::text[]
WHERE stripe_event_id = @stripe_event_id AND status IN ('RECEIVED', 'FAILED');

-- name: WaitForPage :exec
-- Waiting is no failure, also after failures.
UPDATE payments.webhook_events SET
    status = 'RECEIVED', last_error = sqlc.arg(last_error)::text, next_look_at = sqlc.arg(next_look_at)::timestamptz, in_hand_until = NULL,
    waits_for = sqlc.arg(waits_for)::text[], waited_count = waited_count + 1
WHERE stripe_event_id = @stripe_event_id AND status IN ('RECEIVED', 'FAILED');
