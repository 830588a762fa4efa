package desk

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"makegood.example/deploy/inbox"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

// says checks that a text has some words, and not others.
func says(t *testing.T, what, text string, has, not []string) {
	t.Helper()
	for _, w := range has {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q:\n%s", what, w, text)
		}
	}
	for _, w := range append(not, "%!", "0001") {
		if strings.Contains(text, w) {
			t.Errorf("%s says %q:\n%s", what, w, text)
		}
	}
}

// A reply is refused until what it says has happened, and then arrives once, as it was
// shown, in the customer's thread.
func TestARecoveryIsToldWhenItHasHappened(t *testing.T) {
	t.Parallel()
	o := open(t, "APP_NAME=Example App", "LOGIN_URL=https://app.example.com/sign-in", "SUPPORT_EMAIL=help@example.com")
	jane, order := o.paidUnheard("jane")
	ask := func(template pb.ReplyRequest_Template, a *pb.Act, send bool) *pb.ReplyRequest {
		return &pb.ReplyRequest{
			Template: template, OrderId: order.ID, Subject: "Re: RE: paid, but no access!", InReplyTo: "<1234@mail.example.com>",
			SignedBy: "Sam Example", Send: send, Act: a,
		}
	}
	for _, template := range []pb.ReplyRequest_Template{pb.ReplyRequest_RECOVERY, pb.ReplyRequest_RESEND, pb.ReplyRequest_REFUND_OFFERED, pb.ReplyRequest_REFUNDED, pb.ReplyRequest_CHECK_SPAM, pb.ReplyRequest_DUPLICATE} {
		_, err := o.desk.Reply(o.as("sam"), ask(template, act("jane wrote"), true))
		o.wantRefused(template.String()+" before anything happened", err, codes.Aborted, "NOT_SO_YET")
	}
	if n := one[int](o, "SELECT count(*) FROM notifications.letters"); n != 0 {
		t.Fatalf("%d letters were queued", n)
	}
	if _, err := o.desk.Recover(o.as("sam"), byOrder(order.ID, act("jane wrote"))); err != nil {
		t.Fatal(err)
	}
	o.Settle()

	a := act("jane has access now")
	shown, err := o.desk.Reply(o.as("sam"), ask(pb.ReplyRequest_RECOVERY, a, false))
	if err != nil || shown.GetQueued() || shown.GetTo() != jane.Email || shown.GetSubject() != "Re: paid, but no access!" {
		t.Fatalf("%v %v", shown, err)
	}
	_, err = o.desk.Reply(o.as("vera"), ask(pb.ReplyRequest_RECOVERY, act("I only look"), false))
	o.wantRefused("a viewer", err, codes.PermissionDenied, "PERMISSION_DENIED")
	said, _ := o.audit(order.ID)
	if strings.Contains(strings.Join(said, " "), "Reply DONE") || len(o.Mails(jane.Email)) != 1 {
		t.Error("what was only shown left an entry or was sent")
	}
	says(t, "the recovery", shown.GetText(), []string{
		"Hello Jane Example,", "frightening", "works now", "https://app.example.com/sign-in", jane.Email, "without one",
		"Plan: ", "Amount: $249.00", "Order reference: " + strings.ToUpper(jane.Reference[:8]), "Valid until: ", "Sam Example\nExample App",
	}, []string{"again be", "never happen", "cannot happen", "guarantee"})

	sent, err := o.desk.Reply(o.as("sam"), ask(pb.ReplyRequest_RECOVERY, a, true))
	if err != nil || !sent.GetQueued() || sent.GetText() != shown.GetText() || sent.GetSubject() != shown.GetSubject() {
		t.Fatalf("%v %v", sent, err)
	}
	again, err := o.desk.Reply(o.as("sam"), ask(pb.ReplyRequest_RECOVERY, a, true))
	if err != nil || !again.GetQueued() || again.GetText() != sent.GetText() {
		t.Errorf("the same again: %v %v", again, err)
	}
	_, err = o.desk.Reply(o.as("alex"), ask(pb.ReplyRequest_RECOVERY, a, true))
	o.wantRefused("somebody else's key", err, codes.Aborted, "IDEMPOTENCY_KEY_REUSED")
	o.Settle()
	mails := o.Mails(jane.Email)
	if len(mails) != 2 {
		t.Fatalf("%d mails", len(mails))
	}
	m := mails[1]
	if m.Kind() != "support_reply" || m.Subject != "Re: paid, but no access!" || strings.TrimSpace(strings.ReplaceAll(m.Text, "\r\n", "\n")) != strings.TrimSpace(sent.GetText()) {
		t.Errorf("the mail is %+v", m)
	}
	for key, want := range map[string]string{"In-Reply-To": "<1234@mail.example.com>", "References": "<1234@mail.example.com>", "Reply-To": "<help@example.com>", "X-Makegood-Order": order.ID} {
		if m.Headers[key] != want {
			t.Errorf("%s: %q, want %q", key, m.Headers[key], want)
		}
	}
	entries := o.wantAudit(order.ID, "sam Reply DONE", "sam Recover DONE", "sam Reply FAILED", "sam Reply FAILED", "sam Reply FAILED", "sam Reply FAILED", "sam Reply FAILED", "sam Reply FAILED")
	if !strings.Contains(entries[0].GetAfterJson(), "RECOVERY") || strings.Contains(entries[0].String(), jane.Email) {
		t.Errorf("the entry is %v", entries[0])
	}

	offer, err := o.desk.Reply(o.as("sam"), ask(pb.ReplyRequest_REFUND_OFFERED, act("she is still upset"), false))
	if err != nil {
		t.Fatal(err)
	}
	says(t, "the offer", offer.GetText(), []string{"works now", "One word in answer to this mail is enough", "$249.00"}, nil)
	if _, err := o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: order.ID, Act: act("she asked for it")}); err != nil {
		t.Fatal(err)
	}
	_, err = o.desk.Reply(o.as("sam"), ask(pb.ReplyRequest_REFUND_OFFERED, act("again"), false))
	o.wantRefused("an offer of what went back", err, codes.Aborted, "NOT_SO_YET")
	refunded, err := o.desk.Reply(o.as("sam"), ask(pb.ReplyRequest_REFUNDED, act("it is on its way"), false))
	if err != nil {
		t.Fatal(err)
	}
	says(t, "the refund", refunded.GetText(), []string{"$249.00 of your payment of $249.00", one[string](o, "SELECT stripe_refund_id FROM payments.refunds WHERE order_id = $1", order.ID), "business days", "has ended"}, nil)
}

