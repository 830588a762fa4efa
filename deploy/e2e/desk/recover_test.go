package desk

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/deploy/internal/oneprocess"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

func byOrder(id string, a *pb.Act) *pb.RecoverRequest {
	return &pb.RecoverRequest{Target: &pb.RecoverRequest_OrderId{OrderId: id}, Act: a}
}

func byCharge(id string, a *pb.Act) *pb.RecoverRequest {
	return &pb.RecoverRequest{Target: &pb.RecoverRequest_ChargeId{ChargeId: id}, Act: a}
}

// paidUnheard is an order that is paid on Stripe's page, of which nobody here has heard.
func (o *office) paidUnheard(name string) (*oneprocess.Buyer, oneprocess.Order) {
	o.t.Helper()
	b := o.Buyer(name)
	order := b.Orders("annual", "HOSTED")
	b.PaysOn(order.NextAction.URL, visa)
	if s := b.Looks().State; s != "PENDING" {
		o.t.Fatalf("the order is %s before anybody did anything", s)
	}
	return b, order
}

var (
	wouldDo = []string{"money looked at DONE", "order recorded WOULD_DO", "order advanced WOULD_DO", "access granted WOULD_DO", "mail queued WOULD_DO"}
	allDone = []string{"money looked at DONE", "order recorded DONE", "order advanced DONE", "access granted DONE", "mail queued DONE"}
	wasSo   = []string{"money looked at DONE", "order recorded NOT_NEEDED", "order advanced NOT_NEEDED", "access granted NOT_NEEDED", "mail queued NOT_NEEDED"}
)

func TestOneRecoverMendsAnOrderWhoseMoneyNobodyHeardOf(t *testing.T) {
	t.Parallel()
	o := open(t)
	jane, order := o.paidUnheard("jane")
	a := act("jane wrote: paid, and no access")

	r, err := o.desk.Recover(o.as("sam"), byOrder(order.ID, &pb.Act{IdempotencyKey: a.GetIdempotencyKey(), Reason: a.GetReason(), DryRun: true}))
	o.wantSteps("the dry run", r, err, wouldDo...)
	if s := jane.Looks().State; s != "PENDING" || one[int](o, "SELECT count(*) FROM reconciliation.audit") != 0 {
		t.Errorf("the dry run left the order %s and a row", s)
	}

	r, err = o.desk.Recover(o.as("sam"), byOrder(order.ID, a))
	o.wantSteps("the recovery", r, err, allDone...)
	if got := r.GetOrder(); got.GetState().String() != jane.Looks().State || got.GetRecoveredBy() != "support:sam" || got.GetAccessUntil() == nil {
		t.Errorf("the order is %v", got)
	}
	if account := one[uuid.UUID](o, "SELECT account_id FROM provisioning.grants WHERE order_id = $1", order.ID); !o.Access(account.String()).Active {
		t.Error("done was said without access")
	}
	o.await("the mail", func() bool { return len(o.Mails(jane.Email)) > 0 })

	again, err := o.desk.Recover(o.as("sam"), byOrder(order.ID, a))
	o.wantSteps("the same again", again, err, allDone...)
	if again.GetAuditId() != r.GetAuditId() {
		t.Errorf("audit %d, then %d", r.GetAuditId(), again.GetAuditId())
	}
	other, err := o.desk.Recover(o.as("alex"), byOrder(order.ID, act("I saw it too")))
	o.wantSteps("a colleague a moment later", other, err, wasSo...)
	_, err = o.desk.Recover(o.as("alex"), byOrder(order.ID, a))
	o.wantRefused("somebody else's key", err, codes.Aborted, "IDEMPOTENCY_KEY_REUSED")
	_, err = o.desk.Recover(o.as("sam"), byOrder(uuid.NewString(), a))
	o.wantRefused("the key for another order", err, codes.Aborted, "IDEMPOTENCY_KEY_REUSED")
	_, err = o.desk.Recover(o.as("vera"), byOrder(order.ID, act("I only look")))
	o.wantRefused("a viewer", err, codes.PermissionDenied, "PERMISSION_DENIED")

	entries := o.wantAudit(order.ID, "alex Recover DONE", "sam Recover DONE")
	e := entries[1]
	if !strings.Contains(e.GetBeforeJson(), `"PENDING"`) || !strings.Contains(e.GetAfterJson(), `"access": true`) || e.GetReason() != a.GetReason() || e.GetRole() != "support" {
		t.Errorf("the audit entry is %v", e)
	}
	for _, actor := range []string{"support:sam"} {
		if n := one[int](o, "SELECT count(*) FROM orders.history WHERE order_id = $1 AND actor = $2", order.ID, actor); n == 0 {
			t.Errorf("Orders' own history names nobody")
		}
	}
	if mails := o.Mails(jane.Email); len(mails) != 1 {
		t.Errorf("%d mails", len(mails))
	}
	if n := one[int](o, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1", order.ID); n != 1 {
		t.Errorf("%d grants", n)
	}
	if text := one[string](o, "SELECT string_agg(audit::text, ' ') FROM reconciliation.audit"); strings.Contains(text, jane.Email) {
		t.Errorf("the audit names the customer: %s", text)
	}
}

