package desk

import (
	"sync"
	"testing"

	pb "makegood.example/proto/gen/reconciliation/v1"
)

// atOnce has wishes sent at the same moment; every one must be done.
func (o *office) atOnce(what string, wishes ...func() (*pb.ActionResponse, error)) (audits map[int64]bool) {
	o.t.Helper()
	var wg sync.WaitGroup
	answers, errs := make([]*pb.ActionResponse, len(wishes)), make([]error, len(wishes))
	for i, wish := range wishes {
		wg.Go(func() { answers[i], errs[i] = wish() })
	}
	wg.Wait()
	audits = map[int64]bool{}
	for i, a := range answers {
		if errs[i] != nil || !a.GetDone() {
			o.t.Errorf("%s: %v %v", what, a, errs[i])
		}
		audits[a.GetAuditId()] = true
	}
	return audits
}

// Two clicks of one person and one of another, all at once: there is one order, one
// grant and one mail, and one audit entry for each wish.
func TestAtOnceThereIsOneOfEverything(t *testing.T) {
	t.Parallel()
	o := open(t, claims(t))
	recover := func(actor string, r *pb.RecoverRequest) func() (*pb.ActionResponse, error) {
		return func() (*pb.ActionResponse, error) { return o.desk.Recover(o.as(actor), r) }
	}
	jane, order := o.paidUnheard("jane")
	shared := byOrder(order.ID, act("she wrote"))
	if audits := o.atOnce("recover", recover("sam", shared), recover("sam", shared), recover("alex", byOrder(order.ID, act("she wrote to me")))); len(audits) != 2 {
		t.Errorf("audit entries %v", audits)
	}
	adopt := func(actor string, r *pb.AdoptChargeRequest) func() (*pb.ActionResponse, error) {
		return func() (*pb.ActionResponse, error) { return o.desk.AdoptCharge(o.as(actor), r) }
	}
	charge := o.takes("joe@example.com", map[string]string{"shop": "old"})
	joes := func() *pb.AdoptChargeRequest {
		return &pb.AdoptChargeRequest{ChargeId: charge, Email: "joe@example.com", PlanId: "annual", Act: act("he wrote")}
	}
	twice := joes()
	if audits := o.atOnce("adopt", adopt("sam", twice), adopt("sam", twice), adopt("alex", joes())); len(audits) != 2 {
		t.Errorf("audit entries %v", audits)
	}
	for _, email := range []string{jane.Email, "joe@example.com"} {
		o.await("the mail", func() bool { return len(o.Mails(email)) > 0 })
	}
	again := &pb.ResendMessageRequest{OrderId: order.ID, Act: act("it did not arrive")}
	resend := func() (*pb.ActionResponse, error) { return o.desk.ResendMessage(o.as("sam"), again) }
	o.atOnce("resend", resend, resend, resend)
	o.await("the second mail", func() bool { return len(o.Mails(jane.Email)) > 1 })
	for query, want := range map[string]int{
		"SELECT count(*) FROM orders.orders": 2, "SELECT count(*) FROM provisioning.grants": 2, "SELECT count(*) FROM payments.payments": 2,
		"SELECT count(*) FROM notifications.messages WHERE kind IN ('CONFIRMATION', 'RECOVERY')": 3,
		"SELECT count(*) FROM reconciliation.audit WHERE what = 'ASKED'":                         5,
		"SELECT count(*) FROM reconciliation.audit WHERE what = 'DONE'":                          5,
		"SELECT count(*) FROM reconciliation.audit WHERE what = 'FAILED'":                        0,
	} {
		if n := one[int](o, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
}
