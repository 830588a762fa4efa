package peertest

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
)

// OrdersPeer answers every buyer's call with Answer, and remembers the last.
type OrdersPeer struct {
	ordersv1.UnimplementedOrdersServiceServer
	ordersv1.UnimplementedOrdersAdminServiceServer

	mu     sync.Mutex
	answer func(context.Context, proto.Message) (*ordersv1.Order, error)
	last   Call
}

// Call is what a peer was asked.
type Call struct {
	Request  proto.Message
	Metadata metadata.MD
	Identity access.Identity
}

// Answer sets what every call is answered with from now on.
func (o *OrdersPeer) Answer(answer func(context.Context, proto.Message) (*ordersv1.Order, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer, o.last = answer, Call{}
}

// AnswerWith answers every call with the same order or error.
func (o *OrdersPeer) AnswerWith(order *ordersv1.Order, err error) {
	o.Answer(func(context.Context, proto.Message) (*ordersv1.Order, error) { return order, err })
}

// Last is the last call; its Request is nil when there was none since Answer.
func (o *OrdersPeer) Last() Call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

func (o *OrdersPeer) reply(ctx context.Context, req proto.Message) (*ordersv1.Order, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	o.mu.Lock()
	o.last = Call{req, md, access.From(ctx)}
	answer := o.answer
	o.mu.Unlock()
	return answer(ctx, req)
}

func (o *OrdersPeer) PlaceOrder(ctx context.Context, r *ordersv1.PlaceOrderRequest) (*ordersv1.Order, error) {
	return o.reply(ctx, r)
}

func (o *OrdersPeer) PayOrder(ctx context.Context, r *ordersv1.PayOrderRequest) (*ordersv1.Order, error) {
	return o.reply(ctx, r)
}

func (o *OrdersPeer) ConfirmOrder(ctx context.Context, r *ordersv1.ConfirmOrderRequest) (*ordersv1.Order, error) {
	return o.reply(ctx, r)
}

func (o *OrdersPeer) RefundOrder(ctx context.Context, r *ordersv1.RefundOrderRequest) (*ordersv1.Order, error) {
	return o.reply(ctx, r)
}

func (o *OrdersPeer) GetOrder(ctx context.Context, r *ordersv1.GetOrderRequest) (*ordersv1.Order, error) {
	return o.reply(ctx, r)
}

func (o *OrdersPeer) ListPlans(context.Context, *ordersv1.ListPlansRequest) (*ordersv1.ListPlansResponse, error) {
	return &ordersv1.ListPlansResponse{Plans: []*ordersv1.Plan{{
		Id: "annual", Name: "Annual", TermMonths: 12,
		Prices: []*ordersv1.Price{{Currency: "USD", AmountMinor: 24900, AmountDisplay: "$249.00"}},
	}, {
		Id: "annual-subscription", Name: "Annual subscription", TermMonths: 12, Renews: true,
		Prices: []*ordersv1.Price{{Currency: "USD", AmountMinor: 24900, AmountDisplay: "$249.00"}},
	}}}, nil
}

// PaymentsPeer answers webhooks, and says what it was asked about the ledger.
type PaymentsPeer struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	paymentsv1.UnimplementedPaymentsAdminServiceServer
	// Webhook answers a delivery.
	Webhook func(*paymentsv1.ReceiveWebhookRequest) (string, error)
	// Handling is called with the context of a delivery, when it is set.
	Handling func(context.Context)
	// File answers deliveries that came together; nil files none.
	File func(*paymentsv1.FileWebhooksRequest) []string
}

func (p *PaymentsPeer) ReceiveWebhook(ctx context.Context, r *paymentsv1.ReceiveWebhookRequest) (*paymentsv1.ReceiveWebhookResponse, error) {
	if p.Handling != nil {
		p.Handling(ctx)
	}
	status, err := p.Webhook(r)
	if err != nil {
		return nil, err
	}
	return &paymentsv1.ReceiveWebhookResponse{Status: status}, nil
}

// FileWebhooks files nothing: every delivery is for ReceiveWebhook, unless the
// test says what becomes of them.
func (p *PaymentsPeer) FileWebhooks(_ context.Context, r *paymentsv1.FileWebhooksRequest) (*paymentsv1.FileWebhooksResponse, error) {
	if p.File != nil {
		return &paymentsv1.FileWebhooksResponse{Statuses: p.File(r)}, nil
	}
	return &paymentsv1.FileWebhooksResponse{Statuses: make([]string, len(r.GetDeliveries()))}, nil
}

