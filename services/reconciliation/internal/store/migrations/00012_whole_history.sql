-- +goose Up
-- Until when the order of a charge gave access, when that was last seen: what is
-- rebuilt after a loss ends then, too. The previous binary leaves it alone.
ALTER TABLE reconciliation.charge_dispositions ADD COLUMN access_until timestamptz;

COMMENT ON COLUMN reconciliation.charge_dispositions.access_until IS 'until when its order gave access, as last seen; kept when the order or the access is lost';

-- Movements of the balance were read from half a year ago on: once, all are.
DELETE FROM reconciliation.cursors WHERE name = 'balance';
