-- +goose Up
CREATE INDEX cases_by_subject ON reconciliation.cases (subject, id);

-- The charges of ours that were paid, are kept and gave no access, and about which a
-- person has decided: who closes the case that names a charge has decided about it,
-- until another case that names it is opened.
CREATE VIEW reconciliation.decided_charges AS
SELECT d.charge_id, d.order_id, d.amount_minor, d.refunded_minor, d.currency, d.created_at,
    k.id AS case_id, k.resolved_by AS decided_by, k.resolution AS decision, k.resolved_at AS decided_at
FROM reconciliation.charge_dispositions AS d
CROSS JOIN LATERAL (
    SELECT c.id, c.state, c.resolved_by, c.resolution, c.resolved_at
    FROM reconciliation.cases AS c
    WHERE c.subject IN ('charge/' || d.charge_id, 'order/' || d.order_id)
        AND (c.subject = 'charge/' || d.charge_id OR c.summary ~ ('\m' || d.charge_id || '\M'))
        AND d.case_kind IN ('', c.kind)
    ORDER BY c.id DESC
    LIMIT 1
) AS k
WHERE d.disposition = 'QUARANTINED' AND d.owner = 'OURS' AND d.status = 'SUCCEEDED' AND d.captured
    AND d.access_at IS NULL AND d.refunded_minor < d.amount_minor
    AND k.state = 'RESOLVED' AND k.resolved_by <> 'system';