// ListWebhookEvents answers with one event that shows what was asked.
func (p *PaymentsPeer) ListWebhookEvents(_ context.Context, r *paymentsv1.ListWebhookEventsRequest) (*paymentsv1.ListWebhookEventsResponse, error) {
	return &paymentsv1.ListWebhookEventsResponse{Events: []*paymentsv1.WebhookEvent{{Status: r.GetStatus(), AttemptCount: r.GetMinAttempts(), CustomerId: r.GetCustomerId()}}}, nil
}

// ProvisioningPeer says that every account has access.
type ProvisioningPeer struct {
	provisioningv1.UnimplementedProvisioningServiceServer
	provisioningv1.UnimplementedProvisioningAdminServiceServer
	// Access says what an account has instead; nil is access without an end.
	Access func() (*provisioningv1.CheckAccessResponse, error)
}

func (p *ProvisioningPeer) CheckAccess(_ context.Context, r *provisioningv1.CheckAccessRequest) (*provisioningv1.CheckAccessResponse, error) {
	if p.Access != nil {
		return p.Access()
	}
	return &provisioningv1.CheckAccessResponse{AccountId: r.GetAccountId(), Active: true}, nil
}

// NotificationsPeer has sent no message.
type NotificationsPeer struct {
	notificationsv1.UnimplementedNotificationsServiceServer
}

func (*NotificationsPeer) ListMessages(context.Context, *notificationsv1.ListMessagesRequest) (*notificationsv1.ListMessagesResponse, error) {
	return &notificationsv1.ListMessagesResponse{}, nil
}

// ReconciliationPeer has one recorded run.
type ReconciliationPeer struct {
	reconciliationv1.UnimplementedReconciliationServiceServer
	SupportPeer
	// Watch answers who watches a run; nil is a run that has succeeded at once.
	Watch func(*reconciliationv1.WatchRunRequest, func(*reconciliationv1.Run) error) error
}

// WhoAmI answers with whose token it is.
func (*ReconciliationPeer) WhoAmI(ctx context.Context, _ *reconciliationv1.WhoAmIRequest) (*reconciliationv1.WhoAmIResponse, error) {
	id := access.From(ctx)
	return &reconciliationv1.WhoAmIResponse{Actor: id.Actor, Role: id.Role}, nil
}

func (r *ReconciliationPeer) WatchRun(req *reconciliationv1.WatchRunRequest, stream grpc.ServerStreamingServer[reconciliationv1.Run]) error {
	if r.Watch == nil {
		return stream.Send(&reconciliationv1.Run{Id: 7, Status: reconciliationv1.Run_SUCCEEDED, DryRun: req.GetDryRun()})
	}
	return r.Watch(req, stream.Send)
}

func (*ReconciliationPeer) StartRun(context.Context, *reconciliationv1.StartRunRequest) (*reconciliationv1.Run, error) {
	return &reconciliationv1.Run{Id: 7, Status: reconciliationv1.Run_SUCCEEDED}, nil
}

// ExplainCharge answers about the charge that was asked for.
func (*ReconciliationPeer) ExplainCharge(_ context.Context, r *reconciliationv1.ExplainChargeRequest) (*reconciliationv1.ExplainChargeResponse, error) {
	return &reconciliationv1.ExplainChargeResponse{Evidence: []string{r.GetChargeId()}}, nil
}

// GetIntegrityReport answers with the window that was asked for.
func (*ReconciliationPeer) GetIntegrityReport(_ context.Context, r *reconciliationv1.GetIntegrityReportRequest) (*reconciliationv1.IntegrityReport, error) {
	return &reconciliationv1.IntegrityReport{From: r.GetFrom(), Before: r.GetBefore()}, nil
}

func (*ReconciliationPeer) ListRuns(_ context.Context, r *reconciliationv1.ListRunsRequest) (*reconciliationv1.ListRunsResponse, error) {
	return &reconciliationv1.ListRunsResponse{Runs: []*reconciliationv1.Run{{Id: int64(r.GetPageSize())}}}, nil
}
