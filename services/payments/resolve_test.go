package payments_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcserver"
)

// body is an event as Stripe sends it.
func body(id, eventType string, live bool, object map[string]any) []byte {
	b, err := json.Marshal(map[string]any{
		"id": id, "object": "event", "type": eventType, "livemode": live, "api_version": "2023-10-16", "created": 1700000000,
		"data": map[string]any{"object": object},
	})
	if err != nil {
		panic(err)
	}
	return b
}

// ours is metadata with our marker.
func ours(pairs ...string) map[string]string {
	m := map[string]string{"makegood_app": "makegood"}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// bySubscription is an event about a subscription that is not known here.
func bySubscription(id string, live bool, customer string, metadata map[string]string) []byte {
	return body(id, "customer.subscription.updated", live, map[string]any{
		"id": "sub_" + id, "object": "subscription", "customer": customer, "metadata": metadata,
	})
}

// buyer is somebody with a paid order, and their Stripe customer.
func (s *scene) buyer(email, account string) (orderID, customer string) {
	s.t.Helper()
	p := s.purchase(email)
	p.AccountId = account
	paid := s.paid(s.request(p, "pm_card_visa"), pb.Payment_SUCCEEDED)
	return p.GetOrderId(), paid.GetCustomerId()
}

// newCustomer is a Customer at Stripe that nobody here knows.
func (s *scene) newCustomer(email string, metadata map[string]string) string {
	s.t.Helper()
	form := url.Values{"email": {email}}
	for k, v := range metadata {
		form.Set("metadata["+k+"]", v)
	}
	var made struct{ ID string }
	s.call("/v1/customers", form, &made)
	return made.ID
}

// wantMethod delivers and checks how it was found whom the event is for.
func (s *scene) wantMethod(payload []byte, want string) {
	s.t.Helper()
	_, err := s.deliver(payload)
	if got := s.ledger(payload, "resolution_method"); got != want {
		s.t.Errorf("found by %q, want %q (%s, %v)", got, want, s.ledger(payload, "concat_ws(': ', status, last_error)"), err)
	}
}

func TestResolvedByClientReference(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	orderID, customer := s.buyer("jane@example.com", "")
	payload := body("evt_page", "checkout.session.completed", false, map[string]any{
		"id": "cs_other", "object": "checkout.session", "customer": customer, "client_reference_id": orderID,
		"metadata": ours("order_id", orderID),
	})
	s.delivered(payload, "PROCESSED")
	s.wantMethod(payload, "client_reference_id")
	if told := s.lastTold(orderID); told.GetStatus() != pb.Payment_SUCCEEDED {
		t.Errorf("Orders was told %v", told)
	}
}

func TestResolvedByMetadata(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	orderID, customer := s.buyer("jane@example.com", "acct-7")
	s.wantMethod(body("evt_session", "checkout.session.completed", false, map[string]any{
		"id": "cs_other", "object": "checkout.session", "metadata": ours("order_id", orderID),
	}), "metadata")
	s.wantMethod(bySubscription("order", false, customer, ours("order_id", orderID)), "metadata")
	s.wantMethod(bySubscription("account", false, s.newCustomer("x@example.com", nil), ours("account_id", "acct-7")), "metadata")
	s.wantMethod(bySubscription("customer", false, s.newCustomer("y@example.com", ours("order_id", orderID)), ours()), "metadata")
	s.wantMethod(bySubscription("holder", false, s.newCustomer("z@example.com", ours("account_id", "acct-7")), ours()), "metadata")
	_, session := s.hosted()
	s.paysThere(session, "pm_card_visa")
	s.wantMethod(s.event("payment_intent.succeeded"), "metadata") // its intent
}

// A subscription that somebody made by hand in Stripe's dashboard carries none of
// our marks, and is for the customer that we know.
func TestResolvedByStoredCustomer(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, customer := s.buyer("jane@example.com", "")
	var price struct{ ID string }
	s.call("/v1/prices", url.Values{"currency": {"usd"}, "unit_amount": {"24900"}, "recurring[interval]": {"year"}, "product_data[name]": {"By hand"}}, &price)
	s.call("/v1/subscriptions", url.Values{"customer": {customer}, "items[0][price]": {price.ID}, "payment_behavior": {"default_incomplete"}}, nil)
	s.wantMethod(s.event("customer.subscription.created"), "customer_id")
}

func TestASavedIDComesBeforeAllHints(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, success := s.unrecorded()
	s.wantMethod(success, "payment_intent")
	_, session := s.hosted()
	s.paysThere(session, "pm_card_visa")
	s.wantMethod(s.event(completeEvent), "checkout_session")
}

// fakeAccounts is Provisioning, which knows whose address is proven.
type fakeAccounts struct {
	provisioningv1.UnimplementedProvisioningServiceServer
	addr string

	mu       sync.Mutex
	account  string            // of every address; empty: none
	holders  map[string]string // addresses by account
	verified bool
	down     bool
}

func startFakeAccounts(t *testing.T) *fakeAccounts {
	t.Helper()
	f := &fakeAccounts{}
	f.addr = serve(t, "provisioning", provisioningv1.ProvisioningService_ServiceDesc,
		func(s *grpcserver.Server) { provisioningv1.RegisterProvisioningServiceServer(s, f) })
	return f
}

func (f *fakeAccounts) FindAccount(_ context.Context, r *provisioningv1.FindAccountRequest) (*provisioningv1.FindAccountResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch id := r.GetAccountId(); {
	case f.down:
		return nil, errors.New("the register is on fire")
	case id != "" && f.holders[id] != "":
		return &provisioningv1.FindAccountResponse{AccountId: id, Email: f.holders[id]}, nil
	case id != "":
		return nil, apperr.New(codes.NotFound, "ACCOUNT_NOT_FOUND", "there is no such account")
	case f.account == "":
		return nil, apperr.New(codes.NotFound, "ACCOUNT_NOT_FOUND", "there is no such account")
	}
	return &provisioningv1.FindAccountResponse{AccountId: f.account, Verified: f.verified}, nil
}

func TestResolvedByAProvenEmailOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	const acct = "7d0d3c44-5a1c-4f0e-8a3d-0c6b6f0f7a01"
	for _, c := range []struct {
		name            string
		on              string
		account         string
		verified        bool
		boughtFor       []string
		email, wantedBy string
	}{
		{"proven", "on", acct, true, []string{""}, "Jane@Example.com ", "email"},
		{"proven, bought for that account", "on", acct, true, []string{acct}, "jane@example.com", "email"},
		{"not allowed", "off", acct, true, []string{""}, "jane@example.com", ""},
		{"not proven", "on", acct, false, []string{""}, "jane@example.com", ""},
		{"no account", "on", "", false, []string{""}, "jane@example.com", ""},
		{"bought for another account", "on", acct, true, []string{"acct-8"}, "jane@example.com", ""},
		{"bought for several", "on", acct, true, []string{acct, "acct-8"}, "jane@example.com", ""},
		{"never bought", "on", acct, true, []string{""}, "joe@example.com", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			accounts := startFakeAccounts(t)
			accounts.account, accounts.verified = c.account, c.verified
			s := newScene(t, map[string]string{"MATCH_BY_EMAIL": c.on, "PROVISIONING_GRPC_ADDR": accounts.addr})
			for _, account := range c.boughtFor {
				s.buyer("jane@example.com", account)
			}
			s.wantMethod(bySubscription("mail", false, s.newCustomer(c.email, nil), ours()), c.wantedBy)
			// Without our marker an address never counts.
			foreign := bySubscription("theirs", false, s.newCustomer(c.email, nil), nil)
			s.delivered(foreign, "IGNORED")
		})
	}
}

