package reconciliation_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/grpcclient"
)

// lookups is a desk in a town.
type lookups struct {
	*scene
	town *town
	desk pb.SupportServiceClient
	dial grpcclient.Dialer
}

func newLookups(t *testing.T) *lookups {
	t.Helper()
	s := newScene(t)
	l := &lookups{scene: s, town: startTown(t)}
	l.dial = s.instance(l.town.env())
	conn, err := grpcclient.Dial("reconciliation", "gateway", l.dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	l.desk = pb.NewSupportServiceClient(conn)
	return l
}

func (l *lookups) lookUp(r *pb.LookupCustomerRequest) *pb.LookupCustomerResponse {
	l.t.Helper()
	answer, err := l.desk.LookupCustomer(l.support(), r)
	if err != nil {
		l.t.Fatalf("LookupCustomer(%v): %v", r, err)
	}
	return answer
}

func words(query string) *pb.LookupCustomerRequest { return &pb.LookupCustomerRequest{Query: query} }

// wantOrders checks whom a lookup is about; the first is whom the words named.
func (l *lookups) wantOrders(what string, got *pb.LookupCustomerResponse, diagnosis pb.Diagnosis, ids ...string) {
	l.t.Helper()
	var have []string
	for _, o := range got.GetOrders() {
		have = append(have, o.GetOrder().GetId())
	}
	if got.GetDiagnosis() != diagnosis || strings.Join(have, " ") != strings.Join(ids, " ") || len(got.GetCandidates()) != 0 {
		l.t.Errorf("%s: %s about %v (%s), candidates %v; want %s about %v", what, got.GetDiagnosis(), have, got.GetExplanation(), got.GetCandidates(), diagnosis, ids)
	}
}

func TestACustomerIsFoundByWhateverTheyCanGive(t *testing.T) {
	l := newLookups(t)
	at := l.clock.Now().Add(-time.Hour)
	l.town.buys(1, "Jane@Example.com", at)
	l.town.buys(2, "joe@example.com", at)
	for name, query := range map[string]string{
		"address":                  "Jane@Example.com",
		"address in another case":  " jane@example.COM ",
		"address as it was copied": "<jane@example.com>",
		"short reference":          "11111111",
		"reference after a hash":   "#11111111",
		"whole reference":          "11111111-0000-4000-8000-000000000000",
		"order":                    orderID(1),
		"payment intent":           "pi_1",
		"charge":                   "ch_1",
		"Stripe customer":          "cus_1",
	} {
		got := l.lookUp(words(query))
		l.wantOrders("by "+name, got, pb.Diagnosis_ALL_GOOD, orderID(1))
		if len(got.GetCharges()) != 1 || got.GetCharges()[0].GetChargeId() != "ch_1" || !got.GetStripeRead() || len(got.GetUnread()) != 0 {
			t.Errorf("by %s: charges %v, read %t, unread %v", name, got.GetCharges(), got.GetStripeRead(), got.GetUnread())
		}
	}
	for query, reason := range map[string]string{"": "empty", "Jane Example": "a name", "1111111": "seven characters", "zzzzzzzz": "no reference", "jane@": "no address", "ch_": "no charge"} {
		_, err := l.desk.LookupCustomer(l.support(), words(query))
		wantError(t, reason, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	}
	_, err := l.desk.LookupCustomer(l.support(), &pb.LookupCustomerRequest{Query: "ch_1", Card: &pb.CardHint{Last4: "4242", AmountMinor: 1, Date: "2026-11-22"}})
	wantError(t, "words and a card", err, codes.InvalidArgument, "INVALID_ARGUMENT")
	_, err = l.desk.LookupCustomer(t.Context(), words("ch_1"))
	wantError(t, "nobody asks", err, codes.Unauthenticated, "UNAUTHENTICATED")
}

func TestACustomerIsFoundByTheirBankStatement(t *testing.T) {
	l := newLookups(t)
	charged := time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC)
	l.town.buys(1, "jane@example.com", charged.Add(-time.Second))
	card := func(change func(*pb.CardHint)) *pb.LookupCustomerRequest {
		hint := &pb.CardHint{Last4: "4242", AmountMinor: 24900, Currency: "usd", Date: "2026-11-20"}
		change(hint)
		return &pb.LookupCustomerRequest{Card: hint}
	}
	for name, day := range map[string]string{"that day": "2026-11-20", "the day before": "2026-11-19", "the day after": "2026-11-21", "the day after in the first time zone": "2026-11-22"} {
		l.wantOrders(name, l.lookUp(card(func(c *pb.CardHint) { c.Date = day })), pb.Diagnosis_ALL_GOOD, orderID(1))
	}
	for name, change := range map[string]func(*pb.CardHint){
		"another day": func(c *pb.CardHint) { c.Date = "2026-11-24" }, "another card": func(c *pb.CardHint) { c.Last4 = "1111" },
		"another amount": func(c *pb.CardHint) { c.AmountMinor = 24901 }, "another currency": func(c *pb.CardHint) { c.Currency = "EUR" },
	} {
		l.wantOrders(name, l.lookUp(card(change)), pb.Diagnosis_NO_CHARGE_NO_ORDER)
	}
	_, err := l.desk.LookupCustomer(l.support(), card(func(c *pb.CardHint) { c.Date = "2026-11-31" }))
	wantError(t, "no day", err, codes.InvalidArgument, "INVALID_ARGUMENT")

	l.town.buys(2, "joe@example.com", charged)
	l.town.buys(3, "ann@example.com", charged, func(c *customer) {
		c.order, c.grant, c.mail = nil, nil, nil
		c.charge.Charge.Owner, c.charge.Charge.OrderId, c.charge.Charge.Recorded = paymentsv1.SeenCharge_FOREIGN, "", false
	})
	got := l.lookUp(card(func(*pb.CardHint) {}))
	if len(got.GetCandidates()) != 3 || got.GetDiagnosis() != pb.Diagnosis_DIAGNOSIS_UNSPECIFIED || len(got.GetOrders())+len(got.GetCharges())+len(got.GetTimeline()) != 0 {
		t.Fatalf("three people: %v", got)
	}
	for i, c := range got.GetCandidates() {
		next := l.lookUp(words(c.GetQuery()))
		switch {
		case i < 2:
			l.wantOrders(c.GetWhy(), next, pb.Diagnosis_ALL_GOOD, orderID(i+1))
		case next.GetDiagnosis() != pb.Diagnosis_NO_CHARGE_NO_ORDER || c.GetEmailMasked() != "a***@example.com" || !strings.Contains(c.GetWhy(), "not for this product"):
			t.Errorf("%v: %v", c, next)
		}
	}
}

func TestWhoIsNotCertainIsNotGuessed(t *testing.T) {
	l := newLookups(t)
	at := l.clock.Now().Add(-time.Hour)
	l.town.buys(1, "jane@example.com", at)
	l.town.buys(2, "jane+app@example.com", at)
	l.town.buys(3, "joe@example.com", at, func(c *customer) {
		c.order.Order.Reference, c.order.Order.ReferenceShort = "11111111-9999-4000-8000-000000000000", "11111111"
	})
	for query, want := range map[string]string{
		"jane@example.com":       orderID(1) + " this very address, " + orderID(2) + " another address of the same mailbox",
		"Jane+App@example.com":   orderID(1) + " another address of the same mailbox, " + orderID(2) + " this very address",
		"jane+other@example.com": orderID(1) + " another address of the same mailbox, " + orderID(2) + " another address of the same mailbox",
		"11111111":               orderID(1) + " its reference begins with 11111111, " + orderID(3) + " its reference begins with 11111111",
	} {
		got := l.lookUp(words(query))
		var have []string
		for _, c := range got.GetCandidates() {
			have = append(have, c.GetQuery()+" "+c.GetWhy())
			if c.GetOrderId() != c.GetQuery() || c.GetReferenceShort() == "" || c.GetEmailMasked() == "" || c.GetAmountDisplay() != "$249.00" || c.GetCreatedAt() == nil {
				t.Errorf("%s: %v", query, c)
			}
		}
		if strings.Join(have, ", ") != want || got.GetDiagnosis() != 0 || len(got.GetOrders())+len(got.GetCharges())+len(got.GetTimeline()) != 0 {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	l.wantOrders("a candidate", l.lookUp(words(orderID(2))), pb.Diagnosis_ALL_GOOD, orderID(2))
	l.wantOrders("more of the reference", l.lookUp(words("11111111-9")), pb.Diagnosis_ALL_GOOD, orderID(3))
	for _, r := range l.town.asked {
		if len(r.GetEmails()) > 0 && strings.Contains(strings.Join(r.GetEmails(), " "), "jane@") && strings.Contains(strings.Join(r.GetEmails(), " "), "+app") {
			t.Errorf("two addresses are asked for as one: %v", r)
		}
	}
}

// One test for each diagnosis: what the services know, and what is said of it.
func TestEachDiagnosisThroughTheService(t *testing.T) {
	state := func(s ordersv1.Order_State) func(*customer) {
		return func(c *customer) {
			c.order.Order.State, c.order.Order.CompletedAt, c.order.NextLookAt = s, nil, timestamppb.New(c.order.Order.CreatedAt.AsTime().Add(2*time.Hour))
			c.grant, c.mail = nil, nil
		}
	}
	unpaid := func(c *customer) {
		c.order.ChargeId, c.order.Order.ChargedAt, c.charge = "", nil, nil
	}
	for name, c := range map[string]struct {
		build     func(w *town, at time.Time)
		diagnosis pb.Diagnosis
		says      string
		rpc       string
		reply     pb.ReplyRequest_Template
	}{
		"STRIPE_UNREACHABLE": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at)
			w.set(func() { w.down["stripe"] = true })
		}, pb.Diagnosis_STRIPE_UNREACHABLE, "order 11111111 of $249.00 is COMPLETE", "", 0},
		"DISPUTED": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) {
				c.order.Dispute, c.charge.Charge.Disputed = paymentsv1.Payment_OPEN, true
				c.charge.Disputes = []*paymentsv1.ChargeDispute{{StripeDisputeId: "dp_1", AmountMinor: 24900, Stands: paymentsv1.Payment_OPEN, Reason: "unrecognized", CreatedAt: timestamppb.New(at.Add(time.Minute)), AnswerBy: timestamppb.New(at.AddDate(0, 0, 9))}}
			})
		}, pb.Diagnosis_DISPUTED, "it is not decided", "", 0},
		"DUPLICATE_CHARGE": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at)
			w.buys(2, "jane@example.com", at.Add(time.Minute), func(c *customer) {
				c.order, c.grant, c.mail, c.charge.Charge.OrderId = nil, nil, nil, orderID(1)
			})
		}, pb.Diagnosis_DUPLICATE_CHARGE, "paid twice", "Refund", pb.ReplyRequest_DUPLICATE},
		"DUPLICATE_CHARGE, two orders": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at)
			w.buys(2, "jane@example.com", at.Add(time.Minute))
			w.set(func() { w.twice[orderID(2)] = orderID(1) })
		}, pb.Diagnosis_DUPLICATE_CHARGE, "Charge ch_2 of $249.00", "Refund", pb.ReplyRequest_DUPLICATE},
		"DUPLICATE_CHARGE, over: the first went back": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) {
				c.order.Order.State, c.order.RefundedMinor, c.grant.RevokedAt, c.charge.Charge.RefundedMinor = ordersv1.Order_REFUNDED, 24900, timestamppb.New(at.Add(time.Hour)), 24900
			})
			w.buys(2, "jane@example.com", at.Add(time.Minute))
		}, pb.Diagnosis_ALL_GOOD, "Order 22222222", "", pb.ReplyRequest_CHECK_SPAM},
		"ORPHAN_CHARGE": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) { c.order, c.grant, c.mail = nil, nil, nil })
		}, pb.Diagnosis_ORPHAN_CHARGE, "no order of it is left here", "Recover", pb.ReplyRequest_RECOVERY},
		"ORPHAN_CHARGE of the earlier checkout": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) {
				c.order, c.grant, c.mail = nil, nil, nil
				c.charge.Charge.Owner, c.charge.Charge.OrderId = paymentsv1.SeenCharge_CLAIMED, ""
			})
		}, pb.Diagnosis_ORPHAN_CHARGE, "earlier checkout", "AdoptCharge", pb.ReplyRequest_RECOVERY},
		"STUCK_ORDER": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, state(ordersv1.Order_PENDING), func(c *customer) { c.order.ChargeId, c.order.Order.ChargedAt = "", nil })
		}, pb.Diagnosis_STUCK_ORDER, "is still PENDING", "Recover", pb.ReplyRequest_RECOVERY},
		"PAID_NO_ACCESS": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) { c.grant = nil })
		}, pb.Diagnosis_PAID_NO_ACCESS, "no access in force", "Recover", pb.ReplyRequest_RECOVERY},
		"PAYMENT_PENDING at the bank": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, state(ordersv1.Order_PENDING), func(c *customer) {
				c.order.ChargeId, c.order.Order.ChargedAt = "", nil
				c.charge.Charge.Status, c.charge.Charge.Captured = paymentsv1.SeenCharge_PENDING, false
			})
		}, pb.Diagnosis_PAYMENT_PENDING, "may take days", "", 0},
		"PAYMENT_PENDING for the buyer": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, state(ordersv1.Order_PENDING), unpaid, func(c *customer) {
				c.order.Order.NextAction = &ordersv1.NextAction{Type: ordersv1.NextAction_USE_STRIPE_SDK, ClientSecret: "pi_1_secret_x"}
			})
		}, pb.Diagnosis_PAYMENT_PENDING, "no money was taken so far", "", 0},
		"REFUNDED": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) {
				c.order.Order.State, c.order.RefundedMinor, c.order.RefundedDisplay = ordersv1.Order_REFUNDED, 24900, "$249.00"
				c.grant.RevokedAt, c.charge.Charge.RefundedMinor = timestamppb.New(at.Add(time.Minute)), 24900
			})
			w.set(func() {
				w.refunds[orderID(1)] = []*paymentsv1.Refund{{RefundId: orderID(9), StripeRefundId: "re_1", OrderId: orderID(1), AmountMinor: 24900, Currency: "USD", Status: paymentsv1.Refund_SUCCEEDED, CreatedAt: timestamppb.New(at.Add(time.Minute))}}
			})
		}, pb.Diagnosis_REFUNDED, "Stripe's reference: re_1", "", pb.ReplyRequest_REFUNDED},
		"ORDER_NO_CHARGE": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, state(ordersv1.Order_FAILED), unpaid, func(c *customer) {
				c.order.NextLookAt, c.order.Order.PaymentError = nil, &ordersv1.PaymentError{Code: "card_declined", Message: "Your card was declined."}
			})
		}, pb.Diagnosis_ORDER_NO_CHARGE, "no money taken for it. The last card was refused: Your card was declined.", "", pb.ReplyRequest_NOT_FOUND},
		"COMPLETE_NO_EMAIL": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) {
				c.mail.State, c.mail.SentAt, c.mail.LastError = notificationsv1.Message_FAILED, nil, "the mailbox does not exist"
			})
		}, pb.Diagnosis_COMPLETE_NO_EMAIL, "the mailbox does not exist", "ResendMessage", pb.ReplyRequest_RESEND},
		"ALL_GOOD": {func(w *town, at time.Time) { w.buys(1, "jane@example.com", at) }, pb.Diagnosis_ALL_GOOD, "is paid and has its access until", "", pb.ReplyRequest_CHECK_SPAM},
		"ALL_GOOD while a subscription is paused": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) {
				c.order.Subscription = &paymentsv1.Subscription{SubscriptionId: "sub_1", Status: paymentsv1.Subscription_PAUSED}
			})
			w.set(func() { w.blocked[orderID(101)] = true })
		}, pb.Diagnosis_ALL_GOOD, "its subscription is paused at Stripe", "", pb.ReplyRequest_CHECK_SPAM},
		"NO_CHARGE_NO_ORDER": {func(*town, time.Time) {}, pb.Diagnosis_NO_CHARGE_NO_ORDER, "Neither an order nor a charge", "", pb.ReplyRequest_NOT_FOUND},
		"NO_CHARGE_NO_ORDER beside a stranger's": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, func(c *customer) {
				c.order, c.grant, c.mail = nil, nil, nil
				c.charge.Charge.Owner, c.charge.Charge.OrderId = paymentsv1.SeenCharge_FOREIGN, ""
			})
		}, pb.Diagnosis_NO_CHARGE_NO_ORDER, "not of this product: 1", "", pb.ReplyRequest_NOT_FOUND},
		"UNCLEAR": {func(w *town, at time.Time) {
			w.buys(1, "jane@example.com", at, state(ordersv1.Order_PENDING), func(c *customer) {
				c.order.ChargeId, c.order.Order.ChargedAt = "", nil
				c.charge.Charge.Owner, c.charge.Charge.OwnerReason = paymentsv1.SeenCharge_UNCLEAR, "24900 USD was asked for, in minor units, and it is 100 USD"
			})
		}, pb.Diagnosis_UNCLEAR, "24900 USD was asked for", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLookups(t)
			c.build(l.town, l.clock.Now().Add(-time.Hour))
			got := l.lookUp(words("jane@example.com"))
			if got.GetDiagnosis() != c.diagnosis || !strings.Contains(got.GetExplanation(), c.says) {
				t.Fatalf("%s: %s, want %s saying %q", got.GetDiagnosis(), got.GetExplanation(), c.diagnosis, c.says)
			}
			if got.GetStripeRead() != (c.diagnosis != pb.Diagnosis_STRIPE_UNREACHABLE) || strings.Contains(got.String(), "secret") {
				t.Errorf("%v", got)
			}
			l.wantRecommended(got.GetRecommendation(), c.rpc, c.reply)
		})
	}
}

