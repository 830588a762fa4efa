package orders_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/orders"
	"makegood.example/services/orders/internal/order"
)

func TestOrdersCannotRewriteItsHistory(t *testing.T) {
	s := newScene(t)
	s.mustPlace(purchase{}, complete)
	s.exec("INSERT INTO orders.charging_switch (paused, actor, reason, at) VALUES (false, 'ada', 'a test', now())")
	asOrders := s.db.Pool(t, "orders")
	for _, statement := range []string{
		"UPDATE orders.history SET note = ''", "DELETE FROM orders.history", "TRUNCATE orders.history",
		"UPDATE orders.charging_switch SET actor = 'someone'", "DELETE FROM orders.charging_switch", "DELETE FROM orders.notices",
		"CREATE TABLE orders.more (id int)", "DROP TABLE orders.history",
	} {
		_, err := asOrders.Exec(t.Context(), statement)
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "42501" {
			t.Errorf("%s: %v, want insufficient privilege", statement, err)
		}
	}
	if n := s.count("SELECT count(*) FROM orders.history"); n != 3 {
		t.Errorf("%d entries", n)
	}
}

// TestConstraintsRestateTheInvariants tries to break each as the owner: even a
// hand that goes around the code cannot write what must not be.
func TestConstraintsRestateTheInvariants(t *testing.T) {
	s := newScene(t)
	s.mustPlace(purchase{email: "complete@example.com"}, complete)
	s.peers.payments.says(says(paymentsv1.Payment_UNKNOWN))
	waiting := s.mustPlace(purchase{email: "pending@example.com"}, pending)
	s.peers.payments.says(declines("card_declined", "no"))
	s.mustPlace(purchase{email: "failed@example.com"}, failed)
	for _, c := range []struct{ state, set, constraint string }{
		{"PENDING", "next_look_at = NULL", "orders_rest_or_due"},
		{"COMPLETE", "next_look_at = now()", "orders_rest_or_due"},
		{"FAILED", "next_look_at = now()", "orders_rest_or_due"},
		{"COMPLETE", "state = 'CHARGED'", "orders_rest_or_due"},
		{"COMPLETE", "next_look_at = now()", "orders_rest_or_due"},
		{"COMPLETE", "state = 'REFUNDED'", "orders_rest_or_due"},
		{"COMPLETE", "dispute = 'LOST'", "orders_rest_or_due"},
		{"COMPLETE", "access_withdrawn_at = now()", "orders_rest_or_due"},
		{"COMPLETE", "charge_id = NULL", "orders_paid"},
		{"COMPLETE", "charged_at = NULL", "orders_paid"},
		{"PENDING", "state = 'CHARGED', payment_method = NULL", "orders_paid"},
		{"PENDING", "charge_id = 'ch_9'", "orders_paid"},
		{"COMPLETE", "state = 'FAILED'", "orders_paid"},
		{"COMPLETE", "completed_at = NULL", "orders_complete"},
		{"COMPLETE", "access_until = NULL", "orders_complete"},
		{"FAILED", "payment_method = 'pm_card_visa'", "orders_payment_method"},
		{"COMPLETE", "recovered_by = 'support:'", "orders_recovered_by"},
		{"COMPLETE", "recovered_by = 'luck'", "orders_recovered_by"},
		{"PENDING", "state = 'LOST', next_look_at = NULL, payment_method = NULL", "orders_state"},
		{"PENDING", "kind = 'GIFT'", "orders_kind"},
		{"PENDING", "checkout = 'PHONE'", "orders_checkout"},
		{"PENDING", "payment_status = ''", "orders_payment_status"},
		{"PENDING", "amount_minor = 0", "orders_amount"},
		{"PENDING", "currency = 'usd'", "orders_currency"},
		{"PENDING", "term_months = 0", "orders_term"},
		{"PENDING", "email_key = 'Jane@example.com'", "orders_email_key"},
		{"PENDING", "email_key = ''", "orders_email_key"},
		{"PENDING", "reference = (SELECT reference FROM orders.orders WHERE state = 'COMPLETE')", "orders_reference_unique"},
		{"FAILED", "payment_intent_id = (SELECT payment_intent_id FROM orders.orders WHERE state = 'COMPLETE')", "orders_payment_intent_unique"},
		{"FAILED", "state = 'REFUNDED', access_withdrawn_at = now(), charged_at = now(), charge_id = (SELECT charge_id FROM orders.orders WHERE state = 'COMPLETE')", "orders_charge_unique"},
	} {
		_, err := s.owner.Exec(t.Context(), "UPDATE orders.orders SET "+c.set+" WHERE state = '"+c.state+"'")
		wantViolation(t, c.state+" with "+c.set, err, c.constraint)
	}
	insert := "INSERT INTO orders.history (order_id, to_state, reason, actor, note, at) VALUES ($1, 'PENDING', $2, $3, '', now())"
	_, err := s.owner.Exec(t.Context(), insert, waiting.GetId(), "fate", "system")
	wantViolation(t, "a reason that is none", err, "history_reason")
	_, err = s.owner.Exec(t.Context(), insert, waiting.GetId(), "support", "support:")
	wantViolation(t, "support by nobody", err, "history_actor")
	_, err = s.owner.Exec(t.Context(), insert, "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11", "rescue", "system")
	wantViolation(t, "a history of nothing", err, "history_order_id_fkey")
}