// An address may be proven long after an event of its buyer was orphaned.
func TestAnOrphanIsReplayedWhenItsAddressIsProven(t *testing.T) {
	t.Parallel()
	accounts := startFakeAccounts(t)
	accounts.account = "7d0d3c44-5a1c-4f0e-8a3d-0c6b6f0f7a01"
	s := newScene(t, map[string]string{"MATCH_BY_EMAIL": "on", "PROVISIONING_GRPC_ADDR": accounts.addr})
	s.buyer("jane@example.com", "")
	waits := bySubscription("waits", false, s.newCustomer("Jane@example.com", nil), ours())
	foreign := bySubscription("theirs", false, s.newCustomer("jane@example.com", nil), nil)
	gone := bySubscription("gone", false, s.newCustomer("jane@example.com", nil), ours())
	s.delivered(waits, "ORPHANED")
	s.delivered(gone, "ORPHANED")
	s.delivered(foreign, "IGNORED")
	if _, err := s.desk.IgnoreWebhookEvent(s.as(access.Support), &pb.IgnoreWebhookEventRequest{StripeEventId: s.ledgerID(gone), Reason: "not hers"}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // asked, and not proven yet
		was := s.ledger(waits, "address_look_at")
		s.clock.Advance(10 * 24 * time.Hour)
		await(t, "a look at the address", func() bool { return s.ledger(waits, "address_look_at") != was })
	}
	if status := s.ledger(waits, "concat_ws(' ', status, retry_count)"); status != "ORPHANED 0" {
		t.Errorf("before: %s", status)
	}
	accounts.mu.Lock()
	accounts.verified = true
	accounts.mu.Unlock()
	s.clock.Advance(3 * 24 * time.Hour)
	await(t, "its replay", func() bool { return s.ledger(waits, "resolution_method") == "email" })
	for _, left := range [][]byte{foreign, gone} {
		if status := s.ledger(left, "concat_ws(' ', status, retry_count)"); status != "IGNORED 0" {
			t.Errorf("left alone, and it is %s", status)
		}
	}
}

