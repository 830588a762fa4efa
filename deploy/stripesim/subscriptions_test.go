package stripesim_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
)

const day = 24 * time.Hour

func (s *sim) price(amount int64, interval string) *stripe.Price {
	s.t.Helper()
	product := must[*stripe.Product](s.t)(s.stripe.Products.New(&stripe.ProductParams{Name: stripe.String("Membership")}))
	return must[*stripe.Price](s.t)(s.stripe.Prices.New(&stripe.PriceParams{Currency: stripe.String("usd"), UnitAmount: stripe.Int64(amount),
		Product: stripe.String(product.ID), Recurring: &stripe.PriceRecurringParams{Interval: stripe.String(interval)}}))
}

func (s *sim) yearly(amount int64) *stripe.Price { s.t.Helper(); return s.price(amount, "year") }

// payer is a customer with a default payment method.
func (s *sim) payer(method string) *stripe.Customer {
	s.t.Helper()
	cus := s.newCustomer()
	s.useCard(cus.ID, method)
	return cus
}

func (s *sim) useCard(customer, method string) {
	s.t.Helper()
	pm := must[*stripe.PaymentMethod](s.t)(s.stripe.PaymentMethods.Attach(method, &stripe.PaymentMethodAttachParams{Customer: stripe.String(customer)}))
	must[*stripe.Customer](s.t)(s.stripe.Customers.Update(customer, &stripe.CustomerParams{
		InvoiceSettings: &stripe.CustomerInvoiceSettingsParams{DefaultPaymentMethod: stripe.String(pm.ID)}}))
}

func subscription(customer string, price *stripe.Price) *stripe.SubscriptionParams {
	p := &stripe.SubscriptionParams{Customer: stripe.String(customer), Items: []*stripe.SubscriptionItemsParams{{Price: stripe.String(price.ID)}}}
	p.AddMetadata("order_id", "7")
	p.AddExpand("latest_invoice.payment_intent")
	return p
}

func (s *sim) sub(id string) *stripe.Subscription {
	s.t.Helper()
	p := &stripe.SubscriptionParams{}
	p.AddExpand("latest_invoice.payment_intent")
	return must[*stripe.Subscription](s.t)(s.stripe.Subscriptions.Get(id, p))
}

func (s *sim) invoices(sub string) (out []*stripe.Invoice) {
	s.t.Helper()
	p := &stripe.InvoiceListParams{Subscription: stripe.String(sub)}
	for it := s.stripe.Invoices.List(p); it.Next(); {
		out = append(out, it.Invoice())
	}
	return out
}

// billing leaves out the events of payouts.
func (s *sim) billing(seen *int) []string {
	return slices.DeleteFunc(s.news(seen), func(e string) bool { return e[:6] == "payout" })
}

// items are lines of one dollar each for a subscription's next invoice.
func (s *sim) items(sub *stripe.Subscription, n int) {
	s.t.Helper()
	for i := range n {
		must[*stripe.InvoiceItem](s.t)(s.stripe.InvoiceItems.New(&stripe.InvoiceItemParams{
			Customer: stripe.String(sub.Customer.ID), Subscription: stripe.String(sub.ID), Amount: stripe.Int64(100), Currency: stripe.String("usd"),
			Description: stripe.String(fmt.Sprint("extra ", i)), Period: &stripe.InvoiceItemPeriodParams{Start: stripe.Int64(1000), End: stripe.Int64(2000)},
		}))
	}
}