// wantRecommended checks that the call is ready: its JSON is that RPC's request.
func (l *lookups) wantRecommended(r *pb.Recommendation, method string, reply pb.ReplyRequest_Template) {
	l.t.Helper()
	if r.GetText() == "" || r.GetReply() != reply {
		l.t.Errorf("recommended: %v", r)
	}
	if method == "" {
		if r.GetRpc()+r.GetRequestJson()+r.GetGrpcurl() != "" {
			l.t.Errorf("a call is recommended: %v", r)
		}
		return
	}
	service, name, _ := strings.Cut(r.GetRpc(), "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil || name != method {
		l.t.Fatalf("recommended %q: %v", r.GetRpc(), err)
	}
	input := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(name)).Input()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(input.FullName())
	if err != nil {
		l.t.Fatal(err)
	}
	if err := protojson.Unmarshal([]byte(r.GetRequestJson()), kind.New().Interface()); err != nil {
		l.t.Errorf("%s is no %s: %v", r.GetRequestJson(), input.FullName(), err)
	}
	if want := " 127.0.0.1:9105 " + r.GetRpc(); !strings.HasSuffix(r.GetGrpcurl(), want) || !strings.Contains(r.GetGrpcurl(), r.GetRequestJson()) {
		l.t.Errorf("for a shell: %s", r.GetGrpcurl())
	}
}