// Who bought without an account has one since, which only Provisioning knows.
func TestAnAccountThatAPurchaseMadeIsAHint(t *testing.T) {
	t.Parallel()
	const janes, joes, anns = "7d0d3c44-5a1c-4f0e-8a3d-0c6b6f0f7a01", "7d0d3c44-5a1c-4f0e-8a3d-0c6b6f0f7a02", "7d0d3c44-5a1c-4f0e-8a3d-0c6b6f0f7a03"
	accounts := startFakeAccounts(t)
	accounts.holders = map[string]string{janes: "Jane@example.com", joes: "joe@example.com", anns: "ann@example.com"}
	s := newScene(t, map[string]string{"PROVISIONING_GRPC_ADDR": accounts.addr})
	jane, customer := s.buyer("jane@example.com", "")
	s.buyer("joe@example.com", "")
	s.wantMethod(bySubscription("account", false, s.newCustomer("x@example.com", nil), ours("account_id", janes)), "metadata")
	s.wantMethod(bySubscription("both", false, customer, ours("order_id", jane, "account_id", janes)), "metadata")
	s.wantMethod(bySubscription("nobodys", false, customer, ours("account_id", "7d0d3c44-5a1c-4f0e-8a3d-0c6b6f0f7aff")), "customer_id")
	for name, payload := range map[string][]byte{
		"order": bySubscription("1", false, "", ours("order_id", jane, "account_id", joes)),
		"reference": body("evt_2", "checkout.session.completed", false, map[string]any{
			"id": "cs_other", "object": "checkout.session", "client_reference_id": jane, "metadata": ours("account_id", joes),
		}),
		"customer":                         bySubscription("3", false, customer, ours("account_id", joes)),
		"order, and who bought nothing":    bySubscription("4", false, "", ours("order_id", jane, "account_id", anns)),
		"customer, and who bought nothing": bySubscription("5", false, customer, ours("account_id", anns)),
	} {
		s.delivered(payload, "QUARANTINED")
		if n := s.cases.count(reconciliationv1.Case_UNCLEAR_EVENT, "event/"+s.ledgerID(payload)); n != 1 {
			t.Errorf("%s: %d cases", name, n)
		}
	}
	accounts.mu.Lock()
	accounts.down = true
	accounts.mu.Unlock()
	s.notYet(bySubscription("down", false, customer, ours("account_id", joes)))
}

func TestAnAddressThatCannotBeCheckedIsNotYet(t *testing.T) {
	t.Parallel()
	accounts := startFakeAccounts(t)
	accounts.down = true
	s := newScene(t, map[string]string{"MATCH_BY_EMAIL": "on", "PROVISIONING_GRPC_ADDR": accounts.addr})
	s.buyer("jane@example.com", "")
	s.notYet(bySubscription("mail", false, s.newCustomer("jane@example.com", nil), ours()))
}

