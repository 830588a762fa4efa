-- name: InsertBalanceTransactions :exec
INSERT INTO reconciliation.balance_transactions (
    id, type, source_id, charge_id, amount_minor, fee_minor, net_minor, currency, exchange_rate, created_at
)
SELECT unnest(@ids::text[]), unnest(@types::text[]), unnest(@source_ids::text[]), unnest(@charge_ids::text[]),
    unnest(@amounts_minor::bigint[]), unnest(@fees_minor::bigint[]), unnest(@nets_minor::bigint[]),
    unnest(@currencies::text[]), unnest(@exchange_rates::text[]), unnest(@created_at::timestamptz[])
ON CONFLICT (id) DO NOTHING;

-- name: SumDispositions :many
-- Of what is disputed a part only, its dispute says how much; where none has been read
-- yet, all of it counts. Of what is disputed twice, no more than all of it is.
SELECT disposition, currency, count(*) AS charge_count, sum(amount_minor)::bigint AS amount_minor,
    sum(refunded_minor)::bigint AS refunded_minor,
    sum(CASE WHEN disputed_minor = 0 THEN 0 ELSE least(amount_minor, coalesce((
        SELECT sum(s.amount_minor) FROM reconciliation.disputes AS s WHERE s.charge_id = d.charge_id AND s.currency = d.currency
    ), disputed_minor)) END)::bigint AS disputed_minor
FROM reconciliation.charge_dispositions AS d
WHERE created_at >= @from_at::timestamptz AND created_at < @before_at::timestamptz
GROUP BY disposition, currency
ORDER BY disposition, currency;

-- name: CountChargesByDay :many
SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, disposition, count(*) AS charge_count
FROM reconciliation.charge_dispositions
WHERE created_at >= @from_at::timestamptz
GROUP BY 1, 2
ORDER BY 1, 2;

-- name: SumBalance :many
SELECT type, (source_id LIKE 'dp\_%' OR source_id LIKE 'du\_%')::boolean AS of_dispute, currency,
    count(*) AS transaction_count, sum(amount_minor)::bigint AS amount_minor,
    sum(fee_minor)::bigint AS fee_minor, sum(net_minor)::bigint AS net_minor
FROM reconciliation.balance_transactions
WHERE created_at >= @from_at::timestamptz AND created_at < @before_at::timestamptz
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: GetOldestUnserved :one
SELECT order_id, charge_id, created_at
FROM reconciliation.charge_dispositions AS d
WHERE disposition IN ('OPEN', 'QUARANTINED') AND owner = 'OURS'
    AND status = 'SUCCEEDED' AND captured AND access_at IS NULL AND refunded_minor < amount_minor
    AND created_at >= @from_at::timestamptz AND created_at < @before_at::timestamptz
    AND NOT EXISTS (SELECT FROM reconciliation.decided_charges AS k WHERE k.charge_id = d.charge_id)
ORDER BY created_at
LIMIT 1;

-- name: ListDecidedCharges :many
SELECT charge_id, order_id, (amount_minor - refunded_minor - least(amount_minor - refunded_minor, coalesce((
        SELECT sum(coalesce(s.lost_minor, s.amount_minor)) FROM reconciliation.disputes AS s
        WHERE s.charge_id = k.charge_id AND s.currency = k.currency AND s.stands = 'LOST'
    ), 0)))::bigint AS kept_minor, currency, created_at,
    case_id, decided_by::text AS decided_by, decision::text AS decision, decided_at::timestamptz AS decided_at, count(*) OVER () AS decided_count
FROM reconciliation.decided_charges AS k
WHERE created_at >= @from_at::timestamptz AND created_at < @before_at::timestamptz
ORDER BY created_at, charge_id
LIMIT @max_rows;

-- name: GetServiceTime :one
SELECT count(*) AS order_count,
    coalesce(avg(took), 0)::bigint AS mean_ms,
    coalesce(percentile_disc(0.95) WITHIN GROUP (ORDER BY took), 0)::bigint AS p95_ms,
    coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY took), 0)::bigint AS p99_ms
FROM (
    SELECT greatest(0, extract(epoch FROM access_at - created_at) * 1000)::bigint AS took
    FROM reconciliation.charge_dispositions
    WHERE access_at IS NOT NULL AND disposition IN ('RECOVERED', 'MATCHED')
        AND created_at >= @from_at::timestamptz AND created_at < @before_at::timestamptz
) AS served;