// Everything that anybody knows is one timeline, oldest first.
func TestEverythingIsOneTimeline(t *testing.T) {
	l := newLookups(t)
	at := l.clock.Now().Add(-time.Hour).Truncate(time.Second)
	l.town.buys(1, "jane@example.com", at, func(c *customer) {
		c.charge.Refunds = []*paymentsv1.ChargeRefund{{StripeRefundId: "re_1", AmountMinor: 1000, Status: paymentsv1.Refund_SUCCEEDED, CreatedAt: timestamppb.New(at.Add(time.Minute))}}
	})
	l.town.buys(2, "jane@example.com", at.AddDate(-1, 0, 0), func(c *customer) { // foreign, on another Stripe customer
		c.order, c.grant, c.mail = nil, nil, nil
		c.charge.Charge.Owner, c.charge.Charge.OrderId, c.charge.Charge.OwnerReason = paymentsv1.SeenCharge_FOREIGN, "", "it carries no mark of ours"
	})
	l.town.set(func() {
		l.town.refunds[orderID(1)] = []*paymentsv1.Refund{{RefundId: orderID(8), OrderId: orderID(1), AmountMinor: 500, Currency: "USD", Status: paymentsv1.Refund_REQUESTED, Reason: "asked by phone", Actor: "sam", CreatedAt: timestamppb.New(at.Add(2 * time.Minute))}}
		l.town.events["cus_1"] = []*paymentsv1.WebhookEvent{{StripeEventId: "evt_1", Type: "charge.succeeded", Status: paymentsv1.WebhookEvent_FAILED, LastError: "Orders was away", ReceivedAt: timestamppb.New(at.Add(5 * time.Second))}}
	})
	peer := l.client(l.dial, "payments")
	for kind, subject := range map[pb.Case_Kind]string{
		pb.Case_DISPUTE: "order/" + orderID(1), pb.Case_FRAUD_WARNING: "charge/ch_1", pb.Case_UNDELIVERED_MESSAGE: "message/order/" + orderID(1) + "/confirmation", pb.Case_FAILED_EVENT: "event/evt_1",
		pb.Case_STUCK_ORDER: "order/" + orderID(7),
	} {
		caller := peer
		if kind == pb.Case_UNDELIVERED_MESSAGE {
			caller = l.client(l.dial, "notifications")
		}
		if _, err := caller.OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: kind, Subject: subject, Summary: "look at " + subject}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.owner.Exec(t.Context(), `INSERT INTO reconciliation.audit (at, what, idempotency_key, request_hash, actor, role, action, subjects, reason, stood, steps, error)
		VALUES ($1, 'ASKED', gen_random_uuid(), sha256('x'), 'sam', 'support', 'ResendMessage', ARRAY[$2], 'they wrote', '{}', NULL, NULL),
			($1::timestamptz + interval '1 second', 'FAILED', gen_random_uuid(), sha256('x'), 'sam', 'support', 'Recover', ARRAY['ch_x', $3], 'they wrote', '{}', '[]', 'the bank says no'),
			($1, 'ASKED', gen_random_uuid(), sha256('x'), 'sam', 'support', 'Recover', ARRAY['ch_other'], 'another customer', '{}', NULL, NULL)`,
		at.Add(3*time.Minute), orderID(1), "ch_1"); err != nil {
		t.Fatal(err)
	}
	got := l.lookUp(words("jane@example.com"))
	var all string
	for i, e := range got.GetTimeline() {
		all += e.GetSource() + " " + e.GetActor() + ": " + e.GetText() + "\n"
		if e.GetAt() == nil || i > 0 && e.GetAt().AsTime().Before(got.GetTimeline()[i-1].GetAt().AsTime()) {
			t.Errorf("%q is told before what came before it", e.GetText())
		}
	}
	for _, want := range []string{
		"stripe : Stripe took the money: $249.00, card or account ending in 4242. It is not of this product: it carries no mark of ours.\norder : Order 11111111 was placed",
		"order : Order 11111111 is complete", "access : Access of order 11111111 begins", "mail : The mail server took the confirmation for order 11111111.",
		"stripe : A refund of $10.00 of charge ch_1 was made.", "order sam: A refund of $5.00 of order 11111111 was asked for; Stripe has not answered (asked by phone).",
		"event : Stripe told us of charge.succeeded; it could not be handled yet, and is tried again (Orders was away).",
		"support sam: ResendMessage was asked for: they wrote", "support sam: Recover did not happen, or not all of it: the bank says no",
		"was opened: look at order/" + orderID(1), "was opened: look at charge/ch_1", "was opened: look at message/order/" + orderID(1), "was opened: look at event/evt_1",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("it lacks %q:\n%s", want, all)
		}
	}
	if len(got.GetCases()) != 4 || strings.Contains(all, "another customer") || strings.Contains(all, orderID(7)) {
		t.Errorf("somebody else's is told: %d cases\n%s", len(got.GetCases()), all)
	}
}