func TestTheOtherReplies(t *testing.T) {
	t.Parallel()
	o := open(t)
	jane := o.Buyer("jane")
	first := jane.Buys("annual", visa)
	o.Settle()
	write := func(template pb.ReplyRequest_Template, orderID, to string) string {
		t.Helper()
		r, err := o.desk.Reply(o.as("sam"), &pb.ReplyRequest{Template: template, OrderId: orderID, To: to, Act: act("jane wrote")})
		if err != nil {
			t.Fatalf("%s: %v", template, err)
		}
		if !strings.HasSuffix(strings.TrimSpace(r.GetText()), "sam\nMakegood") && !strings.Contains(r.GetText(), "\nsam\n") {
			t.Errorf("%s is not signed by who asks:\n%s", template, r.GetText())
		}
		return r.GetText()
	}
	says(t, "check spam", write(pb.ReplyRequest_CHECK_SPAM, first.ID, ""), []string{"is in place", "spam folder", "Log in at", "ask it for a new one"}, []string{"sorry"})
	says(t, "resent", write(pb.ReplyRequest_RESEND, first.ID, ""), []string{"handed to your mail provider", "spam folder", jane.Email}, nil)
	says(t, "not found", write(pb.ReplyRequest_NOT_FOUND, "", "joe@example.com"), []string{"another email address", "last four digits", "exact amount", "date on the statement", "reference", "another seller"}, nil)

	twice := o.Buyer("jane")
	status, second, _ := twice.Place("annual", map[string]any{"payment_method": visa, "allow_repeat": true})
	if status != 200 {
		t.Fatal(status)
	}
	_, err := o.desk.Reply(o.as("sam"), &pb.ReplyRequest{Template: pb.ReplyRequest_DUPLICATE, OrderId: second.ID, Act: act("jane wrote")})
	o.wantRefused("a duplicate that is still here", err, codes.Aborted, "NOT_SO_YET")
	if _, err := o.desk.Refund(o.as("sam"), &pb.RefundRequest{OrderId: second.ID, Act: act("bought twice")}); err != nil {
		t.Fatal(err)
	}
	says(t, "the duplicate", write(pb.ReplyRequest_DUPLICATE, second.ID, ""), []string{"charged twice", "The second payment of $249.00", "The first payment of $249.00 stays"}, nil)

	for name, r := range map[string]*pb.ReplyRequest{
		"about no order":       {Template: pb.ReplyRequest_RECOVERY, Act: act("x")},
		"to nobody":            {Template: pb.ReplyRequest_NOT_FOUND, Act: act("x")},
		"an order that is not": {Template: pb.ReplyRequest_RECOVERY, OrderId: "x", Act: act("x")},
		"to no address":        {Template: pb.ReplyRequest_NOT_FOUND, To: "joe", Send: true, Act: act("x")},
	} {
		if _, err := o.desk.Reply(o.as("sam"), r); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	_, err = o.desk.Reply(o.as("sam"), &pb.ReplyRequest{Template: pb.ReplyRequest_RECOVERY, OrderId: uuid.NewString(), Act: act("x")})
	o.wantRefused("of an unknown order", err, codes.NotFound, "ORDER_NOT_FOUND")
	o.Stop("provisioning")
	_, err = o.desk.Reply(o.as("sam"), &pb.ReplyRequest{Template: pb.ReplyRequest_RECOVERY, OrderId: first.ID, Act: act("x")})
	o.wantRefused("while it cannot be read", err, codes.Unavailable, "UNREADABLE")
	o.Start("provisioning")
}

// While the mail server is away a reply waits, and is sent once when it is back.
func TestAReplyOutlivesTheMailServer(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.MailFaults(inbox.Faults{})
	o.StopMail()
	a := act("nothing was found")
	r := &pb.ReplyRequest{Template: pb.ReplyRequest_NOT_FOUND, To: "joe@example.com", Subject: "help", SignedBy: "Sam Example", Send: true, Act: a}
	for range 2 {
		if sent, err := o.desk.Reply(o.as("sam"), r); err != nil || !sent.GetQueued() || sent.GetSubject() != "Re: help" {
			t.Fatalf("%v %v", sent, err)
		}
	}
	o.Settle()
	o.wantInTimeline("joe@example.com", "The reply of a person on support was queued, and the mail server has not taken it yet.")
	o.wantInTimeline("jane@example.com")
	o.StartMail()
	o.Advance(10*60*1e9, nil)
	if mails := o.Mails("joe@example.com"); len(mails) != 1 || mails[0].Headers["X-Makegood-Order"] != "" {
		t.Errorf("%v", mails)
	}
	o.wantAudit("reply/"+a.GetIdempotencyKey(), "sam Reply DONE")
	o.wantInTimeline(" Joe@Example.com", "The mail server took the reply of a person on support.")
}

// wantInTimeline looks up somebody of whom no more is known than what they were written.
func (o *office) wantInTimeline(email string, want ...string) {
	o.t.Helper()
	found, err := o.desk.LookupCustomer(o.as("vera"), &pb.LookupCustomerRequest{Query: email})
	if err != nil || found.GetDiagnosis() != pb.Diagnosis_NO_CHARGE_NO_ORDER || len(found.GetUnread()) > 0 {
		o.t.Fatalf("%v %v", found, err)
	}
	var got []string
	for _, e := range found.GetTimeline() {
		got = append(got, e.GetText())
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		o.t.Errorf("the timeline of %q says %q, want %q", email, got, want)
	}
}
