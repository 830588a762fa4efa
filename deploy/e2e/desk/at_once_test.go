package desk

import (
	"context"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

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

// Two people, and one person in two windows, ask for the same at the same moment, each
// under a key of its own: it happens once, and whoever comes second is told by whom.
func TestTheSameWishUnderTwoKeysHappensOnce(t *testing.T) {
	t.Parallel()
	o := open(t)
	for _, actors := range [][]string{{"sam", "alex"}, {"sam", "sam"}} {
		jane := o.Buyer("jane" + strings.Join(actors, "-"))
		order := jane.Buys("annual", visa)
		o.await("the first mail", func() bool { return len(o.Mails(jane.Email)) == 1 })
		for what, ask := range map[string]func(context.Context, *pb.Act) error{
			"a part of the money": func(ctx context.Context, a *pb.Act) error {
				_, err := o.desk.Refund(ctx, &pb.RefundRequest{OrderId: order.ID, AmountMinor: 5000, Act: a})
				return err
			},
			"the confirmation": func(ctx context.Context, a *pb.Act) error {
				_, err := o.desk.ResendMessage(ctx, &pb.ResendMessageRequest{OrderId: order.ID, Act: a})
				return err
			},
			"a reply": func(ctx context.Context, a *pb.Act) error {
				_, err := o.desk.Reply(ctx, &pb.ReplyRequest{Template: pb.ReplyRequest_CHECK_SPAM, OrderId: order.ID, Send: true, Act: a})
				return err
			},
		} {
			errs := make([]error, len(actors))
			var wg sync.WaitGroup
			for i, actor := range actors {
				wg.Go(func() { errs[i] = ask(o.as(actor), act(what)) })
			}
			wg.Wait()
			refused := errs[0]
			if refused == nil {
				refused = errs[1]
			} else if errs[1] != nil {
				t.Fatalf("%s: both are refused: %v", what, errs)
			}
			o.wantRefused(what+" by "+strings.Join(actors, " and "), refused, codes.Aborted, "INVALID_STATE")
			if err := ask(o.as("alex"), act("later")); err == nil {
				t.Errorf("%s: once more within the same minute", what)
			}
		}
		if back, n := o.atStripe(o.chargeOf(order)); back != 5000 || n != 1 {
			t.Errorf("%v: %d went back in %d refunds", actors, back, n)
		}
		if n := one[int](o, "SELECT count(*) FROM notifications.messages WHERE order_id = $1 AND kind IN ('CONFIRMATION', 'SUPPORT_REPLY')", order.ID); n != 3 {
			t.Errorf("%v: %d messages", actors, n)
		}
	}
	// Each wish is in the audit with its end, the refused with by whom.
	if n := one[int](o, "SELECT count(*) FROM reconciliation.audit WHERE what = 'FAILED' AND error LIKE '%has asked for the very same%' OR what = 'FAILED' AND error LIKE '%have asked for the very same%'"); n != 12 {
		t.Errorf("%d refusals in the audit", n)
	}
	// A while later it is another wish.
	if _, err := o.DB.Exec(t.Context(), "UPDATE reconciliation.audit SET at = at - interval '3 minutes'"); err != nil {
		t.Fatal(err)
	}
	order := one[string](o, "SELECT order_id::text FROM payments.refunds LIMIT 1")
	r, err := o.desk.Refund(o.as("alex"), &pb.RefundRequest{OrderId: order, AmountMinor: 5000, Act: act("agreed on a second part")})
	o.wantSteps("later", r, err, "refund made DONE", "access withdrawn NOT_NEEDED")
}
