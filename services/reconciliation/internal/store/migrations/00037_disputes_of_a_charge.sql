-- +goose Up
-- How much of a charge is disputed, or was lost, is asked by charge.
CREATE INDEX disputes_by_charge ON reconciliation.disputes (charge_id);
