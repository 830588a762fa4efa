package desk

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/reconciliation/v1"
)

// takes has Stripe charge a customer, as some other checkout does.
func (o *office) takes(email string, metadata map[string]string) (chargeID string) {
	o.t.Helper()
	var customer struct {
		ID string `json:"id"`
	}
	o.Stripe.Post("/v1/customers", url.Values{"email": {email}}, &customer)
	return o.takesFrom(customer.ID, metadata)
}

func (o *office) takesFrom(customer string, metadata map[string]string) (chargeID string) {
	o.t.Helper()
	var intent struct {
		LatestCharge string `json:"latest_charge"`
	}
	form := url.Values{
		"amount": {"24900"}, "currency": {"usd"}, "customer": {customer}, "payment_method": {visa}, "confirm": {"true"},
		"automatic_payment_methods[enabled]": {"true"}, "automatic_payment_methods[allow_redirects]": {"never"},
	}
	for k, v := range metadata {
		form.Set("metadata["+k+"]", v)
	}
	o.Stripe.Post("/v1/payment_intents", form, &intent)
	return intent.LatestCharge
}

// claims is a setting by which charges of the shop before are claimed.
func claims(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ownership.json")
	if err := os.WriteFile(path, []byte(`{"rules": [{"metadata": {"key": "shop", "value": "old"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return "OWNERSHIP_FILE=" + path
}

// sweeps runs one sweep, which must find nothing to do.
func (o *office) sweeps() *pb.Run {
	o.t.Helper()
	r, err := pb.NewReconciliationServiceClient(o.Conn("reconciliation", "")).StartRun(o.as("sam"), &pb.StartRunRequest{})
	if err != nil {
		o.t.Fatal(err)
	}
	return r
}

func TestAClaimedChargeIsAdopted(t *testing.T) {
	t.Parallel()
	o := open(t, claims(t))
	charge := o.takes("jane@example.com", map[string]string{"shop": "old"})
	o.sweeps()
	if n := one[int](o, "SELECT count(*) FROM reconciliation.cases WHERE kind = 'CLAIMED_CHARGE' AND state = 'OPEN'"); n != 1 {
		t.Fatalf("%d cases", n)
	}
	r, err := o.desk.Recover(o.as("sam"), byCharge(charge, act("she wrote")))
	o.wantSteps("a recovery without a buyer", r, err, "money looked at DONE", "order recorded FAILED")
	adopt := func(a *pb.Act) *pb.AdoptChargeRequest {
		return &pb.AdoptChargeRequest{ChargeId: charge, Email: "jane@example.com", Name: "Jane Example", PlanId: "annual", Act: a}
	}
	r, err = o.desk.AdoptCharge(o.as("sam"), adopt(dry("she wrote")))
	o.wantSteps("the dry run", r, err, append(wouldDo, "case closed WOULD_DO")...)
	if n := one[int](o, "SELECT count(*) FROM payments.payments") + one[int](o, "SELECT count(*) FROM orders.orders"); n != 0 {
		t.Errorf("the dry run wrote %d rows", n)
	}
	a := act("she wrote")
	r, err = o.desk.AdoptCharge(o.as("sam"), adopt(a))
	o.wantSteps("the adoption", r, err, append(allDone, "case closed DONE")...)
	order := r.GetOrder()
	if order.GetState().String() != "RECOVERED" || order.GetRecoveredBy() != "support:sam" || order.GetPlanId() != "annual" {
		t.Errorf("the order is %v", order)
	}
	if by := one[string](o, "SELECT adopted_by FROM payments.payments WHERE charge_id = $1", charge); by != "sam" {
		t.Errorf("Payments has %q as who adopted it", by)
	}
	o.await("the mail", func() bool { return len(o.Mails("jane@example.com")) == 1 })
	r, err = o.desk.AdoptCharge(o.as("sam"), adopt(a))
	o.wantSteps("the same again", r, err, append(allDone, "case closed DONE")...)
	r, err = o.desk.AdoptCharge(o.as("alex"), adopt(act("me too")))
	o.wantSteps("a colleague", r, err, wasSo...)
	other := adopt(act("for her sister"))
	other.Email = "joan@example.com"
	_, err = o.desk.AdoptCharge(o.as("alex"), other)
	o.wantRefused("for somebody else", err, codes.Aborted, "INVALID_STATE")

	o.sweeps()
	if d := one[string](o, "SELECT disposition FROM reconciliation.charge_dispositions WHERE charge_id = $1", charge); d != "RECOVERED" {
		t.Errorf("the sweep says %s", d)
	}
	if n := one[int](o, "SELECT count(*) FROM reconciliation.cases WHERE state = 'OPEN'"); n != 0 {
		t.Errorf("%d cases are open", n)
	}
	r, err = o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.GetId(), Act: act("they changed their mind")})
	o.wantSteps("its refund", r, err, "refund made DONE", "access withdrawn DONE")
	o.wantAudit(order.GetId(), "sam Refund DONE", "alex AdoptCharge DONE", "sam AdoptCharge DONE")
	if text := one[string](o, "SELECT string_agg(audit::text, ' ') FROM reconciliation.audit"); strings.Contains(text, "@example.com") {
		t.Errorf("the audit names the customer: %s", text)
	}
}

func TestAChargeThatSaysTooLittleIsAdopted(t *testing.T) {
	t.Parallel()
	o := open(t)
	charge := o.takes("jane@example.com", map[string]string{"makegood_app": "makegood"})
	o.sweeps()
	if n := one[int](o, "SELECT count(*) FROM reconciliation.cases WHERE kind = 'UNIDENTIFIED_CHARGE' AND state = 'OPEN'"); n != 1 {
		t.Fatalf("%d cases", n)
	}
	r, err := o.desk.AdoptCharge(o.as("sam"), &pb.AdoptChargeRequest{ChargeId: charge, Email: "jane@example.com", PlanId: "annual", Act: act("made by hand")})
	o.wantSteps("the adoption", r, err, append(allDone, "case closed DONE")...)
	o.sweeps()
	if d := one[string](o, "SELECT disposition FROM reconciliation.charge_dispositions WHERE charge_id = $1", charge); d != "RECOVERED" {
		t.Errorf("the sweep says %s", d)
	}
}

func TestWhatIsNotAdopted(t *testing.T) {
	t.Parallel()
	o := open(t, claims(t))
	old := o.takes("jane@example.com", map[string]string{"shop": "old"})
	foreign := o.takes("joe@example.com", nil)
	mine := o.chargeOf(o.Buyer("jim").Buys("annual", visa))
	for _, c := range []struct {
		what, charge, email, plan string
		code                      codes.Code
		reason                    string
	}{
		{"a foreign charge", foreign, "joe@example.com", "annual", codes.Aborted, "INVALID_STATE"},
		{"an order's charge", mine, "jim2@example.com", "annual", codes.Aborted, "INVALID_STATE"},
		{"a charge that is not", "ch_never", "joe@example.com", "annual", codes.NotFound, "CHARGE_NOT_FOUND"},
		{"a plan that is not", old, "jane@example.com", "weekly", codes.InvalidArgument, "INVALID_ARGUMENT"},
		{"a plan that renews", old, "jane@example.com", "annual-subscription", codes.InvalidArgument, "INVALID_ARGUMENT"},
		{"an address that is none", old, "jane at example", "annual", codes.InvalidArgument, "UNDELIVERABLE_ADDRESS"},
	} {
		for _, a := range []*pb.Act{dry("a try"), act("a try")} {
			_, err := o.desk.AdoptCharge(o.as("sam"), &pb.AdoptChargeRequest{ChargeId: c.charge, Email: c.email, PlanId: c.plan, Act: a})
			o.wantRefused(c.what, err, c.code, c.reason)
		}
	}
	if n := one[int](o, "SELECT count(*) FROM payments.payments") + one[int](o, "SELECT count(*) FROM reconciliation.cases"); n != 1 {
		t.Errorf("%d payments and cases, want jim's alone", n)
	}
	o.wantAudit(foreign, "sam AdoptCharge FAILED")
}

func TestEverythingOfACustomerIsRecovered(t *testing.T) {
	t.Parallel()
	o := open(t)
	jane, first := o.paidUnheard("jane")
	unpaid := o.Buyer("jane")
	if status, _, said := unpaid.Place("annual", map[string]any{"checkout": "HOSTED", "allow_repeat": true}); status >= 300 {
		t.Fatal(said)
	}
	byEmail := func(email string, a *pb.Act) *pb.RecoverRequest {
		return &pb.RecoverRequest{Target: &pb.RecoverRequest_Email{Email: email}, Act: a}
	}
	_, err := o.desk.Recover(o.as("sam"), byEmail("nobody@example.com", act("who")))
	o.wantRefused("nobody", err, codes.NotFound, "NOTHING_TO_RECOVER")
	r, err := o.desk.Recover(o.as("sam"), byEmail("JANE@example.com ", dry("she wrote")))
	if err != nil || len(r.GetSteps()) != 5 || jane.Looks().State != "PENDING" {
		t.Errorf("the dry run: %v %v", r, err)
	}
	r, err = o.desk.Recover(o.as("sam"), byEmail("JANE@example.com ", act("she wrote")))
	if err != nil || !r.GetDone() || len(r.GetSteps()) != 5 || r.GetOrder().GetId() != first.ID || r.GetOrder().GetRecoveredBy() != "support:sam" {
		t.Errorf("the recovery: %v %v", r, err)
	}
	o.wantAudit(first.ID, "sam Recover DONE")
}

// Of somebody with more charges than are read at once, it is not said that all is done,
// nor that there is nothing.
func TestWhatIsTooMuchToBeReadIsNotCalledRecovered(t *testing.T) {
	t.Parallel()
	o := open(t)
	var customer struct{ ID string }
	o.Stripe.Post("/v1/customers", url.Values{"email": {"jane@example.com"}}, &customer)
	now := o.Clock.Now()
	o.Stripe.Control("/_sim/seed/charges", map[string]any{"count": 201, "amount": 500, "currency": "usd", "customer": customer.ID, "from": now.Add(-time.Hour).Unix(), "to": now.Unix()}, nil)
	r, err := o.desk.Recover(o.as("sam"), &pb.RecoverRequest{Target: &pb.RecoverRequest_Email{Email: "jane@example.com"}, Act: act("she wrote")})
	if err != nil || r.GetDone() || len(r.GetSteps()) != 1 || !strings.Contains(r.GetSteps()[0].GetNote(), "not read") {
		t.Errorf("%v %v", r, err)
	}
}

func TestAConfirmationIsSentOnceMore(t *testing.T) {
	t.Parallel()
	o := open(t)
	jane := o.Buyer("jane")
	order := jane.Buys("annual", visa)
	o.await("the first mail", func() bool { return len(o.Mails(jane.Email)) == 1 })
	resend := func(id string, a *pb.Act) *pb.ResendMessageRequest {
		return &pb.ResendMessageRequest{OrderId: id, Act: a}
	}
	r, err := o.desk.ResendMessage(o.as("sam"), resend(order.ID, dry("it did not arrive")))
	o.wantSteps("the dry run", r, err, "mail queued WOULD_DO")
	a := act("it did not arrive")
	for range 2 {
		r, err = o.desk.ResendMessage(o.as("sam"), resend(order.ID, a))
		o.wantSteps("sent again", r, err, "mail queued DONE")
	}
	o.await("the second mail", func() bool { return len(o.Mails(jane.Email)) == 2 })
	for _, a := range []*pb.Act{dry("it did not arrive"), act("it did not arrive")} {
		_, err = o.desk.ResendMessage(o.as("alex"), resend(order.ID, a))
		o.wantRefused("a colleague a moment later", err, codes.Aborted, "INVALID_STATE")
	}
	mails := o.Mails(jane.Email)
	links := map[string]bool{}
	for _, m := range mails {
		if m.Kind() != "confirmation" {
			t.Errorf("a mail %s", m.Kind())
		}
		for _, word := range strings.Fields(m.Text) {
			if strings.Contains(word, "token=") || strings.Contains(word, "activat") && strings.HasPrefix(word, "http") {
				links[word] = true
			}
		}
	}
	if len(mails) != 2 || mails[0].MessageID == mails[1].MessageID || len(links) != 2 {
		t.Errorf("%d mails with the links %v", len(mails), links)
	}
	_, unpaid := o.paidUnheard("joe")
	_, err = o.desk.ResendMessage(o.as("sam"), resend(unpaid.ID, act("too early")))
	o.wantRefused("before there is anything to confirm", err, codes.Aborted, "INVALID_STATE")
	_, err = o.desk.ResendMessage(o.as("sam"), resend("00000000-0000-4000-8000-000000000001", act("which")))
	o.wantRefused("an order that is not", err, codes.NotFound, "ORDER_NOT_FOUND")
}