// An invoice shows its first lines; the subscription's own comes after what was
// added in between, and all are there after a restart.
func TestAnInvoiceShowsItsFirstLinesAndListsThemAll(t *testing.T) {
	cfg := stripesim.Config{JournalPath: filepath.Join(t.TempDir(), "journal")}
	s := start(t, cfg)
	cus := s.payer("pm_card_visa")
	sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(cus.ID, s.price(2500, "month"))))
	s.items(sub, 24)
	if _, err := s.stripe.InvoiceItems.New(&stripe.InvoiceItemParams{Customer: stripe.String(s.payer("pm_card_visa").ID), Subscription: stripe.String(sub.ID),
		Amount: stripe.Int64(100), Currency: stripe.String("usd")}); err == nil {
		t.Error("a line for somebody else's subscription")
	}
	s.advance(32 * day)
	for range 2 {
		inv := s.sub(sub.ID).LatestInvoice
		if inv.AmountPaid != 2500+24*100 || len(inv.Lines.Data) != 10 || !inv.Lines.HasMore || inv.Lines.URL != "/v1/invoices/"+inv.ID+"/lines" {
			t.Fatalf("%d paid, %d lines at %s", inv.AmountPaid, len(inv.Lines.Data), inv.Lines.URL)
		}
		var all []*stripe.InvoiceLineItem
		it := s.stripe.Invoices.ListLines(&stripe.InvoiceListLinesParams{Invoice: stripe.String(inv.ID), ListParams: stripe.ListParams{Limit: stripe.Int64(7)}})
		for it.Next() {
			all = append(all, it.InvoiceLineItem())
		}
		if it.Err() != nil || len(all) != 25 || all[0].ID != inv.Lines.Data[0].ID {
			t.Fatalf("%d lines, %v", len(all), it.Err())
		}
		for i, line := range all {
			if own := i == 24; own != (line.Type == stripe.InvoiceLineItemTypeSubscription) || !own && (line.Amount != 100 || line.Period.Start != 1000) {
				t.Errorf("line %d is %+v", i, line)
			}
		}
		s.stop()
		s = start(t, cfg)
	}
	s.advance(32 * day)
	if inv := s.sub(sub.ID).LatestInvoice; inv.AmountPaid != 2500 || inv.Lines.HasMore {
		t.Errorf("billed again: %d, %d lines", inv.AmountPaid, len(inv.Lines.Data))
	}
}

func TestSubscriptionLivesForTwoYears(t *testing.T) {
	began := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	s, seen := start(t, stripesim.Config{Clock: func() time.Time { return began }}), 0
	cus := s.payer("pm_card_visa")
	price := s.price(2500, "month")
	s.news(&seen)
	sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(cus.ID, price)))
	if want := []string{"customer.subscription.created", "invoice.created", "payment_intent.created", "invoice.finalized", "charge.succeeded",
		"payment_intent.succeeded", "invoice.paid", "invoice.payment_succeeded", "customer.subscription.updated"}; !slices.Equal(s.billing(&seen), want) {
		t.Errorf("events %v", eventTypes(s.state()))
	}
	inv := sub.LatestInvoice
	if sub.Status != "active" || !inv.Paid || inv.AmountPaid != 2500 || inv.BillingReason != "subscription_create" || inv.PaymentIntent.Invoice.ID != inv.ID ||
		inv.Lines.Data[0].Period.End != sub.CurrentPeriodEnd || inv.CustomerEmail != "jane@example.com" || inv.SubscriptionDetails.Metadata["order_id"] != "7" {
		t.Fatalf("%+v", sub)
	}
	if ch := s.charge(inv.Charge.ID); ch.Invoice.ID != inv.ID || len(ch.Metadata) != 0 {
		t.Errorf("%+v", ch)
	}
	if end := time.Unix(sub.CurrentPeriodEnd, 0).UTC(); end != time.Date(2026, 2, 28, 9, 0, 0, 0, time.UTC) {
		t.Errorf("the first month ends %s", end)
	}

	s.advance(28*day + 30*time.Minute)
	if got, want := s.billing(&seen), []string{"customer.subscription.updated", "invoice.created"}; !slices.Equal(got, want) {
		t.Errorf("at the period's end: %v, want %v", got, want)
	}
	draft := s.sub(sub.ID)
	if draft.LatestInvoice.Status != "draft" || draft.Status != "active" || time.Unix(draft.CurrentPeriodEnd, 0).UTC().Day() != 31 {
		t.Errorf("%+v", draft)
	}
	events := s.state().Events
	for _, ev := range events {
		if ev.Type == "customer.subscription.updated" && ev.Data.PreviousAttributes["latest_invoice"] == inv.ID &&
			int64(ev.Data.PreviousAttributes["current_period_end"].(float64)) != sub.CurrentPeriodEnd {
			t.Errorf("previous attributes: %v", ev.Data.PreviousAttributes)
		}
	}
	s.advance(time.Hour)
	if got, want := s.billing(&seen), []string{"payment_intent.created", "invoice.finalized", "charge.succeeded", "payment_intent.succeeded", "invoice.paid",
		"invoice.payment_succeeded"}; !slices.Equal(got, want) {
		t.Errorf("an hour later: %v, want %v", got, want)
	}

	s.advance(700 * day)
	all := s.invoices(sub.ID)
	if n := len(all); n != 24 {
		t.Errorf("%d invoices in two years", n)
	}
	for _, inv := range all {
		if !inv.Paid {
			t.Errorf("%+v", inv)
		}
	}
	sub = must[*stripe.Subscription](t)(s.stripe.Subscriptions.Update(sub.ID, &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(true)}))
	if sub.CancelAt != sub.CurrentPeriodEnd {
		t.Errorf("%+v", sub)
	}
	s.news(&seen)
	s.advance(31 * day)
	if got := s.billing(&seen); !slices.Equal(got, []string{"customer.subscription.deleted"}) {
		t.Errorf("at the end: %v", got)
	}
	if got := s.sub(sub.ID); got.Status != "canceled" || got.EndedAt != sub.CurrentPeriodEnd {
		t.Errorf("%+v", got)
	}
	if it := s.stripe.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(cus.ID)}); it.Next() {
		t.Error("an ended subscription is listed")
	}
	if it := s.stripe.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(cus.ID), Status: stripe.String("all")}); !it.Next() {
		t.Error("not even among all")
	}
}

