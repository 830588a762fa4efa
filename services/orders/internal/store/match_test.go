package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/pagebench"
	"makegood.example/services/platform/pgtest"
)

const window = 5 * time.Minute

func byCharge(t *testing.T, s *store.Store, keys ...order.ChargeKeys) map[string]order.ChargeMatch {
	t.Helper()
	matches, err := s.MatchCharges(t.Context(), keys, window)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]order.ChargeMatch{}
	for _, m := range matches {
		if _, twice := found[m.ChargeID]; twice {
			t.Errorf("%s has two orders", m.ChargeID)
		}
		found[m.ChargeID] = m
	}
	return found
}

func TestAChargeHasTheOrderOfItsFirstKeyThatHasOne(t *testing.T) {
	db := pgtest.New(t)
	pagebench.Fill(t, db.Owner(t), "orders.orders", fillOrders, 10)
	found := byCharge(t, store.New(db.Pool(t, "orders")),
		order.ChargeKeys{ChargeID: chargeID(1), PaymentIntentID: intentID(2), OrderID: pagebench.SpreadUUID(3)},
		order.ChargeKeys{ChargeID: "ch_second", PaymentIntentID: intentID(4), OrderID: pagebench.SpreadUUID(5)},
		order.ChargeKeys{ChargeID: "ch_named", PaymentIntentID: "pi_none", OrderID: pagebench.SpreadUUID(6)},
		order.ChargeKeys{ChargeID: "ch_none", PaymentIntentID: "", OrderID: uuid.Nil},
		order.ChargeKeys{ChargeID: chargeID(7)},
	)
	for charge, n := range map[string]int{chargeID(1): 1, "ch_second": 4, "ch_named": 6, chargeID(7): 7} {
		if m := found[charge]; m.OrderID != pagebench.SpreadUUID(n) || m.PaidBy != chargeID(n) || m.DuplicateOf != uuid.Nil {
			t.Errorf("%s has the order %s, paid by %s, a duplicate of %s", charge, m.OrderID, m.PaidBy, m.DuplicateOf)
		}
	}
	if m, ok := found["ch_none"]; ok {
		t.Errorf("a charge of nobody's has the order %s", m.OrderID)
	}
	if m := found[chargeID(1)]; m.State != order.Complete || m.AmountMinor != 24900 || m.Currency != "USD" || m.RefundedMinor != 0 || m.Dispute != "" ||
		m.RecoveredBy != "" || m.AmountOpen || m.ChargedAt == nil || m.CompletedAt == nil || m.AccessWithdrawnAt != nil || !strings.HasPrefix(m.CustomerID, "cus_") {
		t.Errorf("%+v", m)
	}
}

// between does something once, after the first statement that has a text in it.
type between struct {
	text string
	do   func()
}

func (b *between) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, b, strings.Contains(q.SQL, b.text))
}

func (b *between) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if is, _ := ctx.Value(b).(bool); is && b.do != nil {
		do := b.do
		b.do = nil
		do()
	}
}

// The order is looked for by its charge, and is not known to be paid by it; now it is;
// it is looked for by its intent. Whether it is a duplicate is answered all the same.
func TestAnOrderThatIsPaidWhileItIsLookedFor(t *testing.T) {
	db := pgtest.New(t)
	owner := db.Owner(t)
	pagebench.Fill(t, owner, "orders.orders", fillOrders, 3)
	run := func(statement string, args ...any) {
		t.Helper()
		if tag, err := owner.Exec(t.Context(), statement, args...); err != nil || tag.RowsAffected() != 1 {
			t.Fatal(tag, err)
		}
	}
	run("UPDATE orders.orders SET charge_id = 'ch_else', email_key = (SELECT email_key FROM orders.orders WHERE charge_id = $1) WHERE charge_id = $2", chargeID(1), chargeID(2))
	cfg, err := pgxpool.ParseConfig(db.URL("orders"))
	if err != nil {
		t.Fatal(err)
	}
	paid := &between{text: "name: OrdersPaidBy", do: func() {
		run("UPDATE orders.orders SET charge_id = $1 WHERE id = $2", chargeID(2), pagebench.SpreadUUID(2))
	}}
	cfg.ConnConfig.Tracer = paid
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	found := byCharge(t, store.New(pool), order.ChargeKeys{ChargeID: chargeID(2), PaymentIntentID: intentID(2)}, order.ChargeKeys{ChargeID: chargeID(0)})
	if m := found[chargeID(2)]; paid.do != nil || m.OrderID != pagebench.SpreadUUID(2) || m.PaidBy != chargeID(2) || m.DuplicateOf != pagebench.SpreadUUID(1) {
		t.Errorf("paid meanwhile %t: %+v", paid.do == nil, m)
	}
	if len(found) != 2 {
		t.Errorf("%d of 2", len(found))
	}
}
