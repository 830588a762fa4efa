package orders_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
)

const (
	pending   = ordersv1.Order_PENDING
	charged   = ordersv1.Order_CHARGED
	complete  = ordersv1.Order_COMPLETE
	recovered = ordersv1.Order_RECOVERED
	failed    = ordersv1.Order_FAILED
	expired   = ordersv1.Order_EXPIRED
)

func TestAPurchaseEndsWithAccessAndOneMessage(t *testing.T) {
	s := newScene(t)
	key := uuid.NewString()
	o := s.mustPlace(purchase{key: key, email: " Jane@Example.com "}, complete)

	if o.GetReference() != key || o.GetAmountMinor() != 24900 || o.GetAmountDisplay() != "$249.00" || o.GetCurrency() != "USD" ||
		o.GetEmailMasked() != "J***@Example.com" || o.GetRecoveredBy() != "" || o.GetPaymentError() != nil ||
		o.GetNextAction().GetType() != ordersv1.NextAction_NONE {
		t.Errorf("the order reads %v", o)
	}
	now := s.clock.Now()
	for what, at := range map[string]time.Time{"charged": o.GetChargedAt().AsTime(), "completed": o.GetCompletedAt().AsTime(), "created": o.GetCreatedAt().AsTime()} {
		if !at.Equal(now) {
			t.Errorf("%s at %s, want %s", what, at, now)
		}
	}
	if until := o.GetAccessUntil().AsTime(); !until.Equal(now.AddDate(0, 12, 0)) {
		t.Errorf("access until %s", until)
	}
	s.wantHistory(o, ">PENDING request buyer", "PENDING>CHARGED request buyer", "CHARGED>COMPLETE request buyer")

	d := s.describe(o)
	if d.GetEmail() != "Jane@Example.com" || d.GetChargeId() != "ch_"+o.GetId() || d.GetPaymentIntentId() != "pi_"+o.GetId() ||
		d.GetCustomerId() != "cus_"+o.GetId() || d.GetNextLookAt() != nil || d.GetTermMonths() != 12 {
		t.Errorf("described as %v", d)
	}
	pays, looks, cancels := s.peers.payments.asked()
	if pays != 1 || looks != 0 || cancels != 0 {
		t.Errorf("asked Payments %d/%d/%d times", pays, looks, cancels)
	}
	r := s.peers.payments.pays[0]
	if r.GetPurchase().GetOrderId() != o.GetId() || r.GetPurchase().GetReference() != key || r.GetPurchase().GetAmountMinor() != 24900 ||
		r.GetPaymentMethod() != "pm_card_visa" || !r.GetChargeBy().AsTime().Equal(now.Add(5*time.Minute)) {
		t.Errorf("asked to pay %v", r)
	}
	await(t, "one message", func() bool { return len(s.peers.notifications.sent()) > 0 })
	if got, want := fmt.Sprint(s.peers.notifications.sent()), "[CONFIRMATION order/"+o.GetId()+"/confirmation]"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if n := s.count("SELECT count(*) FROM orders.river_job"); n != 1 {
		t.Errorf("%d jobs", n)
	}
	if n := s.count("SELECT count(*) FROM orders.orders WHERE payment_method IS NOT NULL"); n != 0 {
		t.Error("the card is still kept")
	}
	if cases := s.peers.cases.open(); len(cases) != 0 {
		t.Errorf("cases: %v", cases)
	}
}

