package reconciliation_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/grpcserver"
)

// town is what the other services know of people, as they answer the desk.
type town struct {
	ordersv1.UnimplementedOrdersAdminServiceServer
	paymentsv1.UnimplementedPaymentsAdminServiceServer
	notificationsv1.UnimplementedNotificationsServiceServer
	addr string

	mu      sync.Mutex
	orders  []*ordersv1.DescribeOrderResponse
	charges []*paymentsv1.FoundCharge
	grants  map[string]*provisioningv1.Grant // by order
	blocked map[string]bool                  // accounts that may not use the product now
	mails   map[string][]*notificationsv1.Message
	refunds map[string][]*paymentsv1.Refund
	events  map[string][]*paymentsv1.WebhookEvent
	twice   map[string]string // orders of somebody who had just paid this other one for the same
	// down services answer nothing; "stripe" is Payments without Stripe.
	down  map[string]bool
	asked []*paymentsv1.FindChargesRequest
}

// townProvisioning is its Provisioning.
type townProvisioning struct {
	provisioningv1.UnimplementedProvisioningServiceServer
	town *town
}

func startTown(t *testing.T) *town {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &town{
		addr: listener.Addr().String(), grants: map[string]*provisioningv1.Grant{}, blocked: map[string]bool{}, mails: map[string][]*notificationsv1.Message{},
		refunds: map[string][]*paymentsv1.Refund{}, events: map[string][]*paymentsv1.WebhookEvent{}, down: map[string]bool{}, twice: map[string]string{},
	}
	table := access.Table{}
	for _, d := range []grpc.ServiceDesc{
		ordersv1.OrdersAdminService_ServiceDesc, paymentsv1.PaymentsAdminService_ServiceDesc,
		provisioningv1.ProvisioningService_ServiceDesc, notificationsv1.NotificationsService_ServiceDesc,
	} {
		for _, m := range d.Methods {
			table["/"+d.ServiceName+"/"+m.MethodName] = access.Rule{Callers: []string{"reconciliation"}}
		}
	}
	server, err := grpcserver.New(grpcserver.Config{
		Name: "town", Listener: listener, Log: slog.New(slog.DiscardHandler), Ready: func(context.Context) error { return nil }, Access: table,
	})
	if err != nil {
		t.Fatal(err)
	}
	ordersv1.RegisterOrdersAdminServiceServer(server, w)
	paymentsv1.RegisterPaymentsAdminServiceServer(server, w)
	provisioningv1.RegisterProvisioningServiceServer(server, &townProvisioning{town: w})
	notificationsv1.RegisterNotificationsServiceServer(server, w)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("town: %v", err)
		}
	})
	return w
}

// env has an instance ask this town.
func (w *town) env() map[string]string {
	return map[string]string{
		"ORDERS_GRPC_ADDR": w.addr, "PAYMENTS_GRPC_ADDR": w.addr, "PROVISIONING_GRPC_ADDR": w.addr, "NOTIFICATIONS_GRPC_ADDR": w.addr,
	}
}

