package desk

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/deploy/internal/oneprocess"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

// atStripe is how much of a charge went back.
func (o *office) atStripe(chargeID string) (refunded int64, refunds int) {
	o.t.Helper()
	var c struct {
		AmountRefunded int64 `json:"amount_refunded"`
	}
	o.Stripe.Get("/v1/charges/"+chargeID, nil, &c)
	var list struct {
		Data []struct{} `json:"data"`
	}
	o.Stripe.Get("/v1/refunds", url.Values{"charge": {chargeID}}, &list)
	return c.AmountRefunded, len(list.Data)
}

func (o *office) chargeOf(order oneprocess.Order) string {
	o.t.Helper()
	return one[string](o, "SELECT charge_id FROM payments.payments WHERE order_id = $1", order.ID)
}

func TestARefundInPartAndThenTheRest(t *testing.T) {
	t.Parallel()
	o := open(t)
	order := o.Buyer("jane").Buys("annual", visa)
	charge := o.chargeOf(order)
	part := &pb.RefundRequest{OrderId: order.ID, AmountMinor: 5000, Act: dry("a gesture")}
	r, err := o.desk.Refund(o.as("sam"), part)
	o.wantSteps("the dry run of a part", r, err, "refund made WOULD_DO", "access withdrawn NOT_NEEDED")
	if back, n := o.atStripe(charge); back != 0 || n != 0 || one[int](o, "SELECT count(*) FROM payments.refunds") != 0 {
		t.Fatalf("the dry run gave %d back", back)
	}
	part.Act = act("a gesture")
	for range 2 {
		r, err = o.desk.Refund(o.as("sam"), part)
		o.wantSteps("a part", r, err, "refund made DONE", "access withdrawn NOT_NEEDED")
	}
	if back, n := o.atStripe(charge); back != 5000 || n != 1 {
		t.Errorf("%d went back in %d refunds", back, n)
	}
	_, err = o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, AmountMinor: 20000, Act: dry("too much")})
	o.wantRefused("more than is left, dry", err, codes.Aborted, "REFUND_TOO_LARGE")
	_, err = o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, AmountMinor: 20000, Act: act("too much")})
	o.wantRefused("more than is left", err, codes.Aborted, "REFUND_TOO_LARGE")

	all := &pb.RefundRequest{OrderId: order.ID, Act: dry("they do not want it")}
	r, err = o.desk.Refund(o.as("sam"), all)
	o.wantSteps("the dry run of the rest", r, err, "refund made WOULD_DO", "access withdrawn WOULD_DO")
	all.Act = act("they do not want it")
	r, err = o.desk.Refund(o.as("sam"), all)
	o.wantSteps("the rest", r, err, "refund made DONE", "access withdrawn DONE")
	if back, n := o.atStripe(charge); back != 24900 || n != 2 {
		t.Errorf("%d went back in %d refunds", back, n)
	}
	if r.GetOrder().GetState().String() != "REFUNDED" || one[int](o, "SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL") != 0 {
		t.Errorf("the order is %v", r.GetOrder())
	}
	if actor := one[string](o, "SELECT DISTINCT actor FROM payments.refunds"); actor != "sam" {
		t.Errorf("Payments has %q as who refunded", actor)
	}
	o.wantAudit(order.ID, "sam Refund DONE", "sam Refund FAILED", "sam Refund DONE")
}

// Somebody gave it back in Stripe's dashboard, and no webhook has said so: the dry run
// knows, nobody is told that the money is still with us, and the access follows.
func TestWhatWentBackInTheDashboardIsNotRefundedAgain(t *testing.T) {
	t.Parallel()
	o := open(t)
	order := o.Buyer("jane").Buys("annual", visa)
	o.Stripe.Post("/v1/refunds", url.Values{"charge": {o.chargeOf(order)}}, &struct{}{})
	for _, a := range []*pb.Act{dry("she wrote"), act("she wrote")} {
		_, err := o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, Act: a})
		o.wantRefused("what went back", err, codes.Aborted, "REFUND_TOO_LARGE")
	}
	if n := one[int](o, "SELECT count(*) FROM reconciliation.cases"); n != 0 {
		t.Errorf("%d cases of money that went back", n)
	}
	if one[string](o, "SELECT state FROM orders.orders") != "REFUNDED" || one[int](o, "SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL") != 0 {
		t.Error("the access did not follow the money")
	}
}

func TestWhatIsNotRefunded(t *testing.T) {
	t.Parallel()
	o := open(t)
	_, err := o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: uuid.NewString(), Act: act("who")})
	o.wantRefused("an order that is not", err, codes.NotFound, "ORDER_NOT_FOUND")
	order := o.Buyer("jane").Buys("annual", visa)
	other := o.Buyer("joe").Buys("annual", visa)
	_, err = o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, ChargeId: o.chargeOf(other), Act: act("the wrong one")})
	o.wantRefused("somebody else's charge", err, codes.Aborted, "CHARGE_OF_ANOTHER")
	if _, err := o.DB.Exec(t.Context(), "UPDATE payments.payments SET dispute = 'OPEN' WHERE order_id = $1", order.ID); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*pb.Act{dry("disputed"), act("disputed")} {
		_, err = o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, Act: a})
		o.wantRefused("a disputed one", err, codes.Aborted, "REFUND_DISPUTED")
	}
	if entries := o.wantAudit(order.ID, "sam Refund FAILED", "sam Refund FAILED"); !strings.Contains(entries[0].GetError(), "disput") {
		t.Errorf("the audit says %q", entries[0].GetError())
	}
}

