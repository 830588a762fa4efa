package store

import "makegood.example/services/platform/personal"

// Person is what Payments keeps about a person. Payments, refunds, disputes and the
// ledger's rows stay, under Stripe's ids; the bodies of their events go.
var Person = personal.Keeper{
	Names: []personal.Names{
		{Of: personal.Customers, SQL: `SELECT customer_id FROM payments.customers WHERE email_key = @email_key AND customer_id IS NOT NULL
			UNION SELECT customer_id FROM payments.payments WHERE (email_key = @email_key OR order_id = ANY (@orders::text[]::uuid[])) AND customer_id IS NOT NULL
			UNION SELECT customer_id FROM payments.customer_links WHERE email_key = @email_key
			UNION SELECT customer_id FROM payments.webhook_events WHERE lower(customer_email) = @email_key AND customer_id IS NOT NULL`},
		{Of: personal.Orders, SQL: "SELECT order_id::text FROM payments.payments WHERE email_key = @email_key"},
		{Of: personal.Objects, SQL: `SELECT n.name FROM payments.payments AS t
			CROSS JOIN LATERAL unnest(ARRAY[t.payment_intent_id, t.charge_id, t.checkout_session_id, t.subscription_id, t.invoice_id]) AS n (name)
			WHERE ` + theirPayments + ` AND n.name IS NOT NULL
			UNION SELECT r.stripe_refund_id FROM payments.refunds AS r WHERE r.order_id = ANY (@orders::text[]::uuid[]) AND r.stripe_refund_id IS NOT NULL`},
		{Of: personal.Events, SQL: `SELECT stripe_event_id FROM payments.webhook_events
			WHERE customer_id = ANY (@customers::text[]) OR object_id = ANY (@objects::text[]) OR lower(customer_email) = @email_key OR lower(awaits_address) = @email_key`},
		// What was never written down as theirs, and a case may be about.
		{Of: personal.Objects, SQL: "SELECT DISTINCT object_id FROM payments.webhook_events WHERE stripe_event_id = ANY (@events::text[]) AND object_id <> ''"},
	},
	Open: []string{
		"SELECT 'a payment of order ' || upper(left(t.reference::text, 8)) || ' is not decided' FROM payments.payments AS t JOIN payments.attempts AS a ON a.payment_id = t.id WHERE " + theirPayments + " AND a.next_look_at IS NOT NULL",
		"SELECT 'a refund of order ' || upper(left(t.reference::text, 8)) || ' is not decided' FROM payments.payments AS t JOIN payments.refunds AS r ON r.payment_id = t.id WHERE " + theirPayments + " AND r.next_look_at IS NOT NULL",
		"SELECT 'the charge ' || t.charge_id || ' is disputed' FROM payments.payments AS t WHERE " + theirPayments + " AND t.dispute = 'OPEN'",
		"SELECT 'subscription ' || subscription_id || ' still runs at Stripe: it is canceled first' FROM payments.subscriptions WHERE customer_id = ANY (@customers::text[]) AND status <> 'ENDED'",
		"SELECT 'event ' || stripe_event_id || ' is ' || status FROM payments.webhook_events WHERE stripe_event_id = ANY (@events::text[]) AND status NOT IN ('PROCESSED', 'IGNORED')",
	},
	Tables: []personal.Table{
		{
			Name: "payments.customers", Of: "t.email_key = @email_key",
			Erase: "UPDATE payments.customers SET email_key = @pseudonym, email = @pseudonym, name = '' WHERE email_key = @email_key",
		},
		{
			Name: "payments.payments", Of: theirPayments, Hide: []string{"client_secret", "redirect_url"},
			Erase: "UPDATE payments.payments AS t SET client_secret = NULL, redirect_url = NULL, decline_message = NULL WHERE t.email_key = @pseudonym AND num_nonnulls(client_secret, redirect_url, decline_message) > 0",
		},
		{Name: "payments.attempts", Of: "t.order_id = ANY (@orders::text[]::uuid[])", Hide: []string{"payment_method"}},
		{Name: "payments.refunds", Of: "t.order_id = ANY (@orders::text[]::uuid[])"},
		{Name: "payments.subscriptions", Of: "t.customer_id = ANY (@customers::text[])"},
		{Name: "payments.customer_links", Of: "t.email_key = @email_key", Erase: "SELECT FROM payments.erase_links(@email_key, @pseudonym)"},
		{
			Name: "payments.webhook_events", Of: "t.stripe_event_id = ANY (@events::text[])", Hide: []string{"payload"},
			Erase: "UPDATE payments.webhook_events SET payload = NULL, customer_email = NULL, awaits_address = NULL, address_look_at = NULL, waits_for = NULL WHERE stripe_event_id = ANY (@events::text[]) AND num_nonnulls(payload, customer_email, awaits_address) > 0",
		},
		{
			// After the ledger's rows, whose locks keep the walk from moving one more.
			Name: "payments.webhook_bodies", Of: "t.stripe_event_id IN (SELECT e.stripe_event_id FROM payments.webhook_events AS e WHERE e.stripe_event_id = ANY (@events::text[]) AND e.received_at = t.received_at)", Hide: []string{"body"},
			Erase: "DELETE FROM payments.webhook_bodies AS t USING payments.webhook_events AS e WHERE e.stripe_event_id = ANY (@events::text[]) AND e.received_at = t.received_at AND e.stripe_event_id = t.stripe_event_id",
		},
		{Name: "payments.event_actions", Of: "t.stripe_event_id = ANY (@events::text[])"},
		{
			Name: "payments.erased_customers", Of: "t.customer_id = ANY (@customers::text[])",
			Erase: "INSERT INTO payments.erased_customers (customer_id, erased_at) SELECT unnest(@customers::text[]), @now::timestamptz ON CONFLICT DO NOTHING",
		},
	},
}

const theirPayments = "(t.email_key = @email_key OR t.order_id = ANY (@orders::text[]::uuid[]))"
