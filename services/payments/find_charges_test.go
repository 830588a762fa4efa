package payments_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/payments/v1"
)

// find asks as Reconciliation does.
func (s *scene) find(r *pb.FindChargesRequest) *pb.FindChargesResponse {
	s.t.Helper()
	found, err := s.sweep().FindCharges(s.context(), r)
	if err != nil {
		s.t.Fatalf("FindCharges: %v", err)
	}
	return found
}

func foundIDs(r *pb.FindChargesResponse) (ids []string) {
	for _, c := range r.GetCharges() {
		ids = append(ids, c.GetCharge().GetOwner().String()+" "+c.GetCharge().GetChargeId())
	}
	slices.Sort(ids)
	return ids
}

// foreign takes money on the account for another product.
func (s *scene) foreign(customerID, method string) (chargeID string) {
	s.t.Helper()
	form := url.Values{
		"amount": {fmt.Sprint(price)}, "currency": {"usd"}, "confirm": {"true"}, "payment_method": {method}, "payment_method_types[]": {"card"},
	}
	if customerID != "" {
		form.Set("customer", customerID)
	}
	var pi struct {
		Charge string `json:"latest_charge"`
	}
	s.call("/v1/payment_intents", form, &pi)
	return pi.Charge
}

func (s *scene) customer(email string) (id string) {
	s.t.Helper()
	var c struct{ ID string }
	s.call("/v1/customers", url.Values{"email": {email}}, &c)
	return c.ID
}

func TestAllChargesOfAPersonAreFoundAndLabelled(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	ours := s.bought("pm_card_visa")
	sameCustomer := s.foreign(ours.GetCustomerId(), "pm_card_visa")
	otherCustomer := s.foreign(s.customer("jane@example.com"), "pm_card_visa")
	s.foreign(s.customer("joe@example.com"), "pm_card_visa")
	want := []string{"FOREIGN " + sameCustomer, "FOREIGN " + otherCustomer, "OURS " + ours.GetChargeId()}
	slices.Sort(want)
	found := s.find(&pb.FindChargesRequest{Emails: []string{"jane@example.com", "JANE@example.com"}})
	if !slices.Equal(foundIDs(found), want) || !found.GetStripeRead() || found.GetCut() {
		t.Errorf("%v, want %v", found, want)
	}
	for name, r := range map[string]*pb.FindChargesRequest{
		"charge": {ChargeIds: []string{ours.GetChargeId(), "ch_unknown"}},
		"intent": {PaymentIntentIds: []string{ours.GetPaymentIntentId(), "pi_unknown"}},
		"order":  {OrderIds: []string{ours.GetOrderId(), uuid.NewString()}},
	} {
		got := s.find(r)
		if !slices.Equal(foundIDs(got), []string{"OURS " + ours.GetChargeId()}) || !got.GetStripeRead() {
			t.Errorf("by %s: %v", name, got)
		}
		c := got.GetCharges()[0]
		if c.GetLast4() != "4242" || c.GetEmail() != "jane@example.com" || c.GetCharge().GetOrderId() != ours.GetOrderId() || !c.GetCharge().GetRecorded() {
			t.Errorf("by %s: %v", name, c)
		}
	}
	if got := s.find(&pb.FindChargesRequest{CustomerIds: []string{ours.GetCustomerId(), "cus_unknown"}}); len(got.GetCharges()) != 2 || !got.GetStripeRead() {
		t.Errorf("by customer: %v", got)
	}
}

func TestWhatHappenedToAChargeIsShown(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	refunded := s.bought("pm_card_visa")
	s.refunded(wish(refunded, 1000), pb.Refund_SUCCEEDED)
	disputed := s.bought("pm_card_visa")
	s.disputed(disputed)
	_, err := s.pay.Pay(s.context(), s.request(s.purchase("jane@example.com"), "pm_card_visa_chargeDeclined"))
	if err != nil {
		t.Fatal(err)
	}
	found := s.find(&pb.FindChargesRequest{Emails: []string{"jane@example.com"}})
	if len(found.GetCharges()) != 3 {
		t.Fatalf("%v", found)
	}
	for _, c := range found.GetCharges() {
		switch c.GetCharge().GetChargeId() {
		case refunded.GetChargeId():
			if r := c.GetRefunds(); len(r) != 1 || r[0].GetAmountMinor() != 1000 || r[0].GetStatus() != pb.Refund_SUCCEEDED || r[0].GetCreatedAt() == nil {
				t.Errorf("refunded: %v", c)
			}
		case disputed.GetChargeId():
			d := c.GetDisputes()
			if len(d) != 1 || d[0].GetStands() != pb.Payment_OPEN || d[0].GetReason() != "fraudulent" || d[0].GetAmountMinor() != price || d[0].GetAnswerBy() == nil {
				t.Errorf("disputed: %v", c)
			}
		default:
			if c.GetFailureMessage() == "" || c.GetCharge().GetStatus() != pb.SeenCharge_FAILED {
				t.Errorf("declined: %v", c)
			}
		}
	}
}