func TestRenewalFailsRecoversOrEnds(t *testing.T) {
	for after, want := range map[string]stripe.SubscriptionStatus{"cancel": "canceled", "unpaid": "unpaid", "past_due": "past_due", "recover": "active", "pay": "active"} {
		s, seen := start(t, stripesim.Config{}), 0
		if after == "unpaid" || after == "past_due" {
			s.control("POST", "settings", map[string]any{"after_retries": after}, nil)
		}
		cus := s.payer("pm_card_visa")
		sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(cus.ID, s.yearly(24900))))
		s.useCard(cus.ID, "pm_card_chargeCustomerFail")
		s.news(&seen)
		s.advance(367 * day)
		if got, want := s.billing(&seen), []string{"customer.subscription.updated", "invoice.created", "payment_intent.created", "invoice.finalized", "charge.failed",
			"payment_intent.payment_failed", "invoice.payment_failed", "customer.subscription.updated"}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		due := s.sub(sub.ID)
		if due.Status != "past_due" || due.LatestInvoice.Status != "open" || due.LatestInvoice.AttemptCount != 1 || due.LatestInvoice.NextPaymentAttempt == 0 {
			t.Fatalf("%+v", due)
		}
		switch after {
		case "recover":
			s.useCard(cus.ID, "pm_card_visa")
			s.advance(3 * day)
		case "pay":
			_, err := s.stripe.Invoices.Pay(due.LatestInvoice.ID, nil)
			wantError(t, err, 402, stripe.ErrorTypeCard, stripe.ErrorCodeCardDeclined)
			s.useCard(cus.ID, "pm_card_visa")
			must[*stripe.Invoice](t)(s.stripe.Invoices.Pay(due.LatestInvoice.ID, nil))
			_, err = s.stripe.Invoices.Pay(due.LatestInvoice.ID, nil)
			wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, "invoice_already_paid")
		default:
			s.advance(20 * day)
		}
		got := s.sub(sub.ID)
		if got.Status != want {
			t.Errorf("%s: %s", after, got.Status)
		}
		if attempts := got.LatestInvoice.AttemptCount; want == "active" == (attempts == 4) || want == "active" != got.LatestInvoice.Paid {
			t.Errorf("%s: %d attempts, paid %v", after, attempts, got.LatestInvoice.Paid)
		}
		if got := s.billing(&seen); slices.Contains(got, "customer.subscription.deleted") != (after == "cancel") {
			t.Errorf("%s: %v", after, got)
		}
	}
}

func TestRenewalAsksForAuthentication(t *testing.T) {
	s, seen := start(t, stripesim.Config{}), 0
	cus := s.payer("pm_card_visa")
	sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(cus.ID, s.yearly(24900))))
	s.useCard(cus.ID, "pm_card_authenticationRequired")
	s.news(&seen)
	s.advance(366 * day)
	due := s.sub(sub.ID)
	if due.Status != "past_due" || due.LatestInvoice.PaymentIntent.Status != "requires_action" || !slices.Contains(s.billing(&seen), "invoice.payment_action_required") {
		t.Fatalf("%+v", due)
	}
	s.control("POST", "payment_intents/"+due.LatestInvoice.PaymentIntent.ID+"/authenticate", map[string]string{"outcome": "success"}, nil)
	if got := s.sub(sub.ID); got.Status != "active" || !got.LatestInvoice.Paid {
		t.Errorf("%+v", got)
	}
}

