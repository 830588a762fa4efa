package stripesim_test

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

func oneTime(amount int64) *stripe.CheckoutSessionParams {
	p := &stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), SuccessURL: stripe.String("https://shop.example.com/done?session={CHECKOUT_SESSION_ID}"),
		CancelURL: stripe.String("https://shop.example.com/plans"), ClientReferenceID: stripe.String("order-7"), CustomerEmail: stripe.String("jane@example.com"),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Quantity: stripe.Int64(1), PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{
			Currency: stripe.String("usd"), UnitAmount: stripe.Int64(amount), ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String("One year")}}}},
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: map[string]string{"order_id": "7"}},
	}
	p.AddMetadata("order_id", "7")
	return p
}

func (s *sim) session(id string) *stripe.CheckoutSession {
	s.t.Helper()
	p := &stripe.CheckoutSessionParams{}
	p.AddExpand("payment_intent.latest_charge")
	p.AddExpand("subscription.latest_invoice")
	p.AddExpand("line_items")
	return must[*stripe.CheckoutSession](s.t)(s.stripe.CheckoutSessions.Get(id, p))
}

func (s *sim) complete(id, method string) int {
	s.t.Helper()
	return s.status("POST", "checkout/"+id+"/complete", map[string]string{"payment_method": method})
}

func TestCheckoutInPaymentMode(t *testing.T) {
	s, seen := start(t, stripesim.Config{JournalPath: filepath.Join(t.TempDir(), "journal")}), 0
	cs := must[*stripe.CheckoutSession](t)(s.stripe.CheckoutSessions.New(oneTime(24900)))
	if cs.Status != "open" || cs.PaymentStatus != "unpaid" || cs.PaymentIntent != nil || cs.AmountTotal != 24900 || cs.LineItems != nil ||
		cs.ExpiresAt-cs.Created != 86400 || !strings.HasPrefix(cs.ID, "cs_test_") || cs.URL == "" || cs.Customer != nil {
		t.Fatalf("%+v", cs)
	}
	if status := s.complete(cs.ID, "pm_card_chargeDeclined"); status != 402 {
		t.Errorf("declined: %d", status)
	}
	tried := s.session(cs.ID)
	if tried.Status != "open" || tried.PaymentIntent.Status != "requires_payment_method" {
		t.Errorf("%+v", tried.PaymentIntent)
	}
	_, err := s.stripe.PaymentIntents.Cancel(tried.PaymentIntent.ID, nil)
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodePaymentIntentUnexpectedState)
	s.news(&seen)
	if status := s.complete(cs.ID, "pm_card_visa"); status != 200 {
		t.Fatalf("paid: %d", status)
	}
	if got, want := s.news(&seen), []string{"charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	cs = s.session(cs.ID)
	if pi := cs.PaymentIntent; pi.ID != tried.PaymentIntent.ID || pi.Metadata["order_id"] != "7" || pi.LatestCharge.Metadata["order_id"] != "7" {
		t.Errorf("%+v", pi)
	}
	if cs.Status != "complete" || cs.PaymentStatus != "paid" || cs.URL != "" || cs.CustomerDetails.Email != "jane@example.com" ||
		cs.ClientReferenceID != "order-7" || cs.LineItems.Data[0].AmountTotal != 24900 || cs.LineItems.Data[0].Price.UnitAmount != 24900 {
		t.Errorf("%+v", cs)
	}
	if status := s.complete(cs.ID, "pm_card_visa"); status != 402 {
		t.Errorf("paid twice: %d", status)
	}
	find := s.stripe.CheckoutSessions.List(&stripe.CheckoutSessionListParams{PaymentIntent: stripe.String(cs.PaymentIntent.ID)})
	if !find.Next() || find.CheckoutSession().ID != cs.ID {
		t.Error("not listed by its intent")
	}
}

