package reconciliation_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcserver"
)

// desk is Payments and Notifications as far as cases ask them.
type desk struct {
	paymentsv1.UnimplementedPaymentsAdminServiceServer
	notificationsv1.UnimplementedNotificationsServiceServer
	addr string

	mu         sync.Mutex
	reports    []*notificationsv1.ReportIncidentsRequest
	ledger     *paymentsv1.LedgerHealth
	mailDown   bool // Notifications answers nothing
	mailServer *timestamppb.Timestamp
	messages   map[string]notificationsv1.Message_State
	stripeDown bool
	charges    map[string]*paymentsv1.SeenCharge
	events     map[string]paymentsv1.WebhookEvent_Status
	refunds    []*paymentsv1.Refund
	followed   []*paymentsv1.FollowedSubscription
}

func startDesk(t *testing.T) *desk {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{
		addr: listener.Addr().String(), messages: map[string]notificationsv1.Message_State{},
		charges: map[string]*paymentsv1.SeenCharge{}, events: map[string]paymentsv1.WebhookEvent_Status{},
	}
	table := access.Table{}
	server, err := grpcserver.New(grpcserver.Config{
		Name: "desk", Listener: listener, Log: slog.New(slog.DiscardHandler), Access: table,
		Ready: func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	paymentsv1.RegisterPaymentsAdminServiceServer(server, d)
	notificationsv1.RegisterNotificationsServiceServer(server, d)
	for service, info := range server.GetServiceInfo() {
		if !strings.HasPrefix(service, "grpc.") {
			for _, m := range info.Methods {
				table["/"+service+"/"+m.Name] = access.Rule{Callers: []string{"reconciliation"}}
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("desk: %v", err)
		}
	})
	return d
}

func (d *desk) set(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
}

// incident is how an incident stands by the last report of each source; nil when they
// name none of that key.
func (d *desk) incident(key string) (last *notificationsv1.IncidentReport) {
	d.set(func() {
		seen := map[string]bool{}
		for n := len(d.reports) - 1; n >= 0; n-- {
			if source := d.reports[n].GetSource(); seen[source] {
				continue
			} else {
				seen[source] = true
			}
			for _, r := range d.reports[n].GetIncidents() {
				if r.GetKey() == key {
					last = r
				}
			}
		}
	})
	return last
}

var errDown = apperr.New(codes.Unavailable, "AWAY", "away, by the will of the test")

func (d *desk) ReportIncidents(_ context.Context, r *notificationsv1.ReportIncidentsRequest) (*notificationsv1.ReportIncidentsResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mailDown {
		return nil, errDown
	}
	d.reports = append(d.reports, r)
	return &notificationsv1.ReportIncidentsResponse{}, nil
}

func (d *desk) GetLedgerHealth(context.Context, *paymentsv1.GetLedgerHealthRequest) (*paymentsv1.LedgerHealth, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ledger == nil {
		return nil, errDown
	}
	return d.ledger, nil
}

func (d *desk) FindMessages(_ context.Context, r *notificationsv1.FindMessagesRequest) (*notificationsv1.FindMessagesResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := &notificationsv1.FindMessagesResponse{MailServerFailingSince: d.mailServer}
	for _, key := range r.GetDedupeKeys() {
		if state, ok := d.messages[key]; ok {
			out.Messages = append(out.Messages, &notificationsv1.Message{DedupeKey: key, State: state})
		}
	}
	return out, nil
}

func (d *desk) ListCharges(_ context.Context, r *paymentsv1.ListChargesRequest) (*paymentsv1.ListChargesResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stripeDown {
		return nil, apperr.New(codes.Unavailable, "STRIPE_UNREACHABLE", "no")
	}
	out := &paymentsv1.ListChargesResponse{}
	for _, id := range r.GetChargeIds() {
		if c := d.charges[id]; c != nil {
			out.Charges = append(out.Charges, c)
		}
	}
	return out, nil
}

func (d *desk) MatchPayments(_ context.Context, r *paymentsv1.MatchPaymentsRequest) (*paymentsv1.MatchPaymentsResponse, error) {
	return &paymentsv1.MatchPaymentsResponse{RecordedChargeIds: r.GetChargeIds()}, nil
}

func (d *desk) ListWebhookEvents(_ context.Context, r *paymentsv1.ListWebhookEventsRequest) (*paymentsv1.ListWebhookEventsResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := &paymentsv1.ListWebhookEventsResponse{}
	for _, id := range r.GetStripeEventIds() {
		if status, ok := d.events[id]; ok {
			out.Events = append(out.Events, &paymentsv1.WebhookEvent{StripeEventId: id, Status: status})
		}
	}
	return out, nil
}

func (d *desk) CatchUpEvents(context.Context, *paymentsv1.CatchUpEventsRequest) (*paymentsv1.CatchUpEventsResponse, error) {
	return &paymentsv1.CatchUpEventsResponse{}, nil
}

func (d *desk) FollowChanges(context.Context, *paymentsv1.FollowChangesRequest) (*paymentsv1.FollowChangesResponse, error) {
	return &paymentsv1.FollowChangesResponse{}, nil
}

func (d *desk) ListBalanceTransactions(context.Context, *paymentsv1.ListBalanceTransactionsRequest) (*paymentsv1.ListBalanceTransactionsResponse, error) {
	return &paymentsv1.ListBalanceTransactionsResponse{}, nil
}

func (d *desk) ListRefunds(context.Context, *paymentsv1.ListRefundsRequest) (*paymentsv1.ListRefundsResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &paymentsv1.ListRefundsResponse{Refunds: d.refunds}, nil
}

func (d *desk) ListFollowed(_ context.Context, r *paymentsv1.ListFollowedRequest) (*paymentsv1.ListFollowedResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := &paymentsv1.ListFollowedResponse{}
	for _, f := range d.followed {
		if slices.Contains(r.GetSubscriptionIds(), f.GetSubscriptionId()) {
			out.Subscriptions = append(out.Subscriptions, f)
		}
	}
	return out, nil
}

func (d *desk) env() map[string]string {
	return map[string]string{"PAYMENTS_GRPC_ADDR": d.addr, "NOTIFICATIONS_GRPC_ADDR": d.addr}
}

func TestTheLongestWaitOfACustomerComesFirst(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	open := func(kind pb.Case_Kind, subject string) {
		t.Helper()
		if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: kind, Subject: subject, Summary: "what is known"}); err != nil {
			t.Fatal(err)
		}
	}
	now := s.clock.Now()
	s.orders.charge(orderID(1), now.Add(-time.Hour))
	s.orders.charge(orderID(2), now.Add(-40*time.Hour))
	d.set(func() {
		d.charges["ch_old"] = &paymentsv1.SeenCharge{ChargeId: "ch_old", CreatedAt: timestamppb.New(now.Add(-50 * time.Hour))}
	})
	open(pb.Case_STRIPE_ACCESS, "stripe")
	open(pb.Case_STUCK_ORDER, "order/"+orderID(1))
	open(pb.Case_UNDELIVERED_MESSAGE, "message/order/"+orderID(2)+"/confirmation")
	open(pb.Case_UNIDENTIFIED_CHARGE, "charge/ch_old")
	await(t, "all waits are known", func() bool {
		return s.count(`SELECT count(*) FROM reconciliation.cases WHERE next_look_at IS NULL`) == 4
	})
	var got []string
	req := &pb.ListCasesRequest{State: pb.Case_OPEN, PageSize: 1}
	for {
		page, err := s.client(dial, "gateway").ListCases(s.support(), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.GetCases() {
			wait := "nobody waits"
			if c.GetWaitingSince() != nil {
				wait = now.Sub(c.GetWaitingSince().AsTime()).Round(time.Minute).String()
			}
			got = append(got, c.GetKind().String()+" "+wait)
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	want := "UNIDENTIFIED_CHARGE 50h0m0s, UNDELIVERED_MESSAGE 40h0m0s, STUCK_ORDER 1h0m0s, STRIPE_ACCESS nobody waits"
	if strings.Join(got, ", ") != want {
		t.Errorf("the queue is %s, want %s", strings.Join(got, ", "), want)
	}
}

func TestCasesCloseByThemselves(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	n := 0
	open := func(kind pb.Case_Kind, subject, summary string) {
		t.Helper()
		n++
		if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: kind, Subject: subject, Summary: summary}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 {
		s.orders.add(orderID(i), ordersv1.Order_COMPLETE, s.clock.Now(), nil)
	}
	s.orders.add(orderID(4), ordersv1.Order_PENDING, s.clock.Now(), nil)
	open(pb.Case_WRONG_CHARGE, "order/"+orderID(1), "ch_two is not what was asked for")
	open(pb.Case_WRONG_CHARGE, "order/"+orderID(2), "ch_wrong brought too little")
	open(pb.Case_WRONG_CHARGE, "order/"+orderID(3), "no charge is named")
	open(pb.Case_UNKNOWN_PAYMENT, "order/"+orderID(4), "Stripe gave no word")
	open(pb.Case_FAILED_EVENT, "event/evt_1", "could not be handled")
	open(pb.Case_FAILED_REFUND, "order/"+orderID(5), "refund re_1 of charge ch_9 failed at the bank")
	open(pb.Case_UNDELIVERED_MESSAGE, "message/order/"+orderID(6)+"/confirmation", "refused")
	open(pb.Case_UNDELIVERED_MESSAGE, "mail-server", "no mail can be sent")
	open(pb.Case_STRIPE_ACCESS, "stripe", "refuses our key")
	open(pb.Case_UNDELIVERED_HOOK, "access-hook", "the app does not take what it is told")
	open(pb.Case_DISPUTE, "order/"+orderID(7), "answer it")
	s.orders.world.set(func() { s.orders.world.hooksSince = timestamppb.New(s.clock.Now().Add(-2 * time.Hour)) })
	d.set(func() {
		d.stripeDown, d.mailServer = true, timestamppb.New(s.clock.Now())
		d.messages["order/"+orderID(6)+"/confirmation"] = notificationsv1.Message_FAILED
		d.events["evt_1"] = paymentsv1.WebhookEvent_FAILED
		d.refunds = []*paymentsv1.Refund{
			{RefundId: "r1", StripeRefundId: "re_1", AmountMinor: 500, Status: paymentsv1.Refund_FAILED, ChargeId: "ch_9"},
			{RefundId: "r4", StripeRefundId: "re_4", AmountMinor: 24900, Status: paymentsv1.Refund_SUCCEEDED}, // of another charge
			{RefundId: "r3", StripeRefundId: "re_3", AmountMinor: 499, Status: paymentsv1.Refund_SUCCEEDED},   // a cent is still owed
		}
	})
	run := s.startRun(dial)
	if got := s.count(`SELECT count(*) FROM reconciliation.cases WHERE state = 'OPEN'`); got != n {
		t.Errorf("%d of %d cases are open although nothing changed: %v", got, n, run.GetDetails())
	}
	d.set(func() {
		d.stripeDown, d.mailServer = false, nil
		d.messages["order/"+orderID(6)+"/confirmation"] = notificationsv1.Message_SENT
		d.events["evt_1"] = paymentsv1.WebhookEvent_PROCESSED
		d.refunds = append(d.refunds, &paymentsv1.Refund{RefundId: "r2", StripeRefundId: "re_2", AmountMinor: 500, Status: paymentsv1.Refund_SUCCEEDED, ChargeId: "ch_9"})
		d.charges["ch_two"] = &paymentsv1.SeenCharge{ChargeId: "ch_two", AmountMinor: 24900, RefundedMinor: 24900}
		d.charges["ch_wrong"] = &paymentsv1.SeenCharge{ChargeId: "ch_wrong", AmountMinor: 100, RefundedMinor: 40}
	})
	s.orders.world.set(func() { s.orders.world.hooksSince = timestamppb.New(s.clock.Now().Add(-time.Minute)) }) // on its way
	s.orders.add(orderID(3), ordersv1.Order_REFUNDED, s.clock.Now(), nil)
	s.orders.add(orderID(4), ordersv1.Order_EXPIRED, s.clock.Now(), nil)
	run = s.startRun(dial)
	if run.GetStatus() != pb.Run_SUCCEEDED || run.GetErrors() != 0 {
		t.Errorf("the run is %v", run)
	}
	list, err := s.client(dial, "gateway").ListCases(s.support(), &pb.ListCasesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var stillOpen []string
	for _, c := range list.GetCases() {
		if c.GetState() == pb.Case_OPEN {
			stillOpen = append(stillOpen, fmt.Sprintf("%s %s", c.GetKind(), c.GetSubject()))
		} else if last := c.GetEvents()[len(c.GetEvents())-1]; c.GetResolvedBy() != "system" || c.GetResolution() == "" || last.GetWhat() != "resolved" || last.GetActor() != "system" {
			t.Errorf("resolved: %v", c)
		}
	}
	want := "WRONG_CHARGE order/" + orderID(2) + ", DISPUTE order/" + orderID(7)
	if strings.Join(stillOpen, ", ") != want && strings.Join(stillOpen, ", ") != "DISPUTE order/"+orderID(7)+", WRONG_CHARGE order/"+orderID(2) {
		t.Errorf("still open: %v, want %s", stillOpen, want)
	}
}

// The term of a subscription went back while the next would still be charged: that is
// a person's until it will not.
func TestTheCaseOfARefundedTermClosesWhenItsSubscriptionGoesOnNoMore(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	stands := func(i int, status paymentsv1.Subscription_Status, renews bool) {
		s.orders.set(func() {
			if s.orders.subscriptions == nil {
				s.orders.subscriptions = map[string]*paymentsv1.Subscription{}
			}
			s.orders.subscriptions[orderID(i)] = &paymentsv1.Subscription{SubscriptionId: "sub_1", Status: status, Renews: renews}
		})
	}
	for i := range 5 {
		s.orders.add(orderID(i), ordersv1.Order_REFUNDED, s.clock.Now(), nil)
		if i < 4 { // of the last, nothing was heard
			stands(i, paymentsv1.Subscription_ACTIVE, true)
		}
		if _, err := s.client(dial, "orders").OpenCase(t.Context(), &pb.OpenCaseRequest{
			Kind: pb.Case_SUBSCRIPTION, Subject: "order/" + orderID(i), Summary: "the term went back, and the next will be charged",
		}); err != nil {
			t.Fatal(err)
		}
	}
	const open = `SELECT count(*) FROM reconciliation.cases WHERE state = 'OPEN'`
	s.startRun(dial)
	if got := s.count(open); got != 5 {
		t.Errorf("%d of 5 cases are open although every subscription goes on", got)
	}
	stands(0, paymentsv1.Subscription_ENDED, false)
	stands(1, paymentsv1.Subscription_ACTIVE, false)
	stands(2, paymentsv1.Subscription_PAST_DUE, true)
	s.startRun(dial)
	closed := `SELECT count(*) FROM reconciliation.cases WHERE state = 'RESOLVED' AND subject IN ('order/` + orderID(0) + `', 'order/` + orderID(1) + `')`
	if s.count(closed) != 2 || s.count(open) != 3 {
		t.Errorf("%d of the two that go on no more are closed, and %d are open", s.count(closed), s.count(open))
	}
}

// An event was finished otherwise than by its retries. One that failed, waits for
// somebody, or is a person's is not finished.
// A subscription that could not be followed is nobody's to look at when it was followed
// since: not before its case, and not when only some of it came through.
func TestTheCaseOfASubscriptionClosesWhenItIsFollowedAgain(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	before := s.clock.Now()
	s.clock.Advance(time.Minute)
	for _, id := range []string{"sub_again", "sub_before", "sub_failing", "sub_unknown"} {
		if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{
			Kind: pb.Case_SUBSCRIPTION, Subject: "subscription/" + id, Summary: "this subscription could not be followed in 12 looks",
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.Advance(time.Minute)
	d.set(func() {
		d.followed = []*paymentsv1.FollowedSubscription{
			{SubscriptionId: "sub_again", FollowedAt: timestamppb.New(s.clock.Now())},
			{SubscriptionId: "sub_before", FollowedAt: timestamppb.New(before)},
			{SubscriptionId: "sub_failing", FollowedAt: timestamppb.New(s.clock.Now()), FailedLooks: 1},
		}
	})
	if run := s.startRun(dial); run.GetErrors() != 0 {
		t.Errorf("the run is %v", run)
	}
	list, err := s.client(dial, "gateway").ListCases(s.support(), &pb.ListCasesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.GetCases() {
		if closed := c.GetState() == pb.Case_RESOLVED; closed != (c.GetSubject() == "subscription/sub_again") {
			t.Errorf("%s is %s: %s", c.GetSubject(), c.GetState(), c.GetResolution())
		}
	}
}

func TestTheCaseOfAnEventClosesWhenTheEventIsFinished(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	for status, want := range map[paymentsv1.WebhookEvent_Status]string{
		paymentsv1.WebhookEvent_PROCESSED: "RESOLVED", paymentsv1.WebhookEvent_IGNORED: "RESOLVED",
		paymentsv1.WebhookEvent_FAILED: "OPEN", paymentsv1.WebhookEvent_RECEIVED: "OPEN", paymentsv1.WebhookEvent_QUARANTINED: "OPEN",
		paymentsv1.WebhookEvent_ORPHANED: "RESOLVED",
	} {
		event := "evt_" + status.String()
		if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{
			Kind: pb.Case_FAILED_EVENT, Subject: "event/" + event, Summary: "could not be handled",
		}); err != nil {
			t.Fatal(err)
		}
		d.set(func() { d.events[event] = status })
		s.startRun(dial)
		if got := s.count(`SELECT count(*) FROM reconciliation.cases WHERE subject = 'event/` + event + `' AND state = '` + want + `'`); got != 1 {
			t.Errorf("of an event that is %s the case is not %s", status, want)
		}
	}
}