// TestConstraintsOfSubscriptions does the same for what is known of subscriptions.
func TestConstraintsOfSubscriptions(t *testing.T) {
	s := newScene(t)
	o := s.subscribed()
	renewed, err := s.renew(o, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.follow(o, paymentsv1.Subscription_PAST_DUE, unpaid("in_2", false))
	s.mustPlace(subscribing(true), pending)
	for _, c := range []struct{ table, where, set, constraint string }{
		{"orders", "kind = 'RENEWAL'", "renews_order_id = NULL", "orders_renewal"},
		{"orders", "kind = 'RENEWAL'", "kind = 'PURCHASE'", "orders_renewal"},
		{"orders", "kind = 'PURCHASE'", "renews_order_id = '" + renewed.GetId() + "'", "orders_renewal"},
		{"orders", "kind = 'RENEWAL'", "renews_order_id = id", "orders_renews_another"},
		{"orders", "kind = 'RENEWAL'", "renews_order_id = '0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11'", "orders_renews_order_id_fkey"},
		{"orders", "kind = 'RENEWAL'", "checkout = 'SERVER'", "orders_renews_hosted"},
		{"orders", "kind = 'RENEWAL'", "subscription_id = NULL, period_start = NULL, period_end = NULL", "orders_term_paid"},
		{"orders", "state = 'COMPLETE'", "subscription_id = NULL", "orders_term_paid"},
		{"orders", "state = 'COMPLETE'", "subscription_id = ''", "orders_term_paid"},
		{"orders", "state = 'COMPLETE'", "period_start = NULL", "orders_term_paid"},
		{"orders", "state = 'COMPLETE'", "period_end = period_start", "orders_term_paid"},
		{"orders", "state = 'PENDING'", "subscription_id = 'sub_2', period_start = now(), period_end = now() + interval '1 day'", "orders_term_paid"},
		{"subscriptions", "true", "status = 'TRIALING'", "subscriptions_status"},
		{"subscriptions", "true", "subscription_id = ''", "subscriptions_id"},
		{"subscriptions", "true", "order_id = '0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11'", "subscriptions_order_id_fkey"},
		{"subscriptions", "true", "unpaid_invoice_id = NULL", "subscriptions_unpaid"},
		{"subscriptions", "true", "unpaid_currency = 'usd'", "subscriptions_unpaid"},
		{"subscriptions", "true", "unpaid_action_required = NULL", "subscriptions_unpaid"},
		{"notices", "true", "subscription_id = 'sub_2'", "notices_subscription_id_fkey"},
	} {
		_, err := s.owner.Exec(t.Context(), "UPDATE orders."+c.table+" SET "+c.set+" WHERE "+c.where)
		wantViolation(t, c.where+" with "+c.set, err, c.constraint)
	}
	_, err = s.owner.Exec(t.Context(), "INSERT INTO orders.subscriptions (subscription_id, order_id, status, renews, observed_at) VALUES ('sub_2', $1, 'ACTIVE', true, now())", o.GetId())
	wantViolation(t, "two subscriptions of one order", err, "subscriptions_order_unique")
}

func wantViolation(t *testing.T, what string, err error, constraint string) {
	t.Helper()
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.ConstraintName != constraint {
		t.Errorf("%s: %v, want a violation of %s", what, err, constraint)
	}
}

// TestPostgreSQLComparesAddressesAsWeDo: a key that the check refuses would
// turn an honest purchase away with an internal error.
func TestPostgreSQLComparesAddressesAsWeDo(t *testing.T) {
	s := newScene(t)
	rapid.Check(t, func(rt *rapid.T) {
		key := order.EmailKey(strings.ReplaceAll(rapid.String().Draw(rt, "email"), "\x00", ""))
		var same bool
		if err := s.owner.QueryRow(t.Context(), "SELECT $1 = lower(btrim($1))", key).Scan(&same); err != nil || !same {
			rt.Fatalf("%q is another key to PostgreSQL (%v)", key, err)
		}
	})
}

func TestSettingsAreRefusedAllAtOnce(t *testing.T) {
	env := map[string]string{
		"ORDERS_GRPC_LISTEN": "0.0.0.0:9101", "RESCUE_AFTER": "5s", "APOLOGY_AFTER": "5s", "STILL_WORKING_AFTER": "4s", "CHARGE_WITHIN": "soon",
		"ORDER_EXPIRES_AFTER": "-1h", "ATTEMPTS_PER_IP": "0", "PLANS_FILE": "/there/is/no/such/file",
	}
	lookup := func(key string) (string, bool) { v, ok := env[key]; return v, ok }
	_, err := orders.LoadConfig(lookup)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"ORDERS_DATABASE_URL", "ORDERS_GRPC_LISTEN", "APOLOGY_AFTER=5s must be below RESCUE_AFTER=5s", "STILL_WORKING_AFTER=4s must not be below APOLOGY_AFTER=5s",
		"CHARGE_WITHIN", "ORDER_EXPIRES_AFTER", "ATTEMPTS_PER_IP", "PLANS_FILE"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("not named: %s\nin %v", part, err)
		}
	}
	env = map[string]string{"DATABASE_URL": "postgres://localhost/x", "RESCUE_AFTER": "off", "APOLOGY_AFTER": "1h"}
	if cfg, err := orders.LoadConfig(lookup); err != nil || cfg.RescueOn || cfg.Settings.StillWorkingAfter.String() != "1h0m0s" {
		t.Errorf("%+v %v", cfg, err)
	}
	env = map[string]string{"DATABASE_URL": "postgres://localhost/x"}
	cfg, err := orders.LoadConfig(lookup)
	if err != nil || !cfg.RescueOn || cfg.Settings.RescueAfter.String() != "30s" || cfg.Settings.ChargeWithin.String() != "5m0s" ||
		cfg.Settings.ExpiresAfter.String() != "24h0m0s" || cfg.Settings.ApologyAfter.String() != "10s" || cfg.Settings.AccessEndingNotice.String() != "168h0m0s" ||
		cfg.Settings.StillWorkingAfter.String() != "2m0s" || cfg.Settings.RefundOfferFor.String() != "336h0m0s" {
		t.Errorf("the defaults: %+v %v", cfg, err)
	}
}

func TestTheAccessOfBuyersGoesThroughTheGateway(t *testing.T) {
	s := newScene(t)
	for _, caller := range []string{"", "payments", "notifications", "stranger"} {
		_, err := ordersv1.NewOrdersServiceClient(s.conn(caller)).ListPlans(t.Context(), &ordersv1.ListPlansRequest{})
		if err == nil {
			t.Errorf("%q may call", caller)
		}
	}
	if _, err := ordersv1.NewOrdersServiceClient(s.conn("")).ListPlans(asPerson(t.Context(), "service"), &ordersv1.ListPlansRequest{}); err != nil {
		t.Errorf("a backend with its token: %v", err)
	}
	if _, err := s.admin("").DescribeOrder(asPerson(t.Context(), "service"), &ordersv1.DescribeOrderRequest{OrderId: "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11"}); err == nil {
		t.Error("a backend may read what people read")
	}
}