func TestCheckoutWithDebits(t *testing.T) {
	for method, last := range map[string]string{"pm_usBankAccount_success": "checkout.session.async_payment_succeeded", "pm_usBankAccount_failure": "checkout.session.async_payment_failed"} {
		s, seen := start(t, stripesim.Config{}), 0
		cs := must[*stripe.CheckoutSession](t)(s.stripe.CheckoutSessions.New(oneTime(24900)))
		if status := s.complete(cs.ID, method); status != 200 {
			t.Fatal(status)
		}
		if cs = s.session(cs.ID); cs.Status != "complete" || cs.PaymentStatus != "unpaid" || cs.PaymentIntent.Status != "processing" {
			t.Errorf("%+v", cs)
		}
		s.news(&seen)
		s.advance(73 * time.Hour)
		got := s.news(&seen)
		if !slices.Contains(got, last) {
			t.Errorf("%v, want %s", got, last)
		}
		if cs = s.session(cs.ID); (cs.PaymentStatus == "paid") != (method == "pm_usBankAccount_success") {
			t.Errorf("%s: %s", method, cs.PaymentStatus)
		}
	}
}

func TestCheckoutExpires(t *testing.T) {
	s := start(t, stripesim.Config{})
	byClock := oneTime(100)
	byClock.ExpiresAt = stripe.Int64(time.Now().Add(31 * time.Minute).Unix())
	first := must[*stripe.CheckoutSession](t)(s.stripe.CheckoutSessions.New(byClock))
	second := must[*stripe.CheckoutSession](t)(s.stripe.CheckoutSessions.New(oneTime(100)))
	if got := must[*stripe.CheckoutSession](t)(s.stripe.CheckoutSessions.Expire(second.ID, nil)); got.Status != "expired" {
		t.Errorf("%+v", got)
	}
	_, err := s.stripe.CheckoutSessions.Expire(second.ID, nil)
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "")
	s.advance(time.Hour)
	if got := s.session(first.ID); got.Status != "expired" || got.URL != "" {
		t.Errorf("%+v", got)
	}
	if status := s.complete(first.ID, "pm_card_visa"); status != 402 {
		t.Errorf("paid after its end: %d", status)
	}
	events := s.state().Events
	if last := events[len(events)-1]; last.Type != "checkout.session.expired" || last.Created != first.ExpiresAt {
		t.Errorf("%+v", last)
	}
}

func TestCheckoutPage(t *testing.T) {
	s := start(t, stripesim.Config{})
	p := oneTime(24900)
	p.CustomerEmail = nil
	cs := must[*stripe.CheckoutSession](t)(s.stripe.CheckoutSessions.New(p))
	if _, html := s.browse("GET", cs.URL, nil); !strings.Contains(html, "24900") || !strings.Contains(html, "One year") || !strings.Contains(html, `name="email"`) {
		t.Error(html)
	}
	form := func(method string) url.Values {
		return url.Values{"payment_method": {method}, "email": {"jane@example.com"}, "name": {"Jane Doe"}}
	}
	if res, html := s.browse("POST", cs.URL, form("pm_card_chargeDeclined")); res.StatusCode != 402 || !strings.Contains(html, "was declined") {
		t.Errorf("%d %s", res.StatusCode, html)
	}
	res, _ := s.browse("POST", cs.URL, form("pm_card_authenticationRequired"))
	bank := res.Header.Get("Location")
	if res.StatusCode != 303 || !strings.Contains(bank, "/_sim/3ds/pi_") {
		t.Fatal(res.StatusCode, bank)
	}
	res, _ = s.browse("POST", bank, url.Values{"outcome": {"success"}})
	back := res.Header.Get("Location")
	if res.StatusCode != 303 || !strings.HasPrefix(back, cs.URL) {
		t.Fatal(res.StatusCode, back)
	}
	res, _ = s.browse("GET", back, nil)
	if want := "https://shop.example.com/done?session=" + cs.ID; res.Header.Get("Location") != want {
		t.Errorf("%s, want %s", res.Header.Get("Location"), want)
	}
	if cs = s.session(cs.ID); cs.PaymentStatus != "paid" || cs.CustomerDetails.Email != "jane@example.com" {
		t.Errorf("%+v", cs)
	}
}

