-- name: UpsertDisputes :exec
-- A whole page at once; the arrays go in lockstep. What was seen later counts.
INSERT INTO reconciliation.disputes AS d (id, charge_id, amount_minor, lost_minor, currency, stands, created_at, seen_at)
SELECT unnest(@ids::text[]), unnest(@charge_ids::text[]), unnest(@amounts_minor::bigint[]), nullif(unnest(@lost_minor::bigint[]), 0), unnest(@currencies::text[]),
    unnest(@stands::text[]), unnest(@created_at::timestamptz[]), @now::timestamptz
ON CONFLICT (id) DO UPDATE
SET amount_minor = excluded.amount_minor, lost_minor = excluded.lost_minor, currency = excluded.currency, stands = excluded.stands, seen_at = excluded.seen_at
WHERE d.seen_at <= excluded.seen_at;

-- name: UpsertDisputeMovements :exec
INSERT INTO reconciliation.dispute_movements AS m (
    balance_transaction_id, dispute_id, amount_minor, fee_minor, net_minor, currency, exchange_rate, created_at
)
SELECT unnest(@ids::text[]), unnest(@dispute_ids::text[]), unnest(@amounts_minor::bigint[]), unnest(@fees_minor::bigint[]),
    unnest(@nets_minor::bigint[]), unnest(@currencies::text[]), unnest(@exchange_rates::text[]), unnest(@created_at::timestamptz[])
ON CONFLICT (balance_transaction_id) DO UPDATE
SET amount_minor = excluded.amount_minor, fee_minor = excluded.fee_minor, net_minor = excluded.net_minor, currency = excluded.currency,
    exchange_rate = excluded.exchange_rate
WHERE (m.amount_minor, m.fee_minor, m.net_minor, m.currency, m.exchange_rate)
    IS DISTINCT FROM (excluded.amount_minor, excluded.fee_minor, excluded.net_minor, excluded.currency, excluded.exchange_rate);

-- name: ListUntoldDisputes :many
-- Which of some disputes nobody has been asked about, with the charge as it was last
-- seen, if it was.
SELECT d.id, d.charge_id, c.owner, c.order_id
FROM reconciliation.disputes AS d
LEFT JOIN reconciliation.charge_dispositions AS c ON c.charge_id = d.charge_id
WHERE d.id = ANY (@ids::text[]) AND NOT d.told
ORDER BY d.id;

-- name: NoteDisputesTold :exec
UPDATE reconciliation.disputes SET told = true WHERE id = ANY (@ids::text[]) AND NOT told;

-- name: ListLost :many
-- How much of some charges the bank has taken back for good.
SELECT charge_id, currency, sum(coalesce(lost_minor, amount_minor))::bigint AS lost_minor
FROM reconciliation.disputes
WHERE charge_id = ANY (@charge_ids::text[]) AND stands = 'LOST'
GROUP BY charge_id, currency;

-- name: ListLostInPart :many
-- The charges of ours of which some disputes took a part.
SELECT DISTINCT d.charge_id
FROM reconciliation.disputes AS d
JOIN reconciliation.charge_dispositions AS c ON c.charge_id = d.charge_id AND c.owner = 'OURS'
WHERE d.id = ANY (@ids::text[]) AND d.stands = 'LOST' AND coalesce(d.lost_minor, d.amount_minor) < c.amount_minor
ORDER BY d.charge_id;
