package clients_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
)

func TestEveryStatusOfPaymentsIsKnown(t *testing.T) {
	known := map[string]bool{}
	for _, s := range []order.PaymentStatus{order.Unknown, order.RequiresPaymentMethod, order.RequiresAction, order.Processing, order.Succeeded, order.PaymentCanceled} {
		known[string(s)] = true
	}
	for number, name := range paymentsv1.Payment_Status_name {
		if number == 0 {
			continue
		}
		if !known[name] {
			t.Errorf("%s is a status of Payments and none of Orders", name)
		}
		if m := clients.MoneyFrom(&paymentsv1.Payment{Status: paymentsv1.Payment_Status(number)}); string(m.Status) != name {
			t.Errorf("%s reads as %s", name, m.Status)
		}
	}
}

func TestWhatIsNotSaidIsUnknown(t *testing.T) {
	for name, p := range map[string]*paymentsv1.Payment{
		"no answer":            nil,
		"no status":            {},
		"a status of tomorrow": {Status: 99},
	} {
		if m := clients.MoneyFrom(p); m.Status != order.Unknown {
			t.Errorf("%s: %q", name, m.Status)
		}
	}
}

func TestMoneyFrom(t *testing.T) {
	at, attempt := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), uuid.New()
	got := clients.MoneyFrom(&paymentsv1.Payment{
		Status: paymentsv1.Payment_SUCCEEDED, PaymentIntentId: "pi_1", ChargeId: "ch_1", CustomerId: "cus_1",
		AmountMinor: 24900, Currency: "USD", ChargedAt: timestamppb.New(at), ClientSecret: "secret", RedirectUrl: "https://example.com",
		AttemptId: attempt.String(), Decline: &paymentsv1.Decline{Code: "c", Message: "m"},
	})
	want := order.Money{
		Status: order.Succeeded, PaymentIntentID: "pi_1", ChargeID: "ch_1", CustomerID: "cus_1", AmountMinor: 24900, Currency: "USD",
		ChargedAt: at, ClientSecret: "secret", RedirectURL: "https://example.com", AttemptID: attempt, Decline: order.PaymentError{Code: "c", Message: "m"},
	}
	if got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if m := clients.MoneyFrom(&paymentsv1.Payment{AttemptId: "not a uuid"}); m.AttemptID != uuid.Nil {
		t.Errorf("%s", m.AttemptID)
	}
}
