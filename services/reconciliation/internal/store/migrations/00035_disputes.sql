-- +goose Up
-- What Stripe says of each dispute and of what it moved, beside the movements of the
-- balance. The previous binary knows neither table.
CREATE TABLE reconciliation.disputes (
    id           text PRIMARY KEY,
    charge_id    text        NOT NULL,
    amount_minor bigint      NOT NULL,
    currency     text        NOT NULL,
    stands       text        NOT NULL,
    told         boolean     NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    CONSTRAINT disputes_stands_known CHECK (stands IN ('OPEN', 'WON', 'LOST'))
);

CREATE INDEX disputes_by_time ON reconciliation.disputes (created_at);

COMMENT ON COLUMN reconciliation.disputes.told IS 'a person has been asked, or Payments has the charge and asks, or it is nothing of ours';

CREATE TABLE reconciliation.dispute_movements (
    balance_transaction_id text PRIMARY KEY,
    dispute_id             text        NOT NULL REFERENCES reconciliation.disputes (id),
    amount_minor           bigint      NOT NULL,
    fee_minor              bigint      NOT NULL,
    net_minor              bigint      NOT NULL,
    currency               text        NOT NULL,
    exchange_rate          text        NOT NULL,
    created_at             timestamptz NOT NULL
);

CREATE INDEX dispute_movements_by_time ON reconciliation.dispute_movements (created_at);
CREATE INDEX dispute_movements_by_dispute ON reconciliation.dispute_movements (dispute_id);