func TestFirstInvoiceIsPaidByTheBrowserOrExpires(t *testing.T) {
	s := start(t, stripesim.Config{})
	price := s.yearly(24900)
	p := subscription(s.newCustomer().ID, price)
	p.PaymentBehavior = stripe.String("default_incomplete")
	p.PaymentSettings = &stripe.SubscriptionPaymentSettingsParams{SaveDefaultPaymentMethod: stripe.String("on_subscription")}
	sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(p))
	pi := sub.LatestInvoice.PaymentIntent
	if sub.Status != "incomplete" || sub.LatestInvoice.Status != "open" || pi.Status != "requires_payment_method" || pi.ClientSecret == "" {
		t.Fatalf("%+v", sub)
	}
	must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(pi.ID, confirmWith("pm_card_visa")))
	if got := s.sub(sub.ID); got.Status != "active" || got.DefaultPaymentMethod == nil {
		t.Errorf("%+v", got)
	}
	s.advance(366 * day)
	if got := s.invoices(sub.ID); len(got) != 2 || !got[0].Paid {
		t.Errorf("%d invoices", len(got))
	}

	for method, pis := range map[string]stripe.PaymentIntentStatus{"pm_card_authenticationRequired": "requires_action", "pm_card_chargeCustomerFail": "requires_payment_method"} {
		sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(s.payer(method).ID, price)))
		if got := sub.LatestInvoice.PaymentIntent.Status; sub.Status != "incomplete" || got != pis {
			t.Errorf("%s: %s, intent %s", method, sub.Status, got)
		}
		s.advance(day)
		if got := s.sub(sub.ID); got.Status != "incomplete_expired" || got.LatestInvoice.Status != "void" || got.LatestInvoice.PaymentIntent.Status != "canceled" {
			t.Errorf("%s: %s, invoice %s", method, got.Status, got.LatestInvoice.Status)
		}
	}
	none := subscription(s.newCustomer().ID, price)
	_, err := s.stripe.Subscriptions.New(none)
	wantError(t, err, 400, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeResourceMissing)
	strict := subscription(s.payer("pm_card_chargeCustomerFail").ID, price)
	strict.PaymentBehavior = stripe.String("error_if_incomplete")
	_, err = s.stripe.Subscriptions.New(strict)
	wantError(t, err, 402, stripe.ErrorTypeCard, stripe.ErrorCodeCardDeclined)
}

func TestPausedTrialedAndCanceled(t *testing.T) {
	s, seen := start(t, stripesim.Config{}), 0
	price := s.price(2500, "month")
	cus := s.payer("pm_card_visa")
	sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(cus.ID, price)))
	pause := &stripe.SubscriptionParams{PauseCollection: &stripe.SubscriptionPauseCollectionParams{Behavior: stripe.String("void")}}
	sub = must[*stripe.Subscription](t)(s.stripe.Subscriptions.Update(sub.ID, pause))
	s.advance(32 * day)
	if got := s.sub(sub.ID); got.Status != "active" || got.PauseCollection == nil || got.LatestInvoice.Status != "void" {
		t.Errorf("%+v", got)
	}
	unpause := &stripe.SubscriptionParams{}
	unpause.AddExtra("pause_collection", "")
	must[*stripe.Subscription](t)(s.stripe.Subscriptions.Update(sub.ID, unpause))
	s.advance(31 * day)
	if got := s.sub(sub.ID); got.PauseCollection != nil || !got.LatestInvoice.Paid {
		t.Errorf("%+v", got)
	}
	s.news(&seen)
	must[*stripe.Subscription](t)(s.stripe.Subscriptions.Cancel(sub.ID, nil))
	if got := s.billing(&seen); !slices.Equal(got, []string{"customer.subscription.deleted"}) {
		t.Errorf("events %v", got)
	}
	_, err := s.stripe.Subscriptions.Cancel(sub.ID, nil)
	wantError(t, err, 404, stripe.ErrorTypeInvalidRequest, stripe.ErrorCodeResourceMissing)

	other := s.newCustomer()
	trial := subscription(other.ID, price)
	trial.TrialPeriodDays = stripe.Int64(7)
	trial.TrialSettings = &stripe.SubscriptionTrialSettingsParams{EndBehavior: &stripe.SubscriptionTrialSettingsEndBehaviorParams{MissingPaymentMethod: stripe.String("pause")}}
	sub = must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(trial))
	if sub.Status != "trialing" || sub.LatestInvoice.AmountDue != 0 || !sub.LatestInvoice.Paid {
		t.Errorf("%+v", sub)
	}
	s.advance(8 * day)
	if got := s.sub(sub.ID); got.Status != "paused" {
		t.Errorf("%+v", got)
	}
	s.useCard(other.ID, "pm_card_visa")
	must[*stripe.Subscription](t)(s.stripe.Subscriptions.Resume(sub.ID, nil))
	got := s.billing(&seen)
	if !slices.Contains(got, "customer.subscription.paused") || !slices.Contains(got, "customer.subscription.resumed") {
		t.Errorf("events %v", got)
	}
	if got := s.sub(sub.ID); got.Status != "active" || !got.LatestInvoice.Paid || got.LatestInvoice.AmountPaid != 2500 {
		t.Errorf("%+v", got)
	}
}

