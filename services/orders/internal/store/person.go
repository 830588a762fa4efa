package store

import "makegood.example/services/platform/personal"

const (
	ofTheirs      = "t.order_id = ANY (@orders::text[]::uuid[])"
	theirsOrderID = "id = ANY (@orders::text[]::uuid[])"
)

// Person is what Orders keeps about a person. Amounts, states, the history and Stripe's
// ids stay when they are erased.
var Person = personal.Keeper{
	Names: []personal.Names{
		{Of: personal.Orders, SQL: "SELECT id::text FROM orders.orders WHERE email_key = @email_key"},
		{Of: personal.Customers, SQL: "SELECT customer_id FROM orders.orders WHERE " + theirsOrderID + " AND customer_id IS NOT NULL"},
	},
	Open: []string{
		"SELECT 'order ' || upper(left(reference::text, 8)) || ' is not at rest (' || state || ')' FROM orders.orders WHERE " + theirsOrderID + " AND next_look_at IS NOT NULL",
		"SELECT 'order ' || upper(left(reference::text, 8)) || ' is disputed' FROM orders.orders WHERE " + theirsOrderID + " AND dispute = 'OPEN'",
		"SELECT 'subscription ' || t.subscription_id || ' still runs: it is canceled first' FROM orders.subscriptions AS t WHERE " + ofTheirs + " AND t.status <> 'ENDED'",
		"SELECT 'a mail about order ' || upper(left(o.reference::text, 8)) || ' is not handed over yet' FROM orders.orders AS o JOIN orders.river_job AS j ON j.args->>'order_id' = o.id::text " +
			"WHERE o.id = ANY (@orders::text[]::uuid[]) AND j.finalized_at IS NULL",
	},
	Tables: []personal.Table{
		{
			Name: "orders.orders", Of: theirsOrderID, Hide: []string{"payment_method", "client_secret", "redirect_url", "refund_token"},
			// The version keeps one who read the order before from writing it back.
			Erase: "UPDATE orders.orders SET email = @pseudonym, email_key = @pseudonym, name = '', payment_error_message = NULL, client_secret = NULL, redirect_url = NULL, " +
				"erased_at = @now::timestamptz, version = version + 1 WHERE " + theirsOrderID + " AND erased_at IS NULL",
		},
		{
			Name: "orders.submissions", Of: ofTheirs,
			Erase: "UPDATE orders.submissions AS t SET email_key = @pseudonym, client_ip = 'erased' WHERE " + ofTheirs + " AND client_ip <> 'erased'",
		},
		{
			Name: "orders.subscriptions", Of: ofTheirs, Hide: []string{"unpaid_url"},
			Erase: "UPDATE orders.subscriptions AS t SET unpaid_url = '' WHERE " + ofTheirs + " AND unpaid_url <> ''",
		},
		{Name: "orders.notices", Of: "t.subscription_id IN (SELECT s.subscription_id FROM orders.subscriptions AS s WHERE s.order_id = ANY (@orders::text[]::uuid[]))"},
		{Name: "orders.history", Of: ofTheirs},
	},
}