// Two clicks with one key, and two people with two.
func TestAtOnceMoneyGoesBackOnce(t *testing.T) {
	t.Parallel()
	o := open(t)
	for _, c := range []struct {
		name   string
		actors []string
	}{{"double click", []string{"sam", "sam"}}, {"two people", []string{"sam", "alex"}}} {
		order := o.Buyer(strings.ReplaceAll(c.name, " ", "-")).Buys("annual", visa)
		shared := act(c.name)
		var wg sync.WaitGroup
		answers, errs := make([]*pb.ActionResponse, 2), make([]error, 2)
		for i, actor := range c.actors {
			a := shared
			if c.name == "two people" {
				a = act(c.name)
			}
			wg.Go(func() {
				answers[i], errs[i] = o.desk.Refund(o.as(actor), &pb.RefundRequest{OrderId: order.ID, Act: a})
			})
		}
		wg.Wait()
		if back, n := o.atStripe(o.chargeOf(order)); back != 24900 || n != 1 {
			t.Errorf("%s: %d went back in %d refunds", c.name, back, n)
		}
		done := 0
		for i := range answers {
			if errs[i] == nil && answers[i].GetDone() {
				done++
			}
		}
		switch {
		case c.name == "double click" && done != 2:
			t.Errorf("double click: %v %v", answers, errs)
		case c.name == "two people" && done != 1:
			t.Errorf("two people: %v %v", answers, errs)
		}
	}
}

func TestTheSecondOfTwoPaymentsGoesBackAndItsCaseCloses(t *testing.T) {
	t.Parallel()
	o := open(t)
	jane := o.Buyer("jane")
	first := jane.Buys("annual", visa)
	again := o.Buyer("jane")
	_, second, said := again.Place("annual", map[string]any{"payment_method": visa, "allow_repeat": true})
	if second.State != "COMPLETE" {
		t.Fatal(said)
	}
	charge := o.chargeOf(second)
	if _, err := pb.NewReconciliationServiceClient(o.Conn("reconciliation", "orders")).OpenCase(t.Context(), &pb.OpenCaseRequest{
		Kind: pb.Case_DUPLICATE_CHARGE, Subject: "order/" + second.ID, Summary: "paid twice: " + o.chargeOf(first) + " and " + charge,
	}); err != nil {
		t.Fatal(err)
	}
	req := &pb.RefundRequest{OrderId: second.ID, ChargeId: charge, Act: dry("paid twice")}
	r, err := o.desk.Refund(o.as("sam"), req)
	o.wantSteps("the dry run", r, err, "refund made WOULD_DO", "access withdrawn WOULD_DO", "case closed WOULD_DO")
	req.Act = act("paid twice")
	r, err = o.desk.Refund(o.as("sam"), req)
	o.wantSteps("the second", r, err, "refund made DONE", "access withdrawn DONE", "case closed DONE")
	if n := one[int](o, "SELECT count(*) FROM reconciliation.cases WHERE state = 'OPEN'"); n != 0 {
		t.Errorf("%d cases are open", n)
	}
	if back, _ := o.atStripe(o.chargeOf(first)); back != 0 || one[int](o, "SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL") != 1 {
		t.Error("the first payment or its access did not stay")
	}
}

// A second charge for one order: two people, each with a key of their own, at once.
func TestASecondChargeOfOneOrderGoesBackOnce(t *testing.T) {
	t.Parallel()
	o := open(t)
	jane := o.Buyer("jane")
	order := jane.Buys("annual", visa)
	second := o.takesFrom(one[string](o, "SELECT customer_id FROM payments.payments WHERE order_id = $1", order.ID), map[string]string{"makegood_app": "makegood", "order_id": order.ID, "reference": jane.Reference, "plan_id": "annual"})
	o.sweeps()
	if n := one[int](o, "SELECT count(*) FROM reconciliation.cases WHERE kind = 'DUPLICATE_CHARGE' AND state = 'OPEN'"); n != 1 {
		t.Fatalf("%d cases", n)
	}
	r, err := o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, ChargeId: second, Act: dry("paid twice")})
	o.wantSteps("the dry run", r, err, "refund made WOULD_DO", "access withdrawn NOT_NEEDED", "case closed WOULD_DO")
	refund := func(actor string) func() (*pb.ActionResponse, error) {
		return func() (*pb.ActionResponse, error) {
			return o.desk.Refund(o.as(actor), &pb.RefundRequest{OrderId: order.ID, ChargeId: second, Act: act("paid twice")})
		}
	}
	o.atOnce("refund the second", refund("sam"), refund("alex"))
	if back, n := o.atStripe(second); back != 24900 || n != 1 {
		t.Errorf("%d went back in %d refunds", back, n)
	}
	if back, _ := o.atStripe(o.chargeOf(order)); back != 0 || jane.Looks().State != "COMPLETE" {
		t.Errorf("%d of the first went back, and the order is %s", back, jane.Looks().State)
	}
	o.sweeps()
	if n := one[int](o, "SELECT count(*) FROM reconciliation.cases WHERE state = 'OPEN'"); n != 0 {
		t.Errorf("%d cases are open", n)
	}
	r, err = refund("alex")()
	o.wantSteps("once more", r, err, "refund made NOT_NEEDED", "access withdrawn NOT_NEEDED")

	// What went back of the second is no part of what goes back of the first.
	r, err = o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, AmountMinor: 5000, Act: act("a bad day")})
	o.wantSteps("a part of the first", r, err, "refund made DONE", "access withdrawn NOT_NEEDED")
	if one[int](o, "SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL") != 1 {
		t.Error("a part went back, and the access with it")
	}
}
