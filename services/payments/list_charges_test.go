package payments_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/grpcclient"
)

// sweep calls the first instance as Reconciliation does.
func (s *scene) sweep() pb.PaymentsAdminServiceClient {
	s.t.Helper()
	conn, err := grpcclient.Dial("payments", "reconciliation", s.first)
	if err != nil {
		s.t.Fatal(err)
	}
	s.connected(conn)
	return pb.NewPaymentsAdminServiceClient(conn)
}

// around is a window that has everything that the account made lately.
func (s *scene) around() *pb.Window {
	now := s.clock.Now()
	return &pb.Window{From: timestamppb.New(now.Add(-time.Hour)), Before: timestamppb.New(now.Add(time.Hour))}
}

// seedCharges makes charges in bulk.
func (s *scene) seedCharges(seed map[string]any) {
	s.t.Helper()
	s.control(http.MethodPost, "seed/charges", seed, nil)
}

// listed walks every page of a window.
func (s *scene) listed(w *pb.Window) (all []*pb.SeenCharge, pages int) {
	s.t.Helper()
	desk, token := s.sweep(), ""
	for {
		page, err := desk.ListCharges(s.context(), &pb.ListChargesRequest{Window: w, PageToken: token})
		if err != nil {
			s.t.Fatalf("ListCharges: %v", err)
		}
		all, pages, token = append(all, page.GetCharges()...), pages+1, page.GetNextPageToken()
		if token == "" {
			return all, pages
		}
	}
}

// seenOne lists and finds one charge.
func (s *scene) seenOne(chargeID string) *pb.SeenCharge {
	s.t.Helper()
	all, _ := s.listed(s.around())
	i := slices.IndexFunc(all, func(c *pb.SeenCharge) bool { return c.GetChargeId() == chargeID })
	if i < 0 {
		s.t.Fatalf("charge %s is not listed", chargeID)
	}
	byID, err := s.sweep().ListCharges(s.context(), &pb.ListChargesRequest{ChargeIds: []string{chargeID}})
	if err != nil || len(byID.GetCharges()) != 1 {
		s.t.Fatalf("by its id: %v %v", byID, err)
	}
	if one := byID.GetCharges()[0]; one.String() != all[i].String() {
		s.t.Errorf("by its id it is %v\nand in the list %v", one, all[i])
	}
	return all[i]
}

func (s *scene) wantOwner(c *pb.SeenCharge, owner pb.SeenCharge_Owner, orderID, why string) {
	s.t.Helper()
	if c.GetOwner() != owner || c.GetOrderId() != orderID || !strings.Contains(c.GetOwnerReason(), why) {
		s.t.Errorf("charge %s is %s of order %q (%s), want %s of %q because of %q",
			c.GetChargeId(), c.GetOwner(), c.GetOrderId(), c.GetOwnerReason(), owner, orderID, why)
	}
}

func TestChargesOfOneSecondAreEachListedOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	at := s.clock.Now().Add(-time.Minute).Unix()
	s.seedCharges(map[string]any{"tag": "Before", "count": 30, "from": at - 50, "to": at - 10})
	s.seedCharges(map[string]any{"tag": "Tied", "count": 250, "from": at, "to": at, "failed_every": 50})
	all, pages := s.listed(s.around())
	seen := map[string]bool{}
	for i, c := range all {
		if seen[c.GetChargeId()] {
			t.Errorf("%s comes twice", c.GetChargeId())
		}
		seen[c.GetChargeId()] = true
		if i > 0 && c.GetCreatedAt().AsTime().After(all[i-1].GetCreatedAt().AsTime()) {
			t.Errorf("%s is newer than the one before it", c.GetChargeId())
		}
	}
	if len(seen) != 280 || pages != 3 {
		t.Errorf("%d charges on %d pages", len(seen), pages)
	}
	// The window's ends: a charge of its first second is in it, one of its last is not.
	for _, w := range []struct {
		from, before time.Time
		want         int
	}{
		{time.Unix(at, 0), time.Unix(at+1, 0), 250},
		{time.Unix(at-100, 0), time.Unix(at, 0), 30},
		{time.Unix(at, 1), time.Unix(at+1, 0), 0},
		{time.Unix(at, 0), time.Unix(at, 1), 250},
		{time.Unix(at, 0), time.Unix(at, 0), 0},
	} {
		got, _ := s.listed(&pb.Window{From: timestamppb.New(w.from), Before: timestamppb.New(w.before)})
		if len(got) != w.want {
			t.Errorf("from %s before %s: %d charges, want %d", w.from, w.before, len(got), w.want)
		}
	}
}

