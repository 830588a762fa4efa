-- name: UpsertDispositions :exec
-- A whole page at once; the arrays go in lockstep. What was seen later counts: seen_at
-- is when Stripe was read, and not when what follows was done.
INSERT INTO reconciliation.charge_dispositions AS d (
    charge_id, disposition, order_id, reason, evidence, owner, status, captured, payment_intent_id, balance_transaction_id,
    amount_minor, refunded_minor, disputed_minor, currency, created_at, recovered_by, access_at, case_kind, case_summary,
    read_again_at, first_seen_at, seen_at, decided_at, seen_by_run, access_until
)
SELECT unnest(@charge_ids::text[]), unnest(@dispositions::text[]), nullif(unnest(@order_ids::text[]), '')::uuid,
    unnest(@reasons::text[]), string_to_array(unnest(@evidence::text[]), E'\n'), unnest(@owners::text[]),
    unnest(@statuses::text[]), unnest(@captured::boolean[]), unnest(@payment_intent_ids::text[]),
    unnest(@balance_transaction_ids::text[]), unnest(@amounts_minor::bigint[]), unnest(@refunded_minor::bigint[]),
    unnest(@disputed_minor::bigint[]), unnest(@currencies::text[]), unnest(@created_at::timestamptz[]),
    unnest(@recovered_by::text[]), nullif(unnest(@access_at::timestamptz[]), '0001-01-01 00:00:00+00'),
    unnest(@case_kinds::text[]), unnest(@case_summaries::text[]),
    nullif(unnest(@read_again_at::timestamptz[]), '0001-01-01 00:00:00+00'),
    @now::timestamptz, @seen_at::timestamptz, @now::timestamptz, @run_id::bigint,
    nullif(unnest(@access_until::timestamptz[]), '0001-01-01 00:00:00+00')
ON CONFLICT (charge_id) DO UPDATE
SET disposition = excluded.disposition, order_id = excluded.order_id, reason = excluded.reason, evidence = excluded.evidence,
    owner = excluded.owner, status = excluded.status, captured = excluded.captured,
    payment_intent_id = excluded.payment_intent_id, balance_transaction_id = excluded.balance_transaction_id,
    amount_minor = excluded.amount_minor, refunded_minor = excluded.refunded_minor, disputed_minor = excluded.disputed_minor,
    currency = excluded.currency, created_at = excluded.created_at, recovered_by = excluded.recovered_by,
    access_at = excluded.access_at, access_until = coalesce(excluded.access_until, d.access_until), case_kind = excluded.case_kind, case_summary = excluded.case_summary,
    read_again_at = excluded.read_again_at, seen_at = excluded.seen_at, seen_by_run = excluded.seen_by_run,
    decided_at = CASE WHEN d.disposition = excluded.disposition AND d.reason = excluded.reason
        THEN d.decided_at ELSE excluded.decided_at END
WHERE d.seen_at <= excluded.seen_at;

-- name: DeleteDispositions :exec
-- Of charges that failed: they took no money.
DELETE FROM reconciliation.charge_dispositions WHERE charge_id = ANY (@charge_ids::text[]);

-- name: GetDispositions :many
SELECT charge_id, disposition, order_id, reason, evidence, case_kind, case_summary, decided_at, seen_at, seen_by_run, access_until,
    (amount_minor > 0 AND refunded_minor >= amount_minor)::boolean AS fully_refunded
FROM reconciliation.charge_dispositions
WHERE charge_id = ANY (@charge_ids::text[]);

-- name: ListToReadAgain :many
SELECT charge_id, read_again_at
FROM reconciliation.charge_dispositions
WHERE read_again_at <= @now::timestamptz
    AND (read_again_at, charge_id) > (@after_at::timestamptz, @after_id::text)
    AND seen_by_run IS DISTINCT FROM @run_id::bigint
ORDER BY read_again_at, charge_id
LIMIT @page_size;

-- name: PostponeReading :exec
UPDATE reconciliation.charge_dispositions
SET read_again_at = @read_again_at::timestamptz
WHERE charge_id = ANY (@charge_ids::text[]) AND read_again_at IS NOT NULL;

-- name: ReadAgain :execrows
-- Never later than it was to be read.
UPDATE reconciliation.charge_dispositions
SET read_again_at = least(read_again_at, @read_again_at::timestamptz)
WHERE charge_id = ANY (@charge_ids::text[]);

-- name: ListNewestAccess :many
SELECT charge_id, payment_intent_id, order_id
FROM reconciliation.charge_dispositions
WHERE disposition IN ('RECOVERED', 'MATCHED') AND access_at IS NOT NULL
ORDER BY access_at DESC
LIMIT @page_size;

-- name: ListMovedSince :many
-- Charges whose money moved after they were last seen, or so shortly before that
-- it is not sure what was seen. That no id is empty leads to the index.
SELECT d.charge_id
FROM reconciliation.charge_dispositions AS d
WHERE d.charge_id = ANY (@charge_ids::text[])
    AND EXISTS (
        SELECT FROM reconciliation.balance_transactions AS b
        WHERE b.charge_id = d.charge_id AND b.charge_id <> '' AND b.type NOT IN ('charge', 'payment')
            AND b.created_at > d.seen_at - interval '1 minute'
    );

-- name: ListBecame :many
-- What became of some charges, and of all charges of some orders.
SELECT charge_id, coalesce(order_id, '00000000-0000-0000-0000-000000000000')::uuid AS order_id, disposition, case_kind, case_summary, decided_at,
    (amount_minor > 0 AND refunded_minor >= amount_minor)::boolean AS fully_refunded, (disputed_minor > 0)::boolean AS disputed
FROM reconciliation.charge_dispositions
WHERE charge_id = ANY (@charge_ids::text[]) OR order_id = ANY (@order_ids::uuid[])
ORDER BY charge_id;