func (w *town) set(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// locked locks the town, unless a service of it is down.
func (w *town) locked(service string) (unlock func(), err error) {
	w.mu.Lock()
	if w.down[service] {
		w.mu.Unlock()
		return nil, status.Error(codes.Unavailable, service+" is down")
	}
	return w.mu.Unlock, nil
}

func (w *town) FindOrders(_ context.Context, r *ordersv1.FindOrdersRequest) (*ordersv1.FindOrdersResponse, error) {
	unlock, err := w.locked("orders")
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := &ordersv1.FindOrdersResponse{}
	for _, d := range w.orders {
		o := d.GetOrder()
		found, alias := false, false
		switch by := r.GetBy().(type) {
		case *ordersv1.FindOrdersRequest_Email:
			found = mailbox(by.Email) == mailbox(d.GetEmail())
			alias = found && !strings.EqualFold(by.Email, d.GetEmail())
		case *ordersv1.FindOrdersRequest_ReferencePrefix:
			found = strings.HasPrefix(strings.ReplaceAll(o.GetReference(), "-", ""), strings.ToLower(strings.ReplaceAll(by.ReferencePrefix, "-", "")))
		case *ordersv1.FindOrdersRequest_OrderId:
			found = o.GetId() == by.OrderId
		case *ordersv1.FindOrdersRequest_PaymentIntentId:
			found = d.GetPaymentIntentId() == by.PaymentIntentId
		case *ordersv1.FindOrdersRequest_ChargeId:
			found = d.GetChargeId() == by.ChargeId
		case *ordersv1.FindOrdersRequest_CustomerId:
			found = d.GetCustomerId() == by.CustomerId
		case *ordersv1.FindOrdersRequest_AccountId:
			found = d.GetAccountId() == by.AccountId
		}
		if found {
			out.Orders = append(out.Orders, &ordersv1.FoundOrder{Order: proto.CloneOf(d), Alias: alias})
		}
	}
	slices.SortStableFunc(out.Orders, func(a, b *ordersv1.FoundOrder) int {
		return b.GetOrder().GetOrder().GetCreatedAt().AsTime().Compare(a.GetOrder().GetOrder().GetCreatedAt().AsTime())
	})
	return out, nil
}

func (w *town) MatchCharges(_ context.Context, r *ordersv1.MatchChargesRequest) (*ordersv1.MatchChargesResponse, error) {
	unlock, err := w.locked("orders")
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := &ordersv1.MatchChargesResponse{HistoryPosition: 1}
	for _, k := range r.GetCharges() {
		for _, d := range w.orders {
			if o := d.GetOrder(); d.GetChargeId() == k.GetChargeId() || d.GetPaymentIntentId() == k.GetPaymentIntentId() || o.GetId() == k.GetOrderId() {
				out.Matches = append(out.Matches, &ordersv1.ChargeMatch{
					ChargeId: k.GetChargeId(), OrderId: o.GetId(), State: o.GetState(), PaidByChargeId: d.GetChargeId(), AmountMinor: o.GetAmountMinor(), Currency: o.GetCurrency(),
					CustomerId: d.GetCustomerId(), RefundedMinor: d.GetRefundedMinor(), Dispute: d.GetDispute(), ChargedAt: o.GetChargedAt(), CompletedAt: o.GetCompletedAt(),
					DuplicateOfOrderId: w.twice[o.GetId()],
				})
				break
			}
		}
	}
	return out, nil
}

func (w *town) DescribeOrder(_ context.Context, r *ordersv1.DescribeOrderRequest) (*ordersv1.DescribeOrderResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.orders {
		if d.GetOrder().GetId() == r.GetOrderId() {
			return proto.CloneOf(d), nil
		}
	}
	return nil, status.Error(codes.NotFound, "there is no such order")
}

func mailbox(email string) string {
	local, domain, _ := strings.Cut(strings.ToLower(email), "@")
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + domain
}

func (w *town) FindCharges(_ context.Context, r *paymentsv1.FindChargesRequest) (*paymentsv1.FindChargesResponse, error) {
	unlock, err := w.locked("payments")
	if err != nil {
		return nil, err
	}
	defer unlock()
	w.asked = append(w.asked, r)
	out := &paymentsv1.FindChargesResponse{StripeRead: !w.down["stripe"]}
	for _, f := range w.charges {
		c, card := f.GetCharge(), r.GetCard()
		at := c.GetCreatedAt().AsTime()
		fits := card != nil && card.GetLast4() == f.GetLast4() && card.GetAmountMinor() == c.GetAmountMinor() &&
			(card.GetCurrency() == "" || card.GetCurrency() == c.GetCurrency()) && !at.Before(card.GetWindow().GetFrom().AsTime()) && at.Before(card.GetWindow().GetBefore().AsTime())
		if w.down["stripe"] && !c.GetRecorded() || w.down["stripe"] && fits {
			continue
		}
		if fits || slices.Contains(r.GetEmails(), f.GetEmail()) || slices.Contains(r.GetCustomerIds(), c.GetCustomerId()) ||
			slices.Contains(r.GetPaymentIntentIds(), c.GetPaymentIntentId()) || slices.Contains(r.GetChargeIds(), c.GetChargeId()) {
			out.Charges = append(out.Charges, proto.CloneOf(f))
		}
	}
	return out, nil
}

func (w *town) ListRefunds(_ context.Context, r *paymentsv1.ListRefundsRequest) (*paymentsv1.ListRefundsResponse, error) {
	unlock, err := w.locked("payments")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return &paymentsv1.ListRefundsResponse{Refunds: w.refunds[r.GetOrderId()]}, nil
}

func (w *town) ListWebhookEvents(_ context.Context, r *paymentsv1.ListWebhookEventsRequest) (*paymentsv1.ListWebhookEventsResponse, error) {
	unlock, err := w.locked("payments")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return &paymentsv1.ListWebhookEventsResponse{Events: w.events[r.GetCustomerId()]}, nil
}

func (p *townProvisioning) MatchGrants(_ context.Context, r *provisioningv1.MatchGrantsRequest) (*provisioningv1.MatchGrantsResponse, error) {
	w := p.town
	unlock, err := w.locked("provisioning")
	if err != nil {
		return nil, err
	}
	defer unlock()
	out := &provisioningv1.MatchGrantsResponse{HistoryPosition: 1}
	for _, id := range r.GetOrderIds() {
		if g := w.grants[id]; g != nil {
			out.Grants = append(out.Grants, proto.CloneOf(g))
		}
	}
	return out, nil
}

func (p *townProvisioning) CheckAccess(_ context.Context, r *provisioningv1.CheckAccessRequest) (*provisioningv1.CheckAccessResponse, error) {
	w := p.town
	unlock, err := w.locked("provisioning")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return &provisioningv1.CheckAccessResponse{AccountId: r.GetAccountId(), Active: !w.blocked[r.GetAccountId()]}, nil
}

func (w *town) ListMessages(_ context.Context, r *notificationsv1.ListMessagesRequest) (*notificationsv1.ListMessagesResponse, error) {
	unlock, err := w.locked("notifications")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return &notificationsv1.ListMessagesResponse{Messages: w.mails[r.GetOrderId()]}, nil
}

// FindMessages knows of no reply.
func (w *town) FindMessages(context.Context, *notificationsv1.FindMessagesRequest) (*notificationsv1.FindMessagesResponse, error) {
	unlock, err := w.locked("notifications")
	if err != nil {
		return nil, err
	}
	defer unlock()
	return &notificationsv1.FindMessagesResponse{}, nil
}

// customer is somebody who bought the plan: an order that is well, with its charge,
// its access and its mail.
type customer struct {
	order  *ordersv1.DescribeOrderResponse
	charge *paymentsv1.FoundCharge
	grant  *provisioningv1.Grant
	mail   *notificationsv1.Message
}

// buys lets a customer buy the plan; n tells one from another.
func (w *town) buys(n int, email string, at time.Time, change ...func(*customer)) *customer {
	id, number := orderID(n), string(rune('0'+n))
	reference := strings.Repeat(number, 8) + "-0000-4000-8000-000000000000"
	stamp := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(at.Add(d)) }
	c := &customer{
		order: &ordersv1.DescribeOrderResponse{
			Order: &ordersv1.Order{
				Id: id, Reference: reference, ReferenceShort: strings.Repeat(number, 8), Kind: ordersv1.Order_PURCHASE, State: ordersv1.Order_COMPLETE, PlanId: "annual",
				AmountMinor: 24900, Currency: "USD", AmountDisplay: "$249.00", EmailMasked: email[:1] + "***@example.com", CreatedAt: stamp(0), ChargedAt: stamp(time.Second),
				CompletedAt: stamp(2 * time.Second), NextAction: &ordersv1.NextAction{Type: ordersv1.NextAction_NONE},
			},
			Email: email, Name: "Jane Example", PlanName: "Annual plan", TermMonths: 12, PaymentIntentId: "pi_" + number, ChargeId: "ch_" + number, CustomerId: "cus_" + number,
			History: []*ordersv1.HistoryEntry{
				{ToState: ordersv1.Order_PENDING, Reason: "request", Actor: "buyer", At: stamp(0)},
				{FromState: ordersv1.Order_PENDING, ToState: ordersv1.Order_CHARGED, Reason: "request", Actor: "buyer", At: stamp(1500 * time.Millisecond)},
				{FromState: ordersv1.Order_CHARGED, ToState: ordersv1.Order_COMPLETE, Reason: "request", Actor: "buyer", At: stamp(2 * time.Second)},
			},
		},
		charge: &paymentsv1.FoundCharge{Email: email, Last4: "4242", Charge: &paymentsv1.SeenCharge{
			ChargeId: "ch_" + number, PaymentIntentId: "pi_" + number, CustomerId: "cus_" + number, Status: paymentsv1.SeenCharge_SUCCEEDED, Captured: true,
			AmountMinor: 24900, Currency: "USD", CreatedAt: stamp(time.Second), Owner: paymentsv1.SeenCharge_OURS, OwnerReason: "the charge is saved here", OrderId: id, Recorded: true,
		}},
		grant: &provisioningv1.Grant{OrderId: id, AccountId: orderID(100 + n), StartsAt: stamp(2 * time.Second), EndsAt: timestamppb.New(at.AddDate(1, 0, 0))},
		mail:  &notificationsv1.Message{Id: "m" + number, Kind: notificationsv1.Message_CONFIRMATION, State: notificationsv1.Message_SENT, CreatedAt: stamp(2 * time.Second), SentAt: stamp(3 * time.Second)},
	}
	for _, do := range change {
		do(c)
	}
	w.set(func() {
		if c.order != nil {
			w.orders = append(w.orders, c.order)
		}
		if c.charge != nil {
			w.charges = append(w.charges, c.charge)
		}
		if c.grant != nil {
			w.grants[id] = c.grant
		}
		if c.mail != nil {
			w.mails[id] = append(w.mails[id], c.mail)
		}
	})
	return c
}