-- name: CountCompletedBy :many
SELECT recovered_by, count(DISTINCT order_id) AS order_count,
    greatest(0, max(extract(epoch FROM access_at - created_at)) * 1000)::bigint AS slowest_ms
FROM reconciliation.charge_dispositions
WHERE access_at IS NOT NULL
    AND created_at >= @from_at::timestamptz AND created_at < @before_at::timestamptz
GROUP BY recovered_by
ORDER BY recovered_by;

-- name: FindDifferences :many
-- Everything that does not fit, with how many there are. That no id is empty leads to
-- the index of movements by charge: what a sweep compares is a day's, of any history.
WITH charges AS (
    SELECT d.charge_id, d.disposition, d.reason, d.status, d.captured, d.amount_minor, d.refunded_minor, d.currency,
        d.created_at, d.seen_at
    FROM reconciliation.charge_dispositions AS d
    WHERE d.created_at >= @from_at::timestamptz AND d.created_at < @before_at::timestamptz
), bookings AS (
    SELECT c.charge_id, c.amount_minor, c.currency, c.created_at, b.id, b.amount_minor AS booked_minor,
        b.currency AS booked_currency, b.exchange_rate
    FROM charges AS c
    LEFT JOIN reconciliation.balance_transactions AS b ON b.charge_id = c.charge_id AND b.charge_id <> '' AND b.type IN ('charge', 'payment')
    WHERE c.status = 'SUCCEEDED' AND c.captured AND c.amount_minor > 0 AND c.created_at < @balance_read_before::timestamptz
), refunds AS (
    -- Not while a refund is so new that the charge may have been read before it.
    SELECT c.charge_id, c.currency, c.refunded_minor,
        coalesce(sum(-b.amount_minor), 0)::bigint AS booked_minor, bool_and(b.currency = c.currency) AS same_currency
    FROM charges AS c
    LEFT JOIN reconciliation.balance_transactions AS b ON b.charge_id = c.charge_id AND b.charge_id <> ''
        AND b.type IN ('refund', 'payment_refund', 'refund_failure', 'payment_failure_refund')
    WHERE c.captured AND c.seen_at <= @balance_read_before::timestamptz
    GROUP BY c.charge_id, c.currency, c.refunded_minor, c.seen_at
    HAVING coalesce(max(b.created_at) < c.seen_at - interval '1 minute', true)
), converted AS (
    -- What went back, in the charge's currency: each refund has a rate of its own, and
    -- may be booked off by less than one. Where a side has no cents, what one unit costs
    -- shows only in how the charge was booked.
    SELECT r.charge_id, r.currency, r.refunded_minor, bool_or(u.unit IS NULL) AS unknown, sum(-b.amount_minor / u.unit) AS booked_minor,
        sum((1 + trunc(abs(b.amount_minor) / u.unit / 2000000)) / u.unit) AS tolerance, string_agg(DISTINCT b.exchange_rate, ', ') AS exchange_rates
    FROM refunds AS r
    JOIN reconciliation.balance_transactions AS b ON b.charge_id = r.charge_id AND b.charge_id <> ''
        AND b.type IN ('refund', 'payment_refund', 'refund_failure', 'payment_failure_refund')
    LEFT JOIN bookings AS k ON k.charge_id = r.charge_id AND k.booked_currency = b.currency
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN b.currency = r.currency THEN 1
            WHEN b.currency <> ALL (@not_in_cents::text[]) AND r.currency <> ALL (@not_in_cents::text[]) THEN nullif(b.exchange_rate, '')::numeric
            WHEN k.booked_minor > 0 AND k.exchange_rate <> '' THEN
                nullif(b.exchange_rate, '')::numeric * 10::numeric ^ round(log(k.booked_minor / (k.amount_minor * k.exchange_rate::numeric)))
            END AS unit
    ) AS u
    WHERE NOT r.same_currency
    GROUP BY r.charge_id, r.currency, r.refunded_minor
), differences AS (
    SELECT 1 AS sort, charge_id AS subject, 'the charge has no balance transaction'::text AS what, currency,
        amount_minor AS expected_minor, 0::bigint AS found_minor
    FROM bookings WHERE id IS NULL
    UNION ALL
    SELECT 2, charge_id, 'balance transaction ' || id || ' has another amount than its charge', currency, amount_minor, booked_minor
    FROM bookings WHERE booked_currency = currency AND booked_minor <> amount_minor
    UNION ALL
    SELECT 2, charge_id, 'the charge is booked ' || count(*) || ' times, by balance transactions ' || string_agg(id, ', ' ORDER BY id),
        min(booked_currency), min(booked_minor), sum(booked_minor)::bigint
    FROM bookings
    WHERE charge_id IN (SELECT charge_id FROM bookings GROUP BY charge_id HAVING count(*) > 1)
    GROUP BY charge_id
    UNION ALL
    SELECT 2, charge_id, 'balance transaction ' || id || ' has another amount than its charge at the rate ' || exchange_rate,
        booked_currency, round(amount_minor * exchange_rate::numeric)::bigint, booked_minor
    FROM bookings
    WHERE booked_currency <> currency AND exchange_rate <> ''
        -- A rate says what one unit costs: only where both sides have cents, what one cent does.
        AND currency <> ALL (@not_in_cents::text[]) AND booked_currency <> ALL (@not_in_cents::text[])
        -- However Stripe rounds, that is less than one; a rate of six decimals says no more of large amounts.
        AND abs(amount_minor * exchange_rate::numeric - booked_minor) >= 1 + trunc(amount_minor / 2000000.0)
    UNION ALL
    SELECT 2, charge_id, 'balance transaction ' || id || ' is in another currency than its charge, and has no rate', booked_currency, 0, booked_minor
    FROM bookings WHERE booked_currency <> currency AND exchange_rate = ''
    UNION ALL
    SELECT 3, charge_id, 'refunded at the charge, and in its balance transactions', currency, refunded_minor, booked_minor
    FROM refunds WHERE coalesce(same_currency, true) AND refunded_minor <> booked_minor
    UNION ALL
    SELECT 3, charge_id, 'refunded at the charge, and in its balance transactions at the rate ' || exchange_rates, currency, refunded_minor, round(booked_minor)::bigint
    FROM converted WHERE NOT unknown AND abs(booked_minor - refunded_minor) >= tolerance - 0.000001
    UNION ALL
    SELECT 3, charge_id, 'its refunds are booked in another currency, and at no rate by which they can be compared', currency, refunded_minor, 0
    FROM converted WHERE unknown
    UNION ALL
    SELECT 4, charge_id, 'it is OPEN for more than one period: ' || reason, currency, amount_minor, 0
    FROM charges WHERE disposition = 'OPEN' AND status = 'SUCCEEDED' AND created_at < @open_since::timestamptz
    UNION ALL
    SELECT 5, b.charge_id, 'balance transaction ' || b.id || ' is of a charge that has no disposition', b.currency, 0, b.amount_minor
    FROM reconciliation.balance_transactions AS b
    WHERE b.type IN ('charge', 'payment') AND b.created_at >= greatest(@from_at::timestamptz, @charges_read_from::timestamptz)
        AND b.created_at < least(@before_at::timestamptz, @charges_read_before::timestamptz)
        AND NOT EXISTS (SELECT FROM reconciliation.charge_dispositions AS d WHERE d.charge_id = b.charge_id)
        -- A debit that failed is booked when it begins and booked back when it fails.
        AND NOT EXISTS (
            SELECT FROM reconciliation.balance_transactions AS f
            WHERE f.charge_id = b.charge_id AND f.charge_id <> '' AND f.type IN ('payment_failure_refund', 'payment_reversal') AND f.amount_minor = -b.amount_minor
        )
    UNION ALL
    SELECT 6, charge_id, 'its disposition is ' || disposition || ', and Stripe does not show the charge', currency, 0, amount_minor
    FROM charges
    WHERE seen_at < @pass_started_at::timestamptz
        AND created_at >= @pass_from::timestamptz AND created_at < @pass_started_at::timestamptz
    UNION ALL
    SELECT 7, b.id, 'the balance transaction''s net is not its amount less its fee', b.currency, b.amount_minor - b.fee_minor, b.net_minor
    FROM reconciliation.balance_transactions AS b
    WHERE b.net_minor <> b.amount_minor - b.fee_minor
        AND b.created_at >= @from_at::timestamptz AND b.created_at < @before_at::timestamptz
    UNION ALL
    -- Each movement of a dispute by itself: as the balance has it and as the dispute says.
    SELECT 8, m.balance_transaction_id, 'the balance transaction has another ' || p.what || ' than dispute ' || m.dispute_id || ' says of it', m.currency, p.said, p.booked
    FROM reconciliation.dispute_movements AS m
    JOIN reconciliation.balance_transactions AS b ON b.id = m.balance_transaction_id
    CROSS JOIN LATERAL (VALUES ('amount', m.amount_minor, b.amount_minor), ('fee', m.fee_minor, b.fee_minor)) AS p (what, said, booked)
    WHERE (p.said <> p.booked OR p.what = 'amount' AND m.currency <> b.currency)
        AND m.created_at >= @from_at::timestamptz AND m.created_at < @before_at::timestamptz
    UNION ALL
    SELECT 8, m.balance_transaction_id, 'dispute ' || m.dispute_id || ' names the balance transaction, and the balance does not have it', m.currency, m.amount_minor, 0
    FROM reconciliation.dispute_movements AS m
    WHERE m.created_at >= @from_at::timestamptz AND m.created_at < least(@before_at::timestamptz, @balance_read_before::timestamptz)
        AND NOT EXISTS (SELECT FROM reconciliation.balance_transactions AS b WHERE b.id = m.balance_transaction_id)
    UNION ALL
    -- What it takes, and what it puts back, is what is disputed; of one that was won for a
    -- part, less is put back.
    SELECT 8, m.balance_transaction_id, 'dispute ' || d.id || ' is about another amount than its balance transaction', m.currency, sign(m.amount_minor)::bigint * d.amount_minor, m.amount_minor
    FROM reconciliation.dispute_movements AS m
    JOIN reconciliation.disputes AS d ON d.id = m.dispute_id AND d.currency = m.currency
    WHERE m.amount_minor <> 0 AND abs(m.amount_minor) <> d.amount_minor
        AND NOT (d.stands = 'LOST' AND m.amount_minor > 0 AND m.amount_minor < d.amount_minor)
        AND m.created_at >= @from_at::timestamptz AND m.created_at < @before_at::timestamptz
    UNION ALL
    SELECT 8, b.id, 'the balance transaction is of dispute ' || d.id || ', which does not name it', b.currency, 0, b.amount_minor
    FROM reconciliation.balance_transactions AS b
    JOIN reconciliation.disputes AS d ON d.id = b.source_id
    WHERE b.created_at >= @from_at::timestamptz AND b.created_at < @before_at::timestamptz
        -- Not while it is so new that the dispute may have been read before it.
        AND b.created_at < d.seen_at - interval '1 minute'
        AND NOT EXISTS (SELECT FROM reconciliation.dispute_movements AS m WHERE m.balance_transaction_id = b.id)
    UNION ALL
    SELECT 9, d.charge_id, 'dispute ' || d.id || ' of it is open, Payments does not have the charge, and nobody has been asked', d.currency, d.amount_minor, 0
    FROM reconciliation.disputes AS d
    JOIN reconciliation.charge_dispositions AS c ON c.charge_id = d.charge_id AND c.owner <> 'FOREIGN'
    WHERE d.stands = 'OPEN' AND NOT d.told AND d.created_at >= @from_at::timestamptz AND d.created_at < @before_at::timestamptz
)
SELECT subject, what, currency, expected_minor, found_minor, count(*) OVER () AS difference_count
FROM differences
ORDER BY sort, subject
LIMIT @max_rows;

-- name: ListOrdersOfCharges :many
-- A page has one lower bound: of two, PostgreSQL may begin at the one that is further
-- away, and read the index from its first charge on.
SELECT charge_id, payment_intent_id, order_id, amount_minor, refunded_minor, currency, disposition, seen_at, created_at
FROM reconciliation.charge_dispositions
WHERE order_id IS NOT NULL AND created_at < @before_at::timestamptz
    AND disposition IN ('MATCHED', 'RECOVERED', 'REFUNDED')
    AND (created_at, charge_id) > (@after_at::timestamptz, @after_id::text)
ORDER BY created_at, charge_id
LIMIT @page_size;