func TestAChargeIsFoundByWhatABankStatementShows(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	at := s.clock.Now().Add(-2 * time.Hour).Unix()
	s.seedCharges(map[string]any{"tag": "Busy", "count": 450, "from": at, "to": at + 3600, "amount": 500, "currency": "usd"})
	ours := s.bought("pm_card_mastercard")
	s.bought("pm_card_visa")
	foreign := s.foreign("", "pm_card_mastercard")
	search := func(card *pb.CardSearch, from, before time.Duration) *pb.FindChargesResponse {
		t.Helper()
		card.Window = &pb.Window{From: timestamppb.New(s.clock.Now().Add(from)), Before: timestamppb.New(s.clock.Now().Add(before))}
		got := s.find(&pb.FindChargesRequest{Card: card})
		for deadline := time.Now().Add(time.Minute); !got.GetStripeRead() && time.Now().Before(deadline); {
			got = s.find(&pb.FindChargesRequest{Card: card}) // its time ran out, which it says, on a busy machine
		}
		return got
	}
	last4 := s.find(&pb.FindChargesRequest{ChargeIds: []string{ours.GetChargeId()}}).GetCharges()[0].GetLast4()
	want := []string{"FOREIGN " + foreign, "OURS " + ours.GetChargeId()}
	for name, c := range map[string]struct {
		card         *pb.CardSearch
		from, before time.Duration
		want         []string
	}{
		"all of it":        {&pb.CardSearch{Last4: last4, AmountMinor: price, Currency: "usd"}, -48 * time.Hour, 48 * time.Hour, want},
		"any currency":     {&pb.CardSearch{Last4: last4, AmountMinor: price}, -48 * time.Hour, 48 * time.Hour, want},
		"another currency": {&pb.CardSearch{Last4: last4, AmountMinor: price, Currency: "EUR"}, -48 * time.Hour, 48 * time.Hour, nil},
		"another amount":   {&pb.CardSearch{Last4: last4, AmountMinor: price + 1}, -48 * time.Hour, 48 * time.Hour, nil},
		"another card":     {&pb.CardSearch{Last4: "9999", AmountMinor: price}, -48 * time.Hour, 48 * time.Hour, nil},
		"another day":      {&pb.CardSearch{Last4: last4, AmountMinor: price}, -72 * time.Hour, -24 * time.Hour, nil},
	} {
		if got := search(c.card, c.from, c.before); !slices.Equal(foundIDs(got), c.want) || !got.GetStripeRead() || got.GetCut() {
			t.Errorf("%s: %v, want %v; read %t, cut %t", name, foundIDs(got), c.want, got.GetStripeRead(), got.GetCut())
		}
	}
	s.seedCharges(map[string]any{"tag": "More", "count": 1200, "from": at, "to": at, "amount": 500, "currency": "usd"})
	if got := search(&pb.CardSearch{Last4: last4, AmountMinor: price}, -3*time.Hour, time.Hour); !got.GetCut() {
		t.Error("a window that was not read to its end does not say so")
	}
}

// "Stripe cannot be asked" is never "there is nothing".
func TestWhatIsKeptIsAnsweredWithoutStripe(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	ours := s.bought("pm_card_visa")
	s.refunded(wish(ours, 1000), pb.Refund_SUCCEEDED)
	var ends []func()
	for _, path := range []string{"GET /v1/charges", "GET /v1/charges/*", "GET /v1/customers"} {
		ends = append(ends, s.fault(path, "error_before", 0, http.StatusBadGateway))
	}
	for name, r := range map[string]*pb.FindChargesRequest{
		"address": {Emails: []string{"Jane@example.com"}}, "charge": {ChargeIds: []string{ours.GetChargeId()}},
		"intent": {PaymentIntentIds: []string{ours.GetPaymentIntentId()}}, "customer": {CustomerIds: []string{ours.GetCustomerId()}},
	} {
		got := s.find(r)
		if got.GetStripeRead() || len(got.GetCharges()) != 1 {
			t.Errorf("by %s: %v", name, got)
			continue
		}
		c := got.GetCharges()[0].GetCharge()
		if s.wantOwner(c, pb.SeenCharge_OURS, ours.GetOrderId(), "Stripe could not be asked"); c.GetRefundedMinor() != 1000 || c.GetAmountMinor() != price || !c.GetCaptured() {
			t.Errorf("by %s: %v", name, c)
		}
	}
	card := &pb.CardSearch{Last4: "4242", AmountMinor: price, Window: s.around()}
	if got := s.find(&pb.FindChargesRequest{Card: card}); got.GetStripeRead() || len(got.GetCharges()) != 0 {
		t.Errorf("by card: %v", got)
	}
	for _, end := range ends {
		end()
	}
	if got := s.find(&pb.FindChargesRequest{Emails: []string{"jane@example.com"}}); !got.GetStripeRead() {
		t.Errorf("Stripe is back: %v", got)
	}
}