func TestAPageThatIsNotWholeDoesNotCount(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]map[string]any{
		"page 2 fails":      {"query": "starting_after=*", "mode": "error_before"},
		"page 2 never came": {"query": "starting_after=*", "mode": "reset_before"},
		"page 2 is cut":     {"query": "starting_after=*", "mode": "truncate", "truncate": 20000},
		"page 1 is cut":     {"mode": "truncate", "truncate": 2},
		"a storm of 429":    {"mode": "error_before", "status": 429},
		"our key is wrong":  {"mode": "error_before", "status": 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			at := s.clock.Now().Add(-time.Minute).Unix()
			s.seedCharges(map[string]any{"count": 150, "from": at, "to": at})
			fault["path"], fault["method"] = "/v1/charges", "GET"
			var made struct{ ID string }
			s.control(http.MethodPost, "faults", fault, &made)
			desk, token := s.sweep(), ""
			if fault["query"] != nil {
				page, err := desk.ListCharges(s.context(), &pb.ListChargesRequest{Window: s.around()})
				if err != nil || len(page.GetCharges()) != 100 {
					t.Fatalf("page 1: %d charges, %v", len(page.GetCharges()), err)
				}
				token = page.GetNextPageToken()
			}
			_, err := desk.ListCharges(s.context(), &pb.ListChargesRequest{Window: s.around(), PageToken: token})
			wantError(t, name, err, codes.Unavailable, "STRIPE_UNREACHABLE")
			s.control(http.MethodDelete, "faults/"+made.ID, nil, nil)
			if all, _ := s.listed(s.around()); len(all) != 150 {
				t.Errorf("afterwards %d charges are listed", len(all))
			}
		})
	}
}

func TestAShortStormIsWaitedOut(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	at := s.clock.Now().Add(-time.Minute).Unix()
	s.seedCharges(map[string]any{"count": 10, "from": at, "to": at})
	s.fault("GET /v1/charges", "error_before", 3, http.StatusTooManyRequests)
	if all, _ := s.listed(s.around()); len(all) != 10 {
		t.Errorf("%d charges", len(all))
	}
}

func TestATokenOfAnotherAccountIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	_, err := s.sweep().ListCharges(s.context(), &pb.ListChargesRequest{Window: s.around(), PageToken: "ch_unknown"})
	wantError(t, "an unknown token", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = s.sweep().ListCharges(s.context(), &pb.ListChargesRequest{})
	wantError(t, "neither a window nor ids", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	page, err := s.sweep().ListCharges(s.context(), &pb.ListChargesRequest{ChargeIds: []string{"ch_unknown"}})
	if err != nil || len(page.GetCharges()) != 0 {
		t.Errorf("an unknown id: %v %v", page, err)
	}
}

func TestOursIsKnownByWhatIsSavedAndByOurMark(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_card_visa")
	paid := s.paid(r, pb.Payment_SUCCEEDED)
	order := r.GetPurchase().GetOrderId()
	c := s.seenOne(paid.GetChargeId())
	s.wantOwner(c, pb.SeenCharge_OURS, order, "saved here")
	if !c.GetRecorded() || c.GetStatus() != pb.SeenCharge_SUCCEEDED || !c.GetCaptured() || c.GetAmountMinor() != price || c.GetCurrency() != "USD" ||
		c.GetPaymentIntentId() != paid.GetPaymentIntentId() || c.GetCustomerId() != paid.GetCustomerId() || c.GetBalanceTransactionId() == "" || c.GetDisputed() {
		t.Errorf("listed as %v", c)
	}

	s.loseRecords("")
	c = s.seenOne(paid.GetChargeId())
	s.wantOwner(c, pb.SeenCharge_OURS, order, "our mark")
	if c.GetRecorded() {
		t.Error("nothing is recorded of it")
	}
	// Somebody took the mark off the charge; its customer bought again, so that the
	// intent is looked at.
	s.call("/v1/charges/"+paid.GetChargeId(), url.Values{"metadata[makegood_app]": {""}}, nil)
	s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	s.exec("UPDATE payments.customers SET customer_id = $1", paid.GetCustomerId())
	s.wantOwner(s.seenOne(paid.GetChargeId()), pb.SeenCharge_OURS, order, "its payment intent carries our mark")
}

// No text of somebody else's keeps a page from being read, nor one charge from being
// told.
func TestMetadataThatNoDatabaseStoresStopNoPage(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	at := s.clock.Now().Add(-time.Minute).Unix()
	s.seedCharges(map[string]any{
		"tag": "nul", "count": 2, "from": at, "to": at, "amount": price, "currency": "usd", "customer": "cus_{n}", "payment_intents": true,
		"metadata": map[string]string{"makegood_app": "makegood", "account_id": "a\x00b", "plan_id": "\x00", "order_id": "\x00"},
	})
	c := s.seenOne("ch_3nul000000000000")
	s.wantOwner(c, pb.SeenCharge_OURS, "", "our mark")
	if r, err := s.sweep().RestoreCharge(s.context(), &pb.RestoreChargeRequest{ChargeId: c.GetChargeId()}); err != nil || r.GetMissing() == "" {
		t.Errorf("restored as %v, %v", r, err)
	}
}

// Another product's money, with all that would make one guess.
func TestForeignMoneyIsForeign(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	paid := s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	pay := func(form url.Values) string {
		form["amount"], form["currency"], form["confirm"] = []string{fmt.Sprint(price)}, []string{"usd"}, []string{"true"}
		form["payment_method"], form["payment_method_types[]"] = []string{"pm_card_visa"}, []string{"card"}
		form["receipt_email"] = []string{"jane@example.com"}
		var pi struct {
			Charge string `json:"latest_charge"`
		}
		s.call("/v1/payment_intents", form, &pi)
		return pi.Charge
	}
	for name, form := range map[string]url.Values{
		"our amount and her address":       {},
		"the customer that she is with us": {"customer": {paid.GetCustomerId()}},
		"an order id without our mark":     {"metadata[order_id]": {uuid.NewString()}},
		"the mark of another app":          {"metadata[makegood_app]": {"another"}, "metadata[order_id]": {paid.GetOrderId()}},
	} {
		c := s.seenOne(pay(form))
		if s.wantOwner(c, pb.SeenCharge_FOREIGN, "", "no mark"); c.GetRecorded() {
			t.Errorf("%s: it is recorded", name)
		}
	}
}

func TestHintsThatDoNotAgreeAreUnclear(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	buy := func(email string) *pb.Payment {
		return s.paid(s.request(s.purchase(email), "pm_card_visa"), pb.Payment_SUCCEEDED)
	}
	jane, joe := buy("jane@example.com"), buy("joe@example.com")
	// Its metadata name the order of somebody else.
	s.call("/v1/charges/"+jane.GetChargeId(), url.Values{"metadata[order_id]": {joe.GetOrderId()}}, nil)
	s.wantOwner(s.seenOne(jane.GetChargeId()), pb.SeenCharge_UNCLEAR, jane.GetOrderId(), "its metadata name order "+joe.GetOrderId())

	// Other money than was asked for, or another customer.
	for column, value := range map[string]string{"amount_minor": "1", "currency": "'EUR'", "customer_id": "'cus_other'"} {
		p := buy("jim@example.com")
		s.exec("UPDATE payments.payments SET "+column+" = "+value+" WHERE order_id = $1", p.GetOrderId())
		if c := s.seenOne(p.GetChargeId()); c.GetOwner() != pb.SeenCharge_UNCLEAR || c.GetOrderId() != p.GetOrderId() {
			t.Errorf("another %s: %v", column, c)
		}
	}

	// A second payment of Jane's order, made in Joe's name.
	var pi struct {
		Charge string `json:"latest_charge"`
	}
	s.call("/v1/payment_intents", url.Values{
		"amount": {fmt.Sprint(price)}, "currency": {"usd"}, "confirm": {"true"}, "payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"},
		"customer": {joe.GetCustomerId()}, "metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {jane.GetOrderId()},
	}, &pi)
	s.wantOwner(s.seenOne(pi.Charge), pb.SeenCharge_UNCLEAR, jane.GetOrderId(), "different people")

	// And in her own: two charges of one order, which is no doubt about whose.
	s.call("/v1/payment_intents", url.Values{
		"amount": {fmt.Sprint(price)}, "currency": {"usd"}, "confirm": {"true"}, "payment_method": {"pm_card_visa"}, "payment_method_types[]": {"card"},
		"customer": {jane.GetCustomerId()}, "metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {jane.GetOrderId()},
	}, &pi)
	s.wantOwner(s.seenOne(pi.Charge), pb.SeenCharge_OURS, jane.GetOrderId(), "our mark")
}

