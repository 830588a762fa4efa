-- +goose NO TRANSACTION
-- +goose Up
-- What moved for a charge after it was booked, a refund above all, is asked of every
-- charge and there for few. This index is as small as that, however many charges there
-- are. Each statement may be run again; the table is large, and is written while this runs.
DROP INDEX CONCURRENTLY IF EXISTS reconciliation.balance_transactions_after_charge;
CREATE INDEX CONCURRENTLY balance_transactions_after_charge ON reconciliation.balance_transactions (charge_id)
    WHERE charge_id <> '' AND type NOT IN ('charge', 'payment');