func TestConflictingHintsAreQuarantined(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	jane, janes := s.buyer("jane@example.com", "acct-jane")
	joe, joes := s.buyer("joe@example.com", "acct-joe")
	told := len(s.orders.calls(""))
	session := func(reference string, metadata map[string]string, customer string) map[string]any {
		return map[string]any{"id": "cs_other", "object": "checkout.session", "client_reference_id": reference, "metadata": metadata, "customer": customer}
	}
	for name, payload := range map[string][]byte{
		"reference and order":    body("evt_1", "checkout.session.completed", false, session(jane, ours("order_id", joe), "")),
		"reference and account":  body("evt_2", "checkout.session.completed", false, session(jane, ours("account_id", "acct-joe"), "")),
		"reference and customer": body("evt_3", "checkout.session.completed", false, session(jane, ours(), joes)),
		"order and account":      bySubscription("4", false, "", ours("order_id", jane, "account_id", "acct-joe")),
		"order and no account":   bySubscription("5", false, "", ours("order_id", jane, "account_id", "acct-nobody")),
		"order and customer":     bySubscription("6", false, joes, ours("order_id", jane)),
		"account and customer":   bySubscription("7", false, janes, ours("account_id", "acct-joe")),
		"refund and customer": body("evt_8", "charge.refunded", false, map[string]any{
			"id": "ch_other", "object": "charge", "payment_intent": "pi_other", "metadata": ours("order_id", jane), "customer": joes,
		}),
	} {
		s.delivered(payload, "QUARANTINED")
		var e struct{ ID string }
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Fatal(err)
		}
		if n := s.cases.count(reconciliationv1.Case_UNCLEAR_EVENT, "event/"+e.ID); n != 1 {
			t.Errorf("%s: %d cases", name, n)
		}
	}
	if n := len(s.orders.calls("")); n != told {
		t.Errorf("Orders was told %d times", n-told)
	}
	// The same person by several names is no conflict.
	s.wantMethod(bySubscription("same", false, janes, ours("order_id", jane, "account_id", "acct-jane")), "metadata")
}

// The desk must hear of it: until it does, the event is not acknowledged.
func TestAConflictIsNotAcknowledgedWithoutItsCase(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	jane, _ := s.buyer("jane@example.com", "")
	_, joes := s.buyer("joe@example.com", "")
	s.cases.set(func() { s.cases.down = true })
	payload := bySubscription("6", false, joes, ours("order_id", jane))
	s.notYet(payload)
	s.cases.set(func() { s.cases.down = false })
	s.delivered(payload, "QUARANTINED")
}

func TestASavedIntentOfAnotherCustomerIsQuarantined(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r, success := s.unrecorded()
	s.exec(`UPDATE payments.payments SET customer_id = 'cus_of_somebody_else'`)
	s.delivered(success, "QUARANTINED")
	var e struct{ ID string }
	if err := json.Unmarshal(success, &e); err != nil {
		t.Fatal(err)
	}
	if n := s.cases.count(reconciliationv1.Case_UNCLEAR_EVENT, "event/"+e.ID); n != 1 {
		t.Errorf("%d cases", n)
	}
	if told := s.orders.calls(r.GetPurchase().GetOrderId()); len(told) != 0 {
		t.Errorf("Orders was told %v", told)
	}
}

func TestAnOrderIDWithoutOurMarkerIsNotOurs(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	orderID, customer := s.buyer("jane@example.com", "acct-jane")
	told := len(s.orders.calls(""))
	s.forget()
	theirs := map[string]string{"makegood_app": "somebody", "order_id": orderID, "account_id": "acct-jane"}
	for n, payload := range [][]byte{
		body("evt_1", "checkout.session.completed", false, map[string]any{"id": "cs_1", "client_reference_id": orderID, "metadata": theirs, "customer": customer}),
		body("evt_2", "payment_intent.succeeded", false, map[string]any{"id": "pi_1", "object": "payment_intent", "status": "succeeded", "metadata": theirs, "customer": customer}),
		body("evt_3", "charge.succeeded", false, map[string]any{"id": "ch_1", "payment_intent": "pi_1", "metadata": theirs, "customer": customer}),
		body("evt_4", "charge.refunded", false, map[string]any{"id": "ch_1", "payment_intent": "pi_1", "metadata": theirs}),
		bySubscription("5", false, "cus_theirs", theirs),
		body("evt_6", "invoice.paid", false, map[string]any{"id": "in_1", "customer": "cus_theirs", "customer_email": "jane@example.com", "metadata": theirs}),
	} {
		s.delivered(payload, "IGNORED")
		if note := s.ledger(payload, "last_error"); note != "foreign" {
			t.Errorf("%d: %q", n, note)
		}
	}
	if n := len(s.orders.calls("")); n != told || len(s.asked()) != 0 {
		t.Errorf("Orders was told %d times, Stripe asked %v", n-told, s.asked())
	}
}