func TestTwoSubscribeAtOnce(t *testing.T) {
	s := start(t, stripesim.Config{})
	cus, price := s.payer("pm_card_visa"), s.yearly(24900)
	var wg sync.WaitGroup
	for _, key := range []string{"same", "same", "other"} {
		wg.Go(func() {
			p := subscription(cus.ID, price)
			p.SetIdempotencyKey(key)
			if _, err := s.stripe.Subscriptions.New(p); err != nil {
				wantError(t, err, 409, stripe.ErrorTypeIdempotency, stripe.ErrorCodeIdempotencyKeyInUse)
			}
		})
	}
	wg.Wait()
	n := 0
	for it := s.stripe.Subscriptions.List(&stripe.SubscriptionListParams{Customer: stripe.String(cus.ID)}); it.Next(); n++ {
	}
	if n != 2 || len(s.state().Charges) != 2 {
		t.Errorf("%d subscriptions", n)
	}
}

func TestHostedInvoiceIsPaidWithAnotherCard(t *testing.T) {
	s := start(t, stripesim.Config{})
	cus := s.payer("pm_card_visa")
	sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(subscription(cus.ID, s.yearly(24900))))
	s.useCard(cus.ID, "pm_card_chargeCustomerFail")
	s.advance(366 * day)
	due := s.sub(sub.ID)
	page := due.LatestInvoice.HostedInvoiceURL
	if _, html := s.browse("GET", page, nil); due.Status != "past_due" || !strings.Contains(html, "Your card was declined.") {
		t.Fatal(due.Status, html)
	}
	res, _ := s.browse("POST", page, url.Values{"payment_method": {"pm_card_authenticationRequired"}})
	bank := res.Header.Get("Location")
	if res.StatusCode != 303 || !strings.Contains(bank, "/_sim/3ds/") {
		t.Fatal(res.StatusCode, bank)
	}
	if res, _ = s.browse("POST", bank, url.Values{"outcome": {"success"}}); !strings.HasPrefix(res.Header.Get("Location"), page) {
		t.Error(res.StatusCode, res.Header)
	}
	if got := s.sub(sub.ID); got.Status != "active" || !got.LatestInvoice.Paid {
		t.Errorf("%+v", got)
	}
}

func TestACardThatIsSetUpOnceRenewsByItself(t *testing.T) {
	s := start(t, stripesim.Config{})
	p := subscription(s.newCustomer().ID, s.yearly(24900))
	p.PaymentBehavior = stripe.String("default_incomplete")
	p.PaymentSettings = &stripe.SubscriptionPaymentSettingsParams{SaveDefaultPaymentMethod: stripe.String("on_subscription")}
	sub := must[*stripe.Subscription](t)(s.stripe.Subscriptions.New(p))
	pi := must[*stripe.PaymentIntent](t)(s.stripe.PaymentIntents.Confirm(sub.LatestInvoice.PaymentIntent.ID, confirmWith("pm_card_authenticationRequiredOnSetup")))
	if pi.Status != "requires_action" {
		t.Fatal(pi.Status)
	}
	s.control("POST", "payment_intents/"+pi.ID+"/authenticate", map[string]string{"outcome": "success"}, nil)
	s.advance(366 * day)
	if got := s.sub(sub.ID); got.Status != "active" || !got.LatestInvoice.Paid || got.LatestInvoice.ID == sub.LatestInvoice.ID {
		t.Errorf("%s, invoice %s", got.Status, got.LatestInvoice.Status)
	}
}
