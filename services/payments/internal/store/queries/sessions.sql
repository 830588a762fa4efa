-- name: SaveSession :execrows
-- As with an intent: only a payment that still wants to be charged takes one.
UPDATE payments.payments p SET
    checkout_session_id = sqlc.arg(checkout_session_id)::text, redirect_url = sqlc.arg(redirect_url)::text,
    customer_id = sqlc.arg(customer_id)::text, status = 'REQUIRES_ACTION', updated_at = sqlc.arg(now)::timestamptz
WHERE p.id = sqlc.arg(id)::uuid AND p.payment_intent_id IS NULL AND p.checkout_session_id IS NULL AND p.status = 'CREATING'
  AND EXISTS (SELECT 1 FROM payments.attempts a WHERE a.payment_id = p.id AND a.next_look_at IS NOT NULL);

-- name: PaymentBySession :one
SELECT * FROM payments.payments WHERE checkout_session_id = sqlc.arg(checkout_session_id)::text;