// Whoever is down leaves its part out, and the answer says which; nothing is
// concluded from what was not read.
func TestWhatCannotBeReadIsNamed(t *testing.T) {
	for service, c := range map[string]struct {
		diagnosis pb.Diagnosis
		unread    string
		says      string
	}{
		"orders":        {pb.Diagnosis_UNCLEAR, "the orders", "could not be read: the orders"},
		"payments":      {pb.Diagnosis_STRIPE_UNREACHABLE, "the charges, the refunds, Stripe's events", "not known whether money was taken"},
		"provisioning":  {pb.Diagnosis_UNCLEAR, "the access", "could not be read: the access"},
		"notifications": {pb.Diagnosis_ALL_GOOD, "the mails", "has its access until"},
	} {
		t.Run(service, func(t *testing.T) {
			l := newLookups(t)
			l.town.buys(1, "jane@example.com", l.clock.Now().Add(-time.Hour))
			l.town.set(func() { l.town.down[service] = true })
			got := l.lookUp(words("jane@example.com"))
			for _, unread := range strings.Split(c.unread, ", ") {
				if !strings.Contains(strings.Join(got.GetUnread(), ", "), unread) {
					t.Errorf("unread: %v, want %s", got.GetUnread(), c.unread)
				}
			}
			if got.GetDiagnosis() != c.diagnosis || !strings.Contains(got.GetExplanation(), c.says) || strings.Contains(got.GetExplanation(), "no order") {
				t.Errorf("%s: %s, want %s saying %q", got.GetDiagnosis(), got.GetExplanation(), c.diagnosis, c.says)
			}
		})
	}
}
