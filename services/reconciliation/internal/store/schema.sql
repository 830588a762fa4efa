-- Only for sqlc: the real schema is made by whoever migrates.
CREATE SCHEMA reconciliation;
