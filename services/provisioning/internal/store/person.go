package store

import "makegood.example/services/platform/personal"

const (
	ofTheirAccounts = "t.account_id = ANY (@accounts::text[]::uuid[])"
	ofTheirOrders   = "t.order_id = ANY (@orders::text[]::uuid[])"
)

// Person is what Provisioning keeps about a person. The account goes on without a name
// or an address, and its grants with it.
var Person = personal.Keeper{
	Names: []personal.Names{
		{Of: personal.Accounts, SQL: "SELECT id::text FROM provisioning.accounts WHERE email_key = @email_key"},
	},
	Open: []string{
		"SELECT 'account ' || t.account_id || ' has access until ' || to_char(max(t.ends_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM provisioning.grants AS t " +
			"WHERE " + ofTheirAccounts + " AND NOT @access_goes_on::boolean AND t.revoked_at IS NULL AND t.ends_at > @now::timestamptz GROUP BY t.account_id",
	},
	Tables: []personal.Table{
		{
			Name: "provisioning.accounts", Of: "t.id = ANY (@accounts::text[]::uuid[])",
			Erase: "UPDATE provisioning.accounts SET email = @pseudonym, email_key = @pseudonym, name = '' WHERE email_key = @email_key",
		},
		{Name: "provisioning.grants", Of: ofTheirAccounts},
		{Name: "provisioning.grant_events", Of: ofTheirOrders},
		{Name: "provisioning.withdrawals", Of: ofTheirOrders},
		{Name: "provisioning.subscriptions", Of: ofTheirOrders},
		{Name: "provisioning.activations", Of: ofTheirAccounts, Hide: []string{"token_hash"}},
		{Name: "provisioning.app_access", Of: ofTheirAccounts},
		{Name: "provisioning.hooks", Of: ofTheirAccounts},
		{Name: "provisioning.hook_replays", Of: ofTheirAccounts},
	},
}