func TestCheckoutThatStripeRefuses(t *testing.T) {
	s := start(t, stripesim.Config{})
	price := s.yearly(24900)
	for name, change := range map[string]func(*stripe.CheckoutSessionParams){
		"no items": func(p *stripe.CheckoutSessionParams) { p.LineItems = nil },
		"recurring in payment": func(p *stripe.CheckoutSessionParams) {
			p.LineItems[0].PriceData, p.LineItems[0].Price = nil, stripe.String(price.ID)
		},
		"unknown price": func(p *stripe.CheckoutSessionParams) {
			p.LineItems[0].PriceData, p.LineItems[0].Price = nil, stripe.String("price_none")
		},
		"expires too soon": func(p *stripe.CheckoutSessionParams) { p.ExpiresAt = stripe.Int64(time.Now().Add(time.Minute).Unix()) },
		"once in a subscription": func(p *stripe.CheckoutSessionParams) {
			p.Mode, p.PaymentIntentData = stripe.String("subscription"), nil
		},
		"intent data": func(p *stripe.CheckoutSessionParams) {
			p.Mode = stripe.String("subscription")
			p.LineItems[0].PriceData, p.LineItems[0].Price = nil, stripe.String(price.ID)
		},
		"both customers": func(p *stripe.CheckoutSessionParams) { p.Customer = stripe.String(s.newCustomer().ID) },
		"unknown inside": func(p *stripe.CheckoutSessionParams) { p.AddExtra("line_items[0][colour]", "red") },
	} {
		p := oneTime(100)
		change(p)
		if _, err := s.stripe.CheckoutSessions.New(p); err == nil {
			t.Errorf("%s: taken", name)
		} else if e := (*stripe.Error)(nil); !errors.As(err, &e) || e.HTTPStatusCode != 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckoutInSubscriptionMode(t *testing.T) {
	for method, want := range map[string]struct {
		status  int
		payment stripe.CheckoutSessionPaymentStatus
	}{
		"pm_card_visa":                   {200, "paid"},
		"pm_card_authenticationRequired": {200, "paid"},
		"pm_usBankAccount_success":       {200, "unpaid"},
		"pm_card_chargeDeclined":         {402, "unpaid"},
	} {
		s := start(t, stripesim.Config{})
		p := oneTime(0)
		p.Mode, p.PaymentIntentData = stripe.String("subscription"), nil
		p.LineItems = []*stripe.CheckoutSessionLineItemParams{{Price: stripe.String(s.yearly(24900).ID), Quantity: stripe.Int64(1)}}
		p.SubscriptionData = &stripe.CheckoutSessionSubscriptionDataParams{Metadata: map[string]string{"order_id": "7"}}
		cs := must[*stripe.CheckoutSession](t)(s.stripe.CheckoutSessions.New(p))
		if status := s.complete(cs.ID, method); status != want.status {
			t.Fatalf("%s: %d", method, status)
		}
		cs = s.session(cs.ID)
		if cs.PaymentStatus != want.payment || cs.PaymentIntent != nil {
			t.Errorf("%s: %+v", method, cs)
		}
		if want.status != 200 {
			if cs.Status != "open" || cs.Subscription != nil || cs.Customer != nil {
				t.Errorf("%s: %+v", method, cs)
			}
			continue
		}
		sub := cs.Subscription
		if sub.Status != "active" || sub.Metadata["order_id"] != "7" || sub.LatestInvoice.BillingReason != "subscription_create" || cs.Customer == nil ||
			cs.Invoice.ID != sub.LatestInvoice.ID || sub.LatestInvoice.Paid != (want.payment == "paid") {
			t.Errorf("%s: %+v", method, sub)
		}
		s.advance(80 * time.Hour)
		if cs = s.session(cs.ID); cs.PaymentStatus != "paid" || !cs.Subscription.LatestInvoice.Paid {
			t.Errorf("%s, later: %s", method, cs.PaymentStatus)
		}
	}
}