// A deleted customer is not used again, and late events are still for their buyer.
func TestADeletedCustomerIsReplaced(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, customer := s.buyer("jane@example.com", "")
	s.delivered(body("evt_gone", "customer.deleted", false, map[string]any{"id": customer, "object": "customer", "email": "jane@example.com", "metadata": ours()}), "PROCESSED")
	s.delivered(body("evt_else", "customer.deleted", false, map[string]any{"id": "cus_theirs", "object": "customer"}), "IGNORED")
	if kept := s.text(`SELECT customer_id FROM payments.customers`); kept != "" {
		t.Errorf("kept %s", kept)
	}
	s.wantMethod(bySubscription("late", false, customer, nil), "customer_id")
	if _, again := s.buyer("jane@example.com", ""); again == "" {
		t.Error("nothing could be bought again")
	}
	if n := s.text(`SELECT count(DISTINCT resolution_method)::text FROM payments.webhook_events WHERE resolution_method = 'customer_id'`); n != "1" {
		t.Errorf("the methods cannot be counted: %s", n)
	}
}

// A subscription that somebody made in Stripe's dashboard for a customer whom we
// do not know is an order of the person whom its event was found to be for.
func TestASubscriptionIsForThePersonWhoWasFound(t *testing.T) {
	t.Parallel()
	const acct = "7d0d3c44-5a1c-4f0e-8a3d-0c6b6f0f7a01"
	for method, more := range map[string]url.Values{
		"metadata":    {"metadata[account_id]": {acct}},
		"email":       {},
		"customer_id": {}, // a person links it
	} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			accounts := startFakeAccounts(t)
			if method == "email" {
				accounts.account, accounts.verified = acct, true
			}
			s := newScene(t, map[string]string{"MATCH_BY_EMAIL": "on", "PROVISIONING_GRPC_ADDR": accounts.addr})
			jane, _ := s.buyer("jane@example.com", acct)
			s.orders.set(func() { s.orders.has = map[string]bool{} })
			customer := s.newCustomer("Jane@example.com", nil)
			var pm, price, sub struct{ ID string }
			s.call("/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {customer}}, &pm)
			s.call("/v1/prices", url.Values{"currency": {"usd"}, "unit_amount": {"24900"}, "recurring[interval]": {"year"}, "product_data[name]": {"By hand"}}, &price)
			form := url.Values{
				"customer": {customer}, "items[0][price]": {price.ID}, "default_payment_method": {pm.ID},
				"metadata[makegood_app]": {"makegood"}, "metadata[plan_id]": {"annual-subscription"},
			}
			for k, v := range more {
				form[k] = v
			}
			s.call("/v1/subscriptions", form, &sub)
			payload := s.event("customer.subscription.created")
			if method == "customer_id" {
				s.delivered(payload, "ORPHANED")
				if err := s.link(s.ledgerID(payload), jane); err != nil {
					t.Fatal(err)
				}
			} else {
				s.delivered(payload, "PROCESSED")
			}
			s.awaitReplay(payload, "PROCESSED")
			if got := s.ledger(payload, "resolution_method"); got != method {
				t.Errorf("found by %q", got)
			}
			s.orders.mu.Lock()
			defer s.orders.mu.Unlock()
			if len(s.orders.adopted) != 1 {
				t.Fatalf("%d adoptions", len(s.orders.adopted))
			}
			if a := s.orders.adopted[0]; a.GetEmail() != "jane@example.com" || a.GetAccountId() != acct || a.GetPlanId() != "annual-subscription" ||
				a.GetPayment().GetTerm().GetSubscriptionId() != sub.ID {
				t.Errorf("adopted %v", a)
			}
		})
	}
}
