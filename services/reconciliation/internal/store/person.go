package store

import "makegood.example/services/platform/personal"

// theirSubjects are the subjects of cases that are about a person; cases name orders,
// charges, events and accounts, and nobody's address.
const theirSubjects = `(substring(t.subject FROM '^(?:message/)?order/([0-9a-f-]{36})') = ANY (@orders::text[])
	OR substring(t.subject FROM '^(?:message/)?(?:subscription|invoice)/([^/]+)') = ANY (@objects::text[]) OR t.subject = ANY (ARRAY(
	SELECT 'charge/' || n.name FROM unnest(@objects::text[]) AS n (name)
	UNION ALL SELECT 'event/' || n.name FROM unnest(@events::text[]) AS n (name)
	UNION ALL SELECT 'account/' || n.name FROM unnest(@accounts::text[]) AS n (name))))`

// Person is what Reconciliation keeps about a person. What became of their charges,
// cases and the audit stay: they name ids only.
var Person = personal.Keeper{
	Open: []string{
		"SELECT 'case ' || t.id || ' (' || t.kind || ') is open' FROM reconciliation.cases AS t WHERE t.state = 'OPEN' AND " + theirSubjects,
		"SELECT 'ticket ' || t.id || ' is ' || t.state FROM reconciliation.tickets AS t WHERE t.address = @email_key AND t.state <> 'RESOLVED'",
	},
	Tables: []personal.Table{
		{
			Name: "reconciliation.tickets", Of: "t.address = @email_key",
			Erase: "UPDATE reconciliation.tickets SET email = @pseudonym, address = @pseudonym, subject = 'erased', description = '', resolution = 'erased', version = version + 1 WHERE address = @email_key",
		},
		{Name: "reconciliation.charge_dispositions", Of: "t.charge_id = ANY (@objects::text[]) OR t.order_id = ANY (@orders::text[]::uuid[])"},
		{Name: "reconciliation.balance_transactions", Of: "t.charge_id = ANY (@objects::text[])"},
		{Name: "reconciliation.cases", Of: theirSubjects},
		{Name: "reconciliation.case_events", Of: "t.case_id IN (SELECT t.id FROM reconciliation.cases AS t WHERE " + theirSubjects + ")"},
		{Name: "reconciliation.audit", Of: "t.subjects && (@orders::text[] || @objects::text[] || @events::text[])", Hide: []string{"request_hash", "wish"}},
	},
}