func TestTheIntentIsWrittenBeforeTheCharge(t *testing.T) {
	s := newScene(t)
	release := make(chan struct{})
	s.peers.payments.set(func(f *fakePayments) { f.onPay = blocks(release, f.succeeded("ch")) })
	done := make(chan error, 1)
	go func() { _, err := s.place(purchase{}); done <- err }()
	await(t, "Payments is asked", func() bool { pays, _, _ := s.peers.payments.asked(); return pays == 1 })
	if n := s.count(`SELECT count(*) FROM orders.orders o JOIN orders.history h ON h.order_id = o.id JOIN orders.submissions s ON s.order_id = o.id
		WHERE o.state = 'PENDING' AND o.next_look_at > o.created_at AND h.to_state = 'PENDING' AND s.attempt_id = o.attempt_id AND o.payment_method = 'pm_card_visa'`); n != 1 {
		t.Errorf("%d orders are written while the charge is made", n)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTheSameKeyIsTheSameOrder(t *testing.T) {
	s := newScene(t)
	key := uuid.NewString()
	first := s.mustPlace(purchase{key: key}, complete)
	// Compared without case and trimmed; name and card are not compared.
	again := s.mustPlace(purchase{key: key, email: " JANE@example.com", card: "pm_card_mastercard"}, complete)
	if first.GetId() != again.GetId() {
		t.Error("another order")
	}
	if pays, _, _ := s.peers.payments.asked(); pays != 1 {
		t.Errorf("paid %d times", pays)
	}
	for what, change := range map[string]func(*ordersv1.PlaceOrderRequest){
		"another email":    func(r *ordersv1.PlaceOrderRequest) { r.Email = "john@example.com" },
		"another currency": func(r *ordersv1.PlaceOrderRequest) { r.Currency = "EUR" },
		"another checkout": func(r *ordersv1.PlaceOrderRequest) { r.PaymentMethod = "" },
	} {
		r := &ordersv1.PlaceOrderRequest{PlanId: "annual", Email: "jane@example.com", PaymentMethod: "pm_card_visa"}
		change(r)
		_, err := s.place(purchase{key: key, request: r})
		wantError(t, what, err, codes.Aborted, "IDEMPOTENCY_KEY_REUSED")
	}
	// An account is compared too.
	_, err := s.placeAs(asPerson(t.Context(), "service"), purchase{key: key, request: &ordersv1.PlaceOrderRequest{
		PlanId: "annual", Email: "jane@example.com", PaymentMethod: "pm_card_visa", AccountId: uuid.NewString()}})
	wantError(t, "another account", err, codes.Aborted, "IDEMPOTENCY_KEY_REUSED")
	if n := s.count("SELECT count(*) FROM orders.orders"); n != 1 {
		t.Errorf("%d orders", n)
	}
}

func TestTheSameKeyFiftyTimesAtOnce(t *testing.T) {
	s := newScene(t)
	key := uuid.NewString()
	var wg sync.WaitGroup
	ids := make(chan string, 50)
	for range 50 {
		wg.Go(func() {
			o, err := s.place(purchase{key: key})
			if err != nil {
				t.Error(err)
			}
			ids <- o.GetId()
		})
	}
	wg.Wait()
	close(ids)
	distinct := map[string]bool{}
	for id := range ids {
		distinct[id] = true
	}
	if len(distinct) != 1 || s.count("SELECT count(*) FROM orders.orders") != 1 {
		t.Errorf("orders: %v", distinct)
	}
	if a := s.peers.payments.attempts(); len(a) != 1 {
		t.Errorf("%d attempts to pay", len(a))
	}
	if n := s.count("SELECT count(*) FROM orders.history WHERE to_state = 'COMPLETE'"); n != 1 {
		t.Errorf("completed %d times", n)
	}
	if n := s.count("SELECT count(*) FROM orders.river_job"); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestTheKeyIsRequired(t *testing.T) {
	s := newScene(t)
	for _, key := range []string{" ", "42", "not-a-uuid", uuid.Nil.String(), "0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e1"} {
		_, err := s.place(purchase{key: key})
		wantError(t, fmt.Sprintf("key %q", key), err, codes.InvalidArgument, "IDEMPOTENCY_KEY_REQUIRED")
	}
	_, err := s.orders.PlaceOrder(t.Context(), &ordersv1.PlaceOrderRequest{PlanId: "annual", Email: "jane@example.com", PaymentMethod: "pm_card_visa"})
	wantError(t, "no key", err, codes.InvalidArgument, "IDEMPOTENCY_KEY_REQUIRED")
	if n := s.count("SELECT count(*) FROM orders.orders"); n != 0 {
		t.Errorf("%d orders", n)
	}
}

func TestWhatCannotBeBought(t *testing.T) {
	s := newScene(t)
	long := make([]byte, 256)
	for i := range long {
		long[i] = 'x'
	}
	for what, c := range map[string]struct {
		field  string
		change func(*ordersv1.PlaceOrderRequest)
	}{
		"unknown plan":       {"plan_id", func(r *ordersv1.PlaceOrderRequest) { r.PlanId = "forever" }},
		"no plan":            {"plan_id", func(r *ordersv1.PlaceOrderRequest) { r.PlanId = "" }},
		"currency not sold":  {"currency", func(r *ordersv1.PlaceOrderRequest) { r.Currency = "SEK" }},
		"no currency":        {"currency", func(r *ordersv1.PlaceOrderRequest) { r.Currency = "dollars" }},
		"no email":           {"email", func(r *ordersv1.PlaceOrderRequest) { r.Email = "" }},
		"a card with spaces": {"payment_method", func(r *ordersv1.PlaceOrderRequest) { r.PaymentMethod = "4242 4242" }},
		"server without card": {"payment_method", func(r *ordersv1.PlaceOrderRequest) {
			r.PaymentMethod = ""
			r.Checkout = ordersv1.PlaceOrderRequest_SERVER
		}},
		"client with card":      {"payment_method", func(r *ordersv1.PlaceOrderRequest) { r.Checkout = ordersv1.PlaceOrderRequest_CLIENT }},
		"hosted":                {"payment_method", func(r *ordersv1.PlaceOrderRequest) { r.Checkout = ordersv1.PlaceOrderRequest_HOSTED }},
		"a checkout of mars":    {"checkout", func(r *ordersv1.PlaceOrderRequest) { r.Checkout = 9 }},
		"account without right": {"account_id", func(r *ordersv1.PlaceOrderRequest) { r.AccountId = uuid.NewString() }},
		"name too long":         {"name", func(r *ordersv1.PlaceOrderRequest) { r.Name = string(long) }},
		// Payments and the mail server take 254 characters; a longer address
		// would leave an order that can be neither charged nor canceled.
		"address too long to charge": {"email", func(r *ordersv1.PlaceOrderRequest) { r.Email = string(long) + "@example.com" }},
	} {
		r := &ordersv1.PlaceOrderRequest{PlanId: "annual", Email: "jane@example.com", PaymentMethod: "pm_card_visa"}
		c.change(r)
		_, err := s.place(purchase{request: r})
		wantInvalid(t, what, err, c.field)
	}
	s.peers.notifications.set(func(f *fakeNotifications) {
		f.checkErr = apperr.Invalid("email", "nobody can be written to there")
	})
	// Nobody waits longer than half a second for what Notifications has to say, which a
	// busy machine may use up: then it is bought, and asked again for somebody else.
	bought, err := 0, error(nil)
	for err == nil && bought < 20 {
		if _, err = s.place(purchase{email: fmt.Sprintf("jane-%d@example.com", bought)}); err == nil {
			bought++
		}
	}
	wantInvalid(t, "an address that Notifications refuses", err, "email")
	if n := s.count("SELECT count(*) FROM orders.orders"); n != bought {
		t.Errorf("%d orders", n)
	}
	if pays, _, _ := s.peers.payments.asked(); pays != bought {
		t.Errorf("paid %d times", pays)
	}
}

func TestAnAddressIsRefusedEvenWhenNotificationsIsAway(t *testing.T) {
	s := newScene(t)
	s.peers.notifications.set(func(f *fakeNotifications) { f.checkErr = away })
	for _, email := range []string{"    ", "jane", "jane example.com", "jane@", "@example.com", "jane@\x00example.com"} {
		_, err := s.place(purchase{email: email})
		wantInvalid(t, fmt.Sprintf("%q", email), err, "email")
	}
	if n := s.count("SELECT count(*) FROM orders.orders"); n != 0 {
		t.Errorf("%d orders", n)
	}
	s.mustPlace(purchase{}, complete) // mail that is away never stops a purchase
}

func TestSlowNotificationsDelaysNoPurchase(t *testing.T) {
	s := newScene(t)
	s.peers.notifications.set(func(f *fakeNotifications) { f.slow = 10 * time.Second })
	began := time.Now()
	s.mustPlace(purchase{}, complete)
	if took := time.Since(began); took > 8*time.Second { // they take ten
		t.Errorf("took %s", took)
	}
}

func TestAnAccountNeedsAServiceToken(t *testing.T) {
	s := newScene(t)
	account := uuid.NewString()
	req := func(email string) *ordersv1.PlaceOrderRequest {
		return &ordersv1.PlaceOrderRequest{PlanId: "annual", Email: email, PaymentMethod: "pm_card_visa", AccountId: account}
	}
	for _, role := range []string{"viewer", "support"} {
		_, err := s.placeAs(asPerson(t.Context(), role), purchase{request: req("jane@example.com")})
		wantInvalid(t, role, err, "account_id")
	}
	o, err := s.placeAs(asPerson(t.Context(), "service"), purchase{request: req("jane@example.com")})
	if err != nil || o.GetState() != complete {
		t.Fatalf("%v %v", o, err)
	}
	if got := s.peers.provisioning.grants[o.GetId()].GetAccountId(); got != account {
		t.Errorf("granted to %q", got)
	}
	s.peers.provisioning.set(func(f *fakeProvisioning) {
		f.accountErr = apperr.New(codes.InvalidArgument, "ACCOUNT_NOT_FOUND", "there is no such account")
	})
	_, err = s.placeAs(asPerson(t.Context(), "service"), purchase{request: req("john@example.com")})
	wantError(t, "an unknown account", err, codes.InvalidArgument, "ACCOUNT_NOT_FOUND")
	if n := s.count("SELECT count(*) FROM orders.orders"); n != 1 {
		t.Errorf("%d orders", n)
	}
}

func TestTheSamePurchaseAgain(t *testing.T) {
	for name, c := range map[string]struct {
		first    answer
		wait     time.Duration
		refused  bool
		expected ordersv1.Order_State
	}{
		"paid a moment ago":        {nil, 9*time.Minute + 59*time.Second, true, complete},
		"paid ten minutes ago":     {nil, 10 * time.Minute, false, complete},
		"money unknown":            {says(paymentsv1.Payment_UNKNOWN), time.Hour, true, pending},
		"payment processing":       {says(paymentsv1.Payment_PROCESSING), 72 * time.Hour, true, pending},
		"waiting for 3-D Secure":   {says(paymentsv1.Payment_REQUIRES_ACTION), 0, false, pending},
		"declined":                 {declines("card_declined", "Your card was declined."), 0, false, failed},
		"canceled":                 {says(paymentsv1.Payment_CANCELED), 0, false, expired},
		"payments cannot be asked": {fails(away), 0, true, pending},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.peers.payments.set(func(f *fakePayments) { f.onPay = c.first })
			first := s.mustPlace(purchase{email: "jane@example.com"}, c.expected)
			s.peers.payments.set(func(f *fakePayments) { f.onPay = nil })
			s.clock.Advance(c.wait)

			_, err := s.place(purchase{email: "JANE@example.com "})
			if !c.refused {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantError(t, "the same again", err, codes.Aborted, "DUPLICATE_PURCHASE")
			if e := apperr.Of(err); len(e.Metadata) != 0 {
				t.Errorf("reveals %v", e.Metadata)
			}
			s.mustPlace(purchase{email: "john@example.com"}, complete) // someone else
			s.mustPlace(purchase{repeat: true}, complete)              // meant so
			if s.get(first).GetState() != c.expected {
				t.Error("the first order changed")
			}
		})
	}
}

func TestTwoKeysOfOneBuyerAtTheSameMoment(t *testing.T) {
	s := newScene(t)
	results := make(chan error, 10)
	for range 10 {
		go func() { _, err := s.place(purchase{}); results <- err }()
	}
	bought := 0
	for range 10 {
		if err := <-results; err == nil {
			bought++
		} else {
			wantError(t, "the other one", err, codes.Aborted, "DUPLICATE_PURCHASE")
		}
	}
	if pays, _, _ := s.peers.payments.asked(); bought != 1 || pays != 1 || s.count("SELECT count(*) FROM orders.orders") != 1 {
		t.Errorf("bought %d times, paid %d times", bought, pays)
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	t.Run("per address", func(t *testing.T) {
		s := newScene(t, "ATTEMPTS_PER_EMAIL=2")
		s.peers.payments.set(func(f *fakePayments) { f.onPay = declines("card_declined", "no") })
		for range 2 {
			s.mustPlace(purchase{}, failed)
		}
		_, err := s.place(purchase{email: "JANE@example.com"})
		wantError(t, "the third", err, codes.ResourceExhausted, "TOO_MANY_ATTEMPTS")
		s.mustPlace(purchase{email: "john@example.com"}, failed)
		s.clock.Advance(time.Hour)
		s.mustPlace(purchase{}, failed)
	})
	t.Run("per IP", func(t *testing.T) {
		s := newScene(t, "ATTEMPTS_PER_IP=3")
		s.peers.payments.set(func(f *fakePayments) { f.onPay = declines("card_declined", "no") })
		for i := range 3 {
			s.mustPlace(purchase{email: fmt.Sprintf("tester%d@example.com", i), ip: "192.0.2.1"}, failed)
		}
		_, err := s.place(purchase{email: "tester9@example.com", ip: "192.0.2.1"})
		wantError(t, "the fourth", err, codes.ResourceExhausted, "TOO_MANY_ATTEMPTS")
		s.mustPlace(purchase{email: "tester9@example.com", ip: "192.0.2.2"}, failed)
		for i := range 4 { // callers without an address are not one caller
			s.mustPlace(purchase{email: fmt.Sprintf("backend%d@example.com", i)}, failed)
		}
	})
	t.Run("per order", func(t *testing.T) {
		s := newScene(t, "ATTEMPTS_PER_ORDER=3")
		s.peers.payments.set(func(f *fakePayments) { f.onPay = declines("card_declined", "no") })
		o := s.mustPlace(purchase{}, failed)
		for range 2 {
			if _, err := s.pay(o, uuid.NewString(), "pm_card_visa"); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.pay(o, uuid.NewString(), "pm_card_visa")
		wantError(t, "the fourth", err, codes.ResourceExhausted, "TOO_MANY_ATTEMPTS")
		if s.get(o).GetState() != failed {
			t.Error("the refused attempt changed the order")
		}
	})
}

func TestListPlans(t *testing.T) {
	s := newScene(t)
	r, err := s.orders.ListPlans(t.Context(), &ordersv1.ListPlansRequest{})
	if err != nil || len(r.GetPlans()) != 2 {
		t.Fatalf("%v %v", r, err)
	}
	shown := map[string]string{}
	for _, p := range r.GetPlans()[0].GetPrices() {
		shown[p.GetCurrency()] = p.GetAmountDisplay()
	}
	if fmt.Sprint(shown) != "map[EUR:€239.00 JPY:¥36,900 KWD:KWD 76.500 USD:$249.00]" {
		t.Errorf("%v", shown)
	}
	o := s.mustPlace(purchase{request: &ordersv1.PlaceOrderRequest{PlanId: "annual", Email: "jane@example.com", PaymentMethod: "pm_card_visa", Currency: "jpy"}}, complete)
	if o.GetCurrency() != "JPY" || o.GetAmountMinor() != 36900 {
		t.Errorf("%v", o)
	}
}

func TestAnOrderIsFoundByItsReferenceOnly(t *testing.T) {
	s := newScene(t)
	o := s.mustPlace(purchase{}, complete)
	for _, reference := range []string{uuid.NewString(), o.GetId()} {
		_, err := s.orders.GetOrder(t.Context(), &ordersv1.GetOrderRequest{Reference: reference})
		wantError(t, reference, err, codes.NotFound, "ORDER_NOT_FOUND")
		_, err = s.orders.ConfirmOrder(t.Context(), &ordersv1.ConfirmOrderRequest{Reference: reference})
		wantError(t, reference, err, codes.NotFound, "ORDER_NOT_FOUND")
		_, err = s.orders.PayOrder(t.Context(), &ordersv1.PayOrderRequest{Reference: reference, AttemptId: uuid.NewString(), PaymentMethod: "pm_card_visa"})
		wantError(t, reference, err, codes.NotFound, "ORDER_NOT_FOUND")
	}
	_, err := s.orders.GetOrder(t.Context(), &ordersv1.GetOrderRequest{Reference: "0D4A2A3E"})
	wantInvalid(t, "a short reference", err, "reference")
}