func TestAChargeIsRecoveredWithoutItsOrder(t *testing.T) {
	t.Parallel()
	o := open(t)
	jane := o.Buyer("jane")
	order := jane.Buys("annual", visa)
	charge := one[string](o, "SELECT charge_id FROM payments.payments WHERE order_id = $1", order.ID)
	o.lose("orders.history", "orders.orders")
	o.lose("provisioning.grants")

	r, err := o.desk.Recover(o.as("sam"), byCharge(charge, dry("a restored backup")))
	o.wantSteps("the dry run", r, err, wouldDo...)
	r, err = o.desk.Recover(o.as("sam"), byCharge(charge, act("a restored backup")))
	o.wantSteps("the recovery", r, err, "money looked at DONE", "order recorded DONE", "order advanced DONE", "access granted DONE", "mail queued DONE")
	if got := r.GetOrder(); got.GetId() != order.ID || got.GetState().String() != "RECOVERED" || got.GetRecoveredBy() != "support:sam" {
		t.Errorf("the order is %v", got)
	}
	o.wantAudit(charge, "sam Recover DONE")
	o.wantAudit(order.ID, "sam Recover DONE")
}

func TestAnOrderWithoutAccessIsRecoveredOnceProvisioningIsBack(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.Stop("provisioning")
	jane := o.Buyer("jane")
	_, order, said := jane.Place("annual", map[string]any{"payment_method": visa})
	if s := jane.Looks().State; s != "CHARGED" {
		t.Fatalf("the order is %s: %s", s, said)
	}
	a := act("no access")
	_, err := o.desk.Recover(o.as("sam"), byOrder(order.ID, a))
	o.wantRefused("while Provisioning is away", err, codes.Unavailable, "PEER_UNAVAILABLE")
	o.wantAudit(order.ID, "sam Recover FAILED")
	o.Start("provisioning")
	var r *pb.ActionResponse
	o.await("the recovery", func() bool { // Orders may not have found Provisioning again at once
		r, err = o.desk.Recover(o.as("sam"), byOrder(order.ID, a))
		return err == nil && r.GetDone()
	})
	o.wantSteps("the same key again", r, err, "money looked at DONE", "order recorded NOT_NEEDED", "order advanced DONE", "access granted DONE", "mail queued DONE")
	o.wantAudit(order.ID, "sam Recover DONE")
}

func TestWhatThereIsNothingToRecoverOf(t *testing.T) {
	t.Parallel()
	o := open(t)
	nobody := func(what string, r *pb.RecoverRequest) {
		t.Helper()
		for _, dry := range []bool{true, false} {
			r.Act = act("a try")
			r.Act.DryRun = dry
			_, err := o.desk.Recover(o.as("sam"), r)
			o.wantRefused(what, err, codes.NotFound, "NOTHING_TO_RECOVER")
		}
	}
	nobody("an order that is not", byOrder(uuid.NewString(), nil))
	nobody("a charge that is not", byCharge("ch_never", nil))
	unpaid := o.Buyer("unpaid").Orders("annual", "HOSTED")
	nobody("an order that is not paid", byOrder(unpaid.ID, nil))
	if s := one[string](o, "SELECT state FROM orders.orders WHERE id = $1", unpaid.ID); s != "PENDING" {
		t.Errorf("the unpaid order is %s", s)
	}
	o.wantAudit(unpaid.ID, "sam Recover FAILED")

	jane := o.Buyer("jane")
	order := jane.Buys("annual", visa)
	if _, err := o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, Act: act("asked for it")}); err != nil {
		t.Fatal(err)
	}
	nobody("an order that was refunded", byOrder(order.ID, nil))
}

func TestNobodyIsToldThatNothingWasChargedWhenStripeIsAway(t *testing.T) {
	t.Parallel()
	o := open(t, "STRIPE_TIMEOUT=1s")
	_, order := o.paidUnheard("jane")
	o.Stripe.Control("/_sim/faults", map[string]any{"mode": "error_before", "status": 500, "path": "/v1/charges*", "method": "GET", "times": 1000}, nil)
	_, err := o.desk.Recover(o.as("sam"), byOrder(order.ID, act("no access")))
	o.wantRefused("Stripe is away", err, codes.Unavailable, "STRIPE_UNREACHABLE")
	if entries := o.wantAudit(order.ID, "sam Recover FAILED"); !strings.Contains(entries[0].GetError(), "Stripe") {
		t.Errorf("the audit says %q", entries[0].GetError())
	}
}

// await waits until something holds.
func (o *office) await(what string, holds func() bool) {
	o.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// lose empties tables, as a backup that is too old does.
func (o *office) lose(tables ...string) {
	o.t.Helper()
	if _, err := o.DB.Exec(o.t.Context(), "TRUNCATE "+strings.Join(tables, ", ")+" CASCADE"); err != nil {
		o.t.Fatal(err)
	}
}

func TestATermThatIsOverNeedsNothing(t *testing.T) {
	t.Parallel()
	o := open(t)
	order := o.Buyer("jane").Buys("annual", visa)
	o.Advance(400*24*time.Hour, nil)
	r, err := o.desk.Recover(o.as("sam"), byOrder(order.ID, act("is all well?")))
	o.wantSteps("a year later", r, err, wasSo...)
	for _, s := range r.GetSteps() {
		if s.GetWhat() == "access granted" && !strings.Contains(s.GetNote(), "ended on 2027-01-01") {
			t.Errorf("the access: %v", s)
		}
	}
}