func TestACheckoutThatIsReplacedIsClaimed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ownership.json")
	if err := os.WriteFile(path, []byte(`{"rules": [{"metadata": {"key": "shop", "value": "old"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newScene(t, map[string]string{"OWNERSHIP_FILE": path})
	at := s.clock.Now().Add(-time.Minute).Unix()
	s.seedCharges(map[string]any{"tag": "Old", "count": 3, "from": at, "to": at, "metadata": map[string]string{"shop": "old"}})
	s.seedCharges(map[string]any{"tag": "Other", "count": 3, "from": at, "to": at, "metadata": map[string]string{"shop": "other"}})
	paid := s.paid(s.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	counts := map[pb.SeenCharge_Owner]int{}
	all, _ := s.listed(s.around())
	for _, c := range all {
		counts[c.GetOwner()]++
		if c.GetOwner() == pb.SeenCharge_CLAIMED {
			s.wantOwner(c, pb.SeenCharge_CLAIMED, "", "metadata shop is old")
		}
	}
	if counts[pb.SeenCharge_CLAIMED] != 3 || counts[pb.SeenCharge_FOREIGN] != 3 || counts[pb.SeenCharge_OURS] != 1 {
		t.Errorf("%v", counts)
	}
	s.wantOwner(s.seenOne(paid.GetChargeId()), pb.SeenCharge_OURS, paid.GetOrderId(), "saved")
}

// A debit that the bank has not decided is listed as pending, and later as what
// became of it.
func TestAPendingChargeIsListedAsPending(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	r := s.request(s.purchase("jane@example.com"), "pm_usBankAccount_processing")
	paid := s.paid(r, pb.Payment_PROCESSING)
	chargeID := s.account().Charges[0].ID
	c := s.seenOne(chargeID)
	if s.wantOwner(c, pb.SeenCharge_OURS, r.GetPurchase().GetOrderId(), "saved"); c.GetStatus() != pb.SeenCharge_PENDING || c.GetRecorded() {
		t.Errorf("listed as %v", c)
	}
	s.control(http.MethodPost, "payment_intents/"+paid.GetPaymentIntentId()+"/settle", map[string]string{"outcome": "success"}, nil)
	if c := s.seenOne(chargeID); c.GetStatus() != pb.SeenCharge_SUCCEEDED || c.GetRecorded() {
		t.Errorf("settled, it is listed as %v", c)
	}
}

// What a subscription charges is as the subscription is.
func TestAChargeInheritsFromItsSubscription(t *testing.T) {
	t.Parallel()
	s := &subscriber{scene: newScene(t, nil)}
	s.paid(s.scene.request(s.purchase("jane@example.com"), "pm_card_visa"), pb.Payment_SUCCEEDED)
	charge := func(customer string, more url.Values) *pb.SeenCharge {
		sub := s.byHand(customer, more)
		for _, inv := range s.account().Invoices {
			if inv.Subscription == sub {
				return s.seenOne(inv.Charge)
			}
		}
		t.Fatal("it was not charged")
		return nil
	}
	jane := s.account().Customers[0].ID
	c := charge(jane, url.Values{"metadata[plan_id]": {"annual-subscription"}})
	if s.wantOwner(c, pb.SeenCharge_OURS, c.GetOrderId(), "a customer of ours"); c.GetOrderId() == "" {
		t.Error("it names no order")
	}
	if got := s.restored(c.GetChargeId()); got.GetMissing() != "" || got.GetPayment().GetOrderId() != c.GetOrderId() || got.GetPlanId() != "annual-subscription" {
		t.Errorf("restored as %v", got)
	}
	s.wantOwner(s.seenOne(c.GetChargeId()), pb.SeenCharge_OURS, c.GetOrderId(), "saved here")
	if got := s.restored(charge(jane, url.Values{}).GetChargeId()); !strings.Contains(got.GetMissing(), "which plan") || got.GetPayment() == nil {
		t.Errorf("of no plan: %v", got)
	}

	stranger := s.newCustomer("stranger@example.com", nil)
	s.wantOwner(charge(stranger, url.Values{"metadata[plan_id]": {"annual-subscription"}}), pb.SeenCharge_FOREIGN, "", "no mark")
	order := uuid.NewString()
	s.wantOwner(charge(stranger, url.Values{"metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {order}}), pb.SeenCharge_OURS, order, "a subscription that carries our mark")

	// The same account, with a rule for one product.
	product := s.account().Products[0].ID
	path := filepath.Join(t.TempDir(), "ownership.json")
	if err := os.WriteFile(path, []byte(`{"rules": [{"product": "`+product+`"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.exec("DELETE FROM payments.subscriptions")
	s.exec("DELETE FROM payments.payments WHERE invoice_id IS NOT NULL")
	s.more = map[string]string{"OWNERSHIP_FILE": path}
	s.first = s.instance()
	s.wantOwner(s.seenOne(c.GetChargeId()), pb.SeenCharge_CLAIMED, "", "product "+product)
}

// However many charges a page has of which more must be known, it is read twice
// at most, and what is foreign at first sight once.
func TestAPageCostsAtMostTwoRequests(t *testing.T) {
	t.Parallel()
	s := &subscriber{scene: newScene(t, nil)}
	at := s.clock.Now().Add(-time.Minute).Unix()
	s.seedCharges(map[string]any{"count": 90, "from": at, "to": at, "customer": "cus_{n}"})
	s.forget()
	s.listed(s.around())
	if asked := s.asked(); len(asked) != 1 {
		t.Errorf("foreign charges: %v", asked)
	}
	stranger := s.newCustomer("stranger@example.com", nil)
	for range 3 {
		s.byHand(stranger, url.Values{})
	}
	s.forget()
	if all, _ := s.listed(s.around()); len(all) != 93 {
		t.Errorf("%d charges", len(all))
	}
	if asked := s.asked(); len(asked) != 2 {
		t.Errorf("with foreign subscriptions: %v", asked)
	}
	var made struct{ ID string }
	s.control(http.MethodPost, "faults", map[string]any{"method": "GET", "path": "/v1/charges", "query": "expand[]=*", "mode": "truncate"}, &made)
	_, err := s.sweep().ListCharges(s.context(), &pb.ListChargesRequest{Window: s.around()})
	wantError(t, "the second look fails", err, codes.Unavailable, "STRIPE_UNREACHABLE")
}

// One charge of which Stripe gives no whole answer is an error to who needs all of them,
// and named to who takes what can be read.
func TestOfChargesByTheirIDsThoseThatCanBeReadAreSeen(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	at := s.clock.Now().Add(-time.Minute).Unix()
	s.seedCharges(map[string]any{"count": 30, "from": at, "to": at})
	all, _ := s.listed(s.around())
	var ids []string
	for _, c := range all {
		ids = append(ids, c.GetChargeId())
	}
	bad, desk := ids[7], s.sweep()
	ids = append(ids, "ch_unknown")
	ask := func(partial bool, ids ...string) (*pb.ListChargesResponse, error) {
		return desk.ListCharges(s.context(), &pb.ListChargesRequest{ChargeIds: ids, Partial: partial})
	}
	var made struct{ ID string }
	s.control(http.MethodPost, "faults", map[string]any{"method": "GET", "path": "/v1/charges/" + bad, "mode": "error_before"}, &made)
	_, err := ask(false, ids...)
	wantError(t, "all of them", err, codes.Unavailable, "STRIPE_UNREACHABLE")
	page, err := ask(true, ids...)
	if err != nil || len(page.GetCharges()) != 29 || !slices.Equal(page.GetUnreadChargeIds(), []string{bad}) {
		t.Errorf("those that can be read: %d charges, unread %v, %v", len(page.GetCharges()), page.GetUnreadChargeIds(), err)
	}
	_, err = ask(true, bad)
	wantError(t, "none that can be read", err, codes.Unavailable, "STRIPE_UNREACHABLE")
	s.control(http.MethodDelete, "faults/"+made.ID, nil, nil)
	if page, err := ask(true, ids...); err != nil || len(page.GetCharges()) != 30 || len(page.GetUnreadChargeIds()) != 0 {
		t.Errorf("afterwards: %d charges, unread %v, %v", len(page.GetCharges()), page.GetUnreadChargeIds(), err)
	}
	// One that Stripe never answers costs the others nothing: they are said in time.
	s.control(http.MethodPost, "faults", map[string]any{"method": "GET", "path": "/v1/charges/" + bad, "mode": "hang_before"}, nil)
	ctx, cancel := context.WithTimeout(s.context(), 4*time.Second)
	defer cancel()
	page, err = desk.ListCharges(ctx, &pb.ListChargesRequest{ChargeIds: ids, Partial: true})
	if err != nil || len(page.GetCharges()) != 29 || !slices.Equal(page.GetUnreadChargeIds(), []string{bad}) {
		t.Errorf("one that hangs: %d charges, unread %v, %v", len(page.GetCharges()), page.GetUnreadChargeIds(), err)
	}
}
