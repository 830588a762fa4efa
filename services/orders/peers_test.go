package orders_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcserver"
)

// peers are the four other services as Orders sees them: real servers that
// validate requests by the contract, with answers that the test scripts.
type peers struct {
	addr          string
	payments      *fakePayments
	provisioning  *fakeProvisioning
	notifications *fakeNotifications
	cases         *fakeCases
}

func startPeers(t *testing.T, c *clock) *peers {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	table := access.Table{}
	server, err := grpcserver.New(grpcserver.Config{
		Name: "peers", Listener: listener, Access: table, Log: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &peers{
		addr: listener.Addr().String(), payments: &fakePayments{clock: c}, provisioning: &fakeProvisioning{clock: c},
		notifications: &fakeNotifications{}, cases: &fakeCases{},
	}
	paymentsv1.RegisterPaymentsServiceServer(server, p.payments)
	paymentsv1.RegisterPaymentsAdminServiceServer(server, fakeRefunds{payments: p.payments})
	provisioningv1.RegisterProvisioningServiceServer(server, p.provisioning)
	notificationsv1.RegisterNotificationsServiceServer(server, p.notifications)
	reconciliationv1.RegisterReconciliationServiceServer(server, p.cases)
	for service, info := range server.GetServiceInfo() {
		if !strings.HasPrefix(service, "grpc.") {
			for _, m := range info.Methods {
				table["/"+service+"/"+m.Name] = access.Rule{Callers: []string{"orders"}}
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("peers: %v", err)
		}
	})
	return p
}

// away is what a peer says that is not there.
var away = apperr.New(codes.Unavailable, "AWAY", "away, by the will of the test")

// answer is what Payments says about a purchase.
type answer func(ctx context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error)

type fakePayments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	clock *clock

	mu                      sync.Mutex
	onPay, onLook, onCancel answer // nil: succeeds; knows nothing; cancels
	pays                    []*paymentsv1.PayRequest
	looks, cancels          int

	onRefund func(*paymentsv1.RefundPaymentRequest) (*paymentsv1.Refund, error) // nil: made
	refunds  []*paymentsv1.RefundPaymentRequest
}

func (f *fakePayments) set(change func(*fakePayments)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// says makes every question of Orders have one answer.
func (f *fakePayments) says(a answer) {
	f.set(func(f *fakePayments) { f.onPay, f.onLook, f.onCancel = a, a, a })
}

func (f *fakePayments) Pay(ctx context.Context, r *paymentsv1.PayRequest) (*paymentsv1.Payment, error) {
	var a answer
	f.set(func(f *fakePayments) {
		f.pays = append(f.pays, proto.CloneOf(r))
		a = f.onPay
	})
	if a == nil {
		a = f.succeeded("ch")
	}
	return a(ctx, r.GetPurchase(), r.GetAttemptId())
}

func (f *fakePayments) LookAtPayment(ctx context.Context, r *paymentsv1.LookAtPaymentRequest) (*paymentsv1.Payment, error) {
	var a answer
	f.set(func(f *fakePayments) { f.looks++; a = f.onLook })
	if a == nil {
		a = says(paymentsv1.Payment_UNKNOWN)
	}
	return a(ctx, r.GetPurchase(), "")
}

func (f *fakePayments) CancelPayment(ctx context.Context, r *paymentsv1.CancelPaymentRequest) (*paymentsv1.Payment, error) {
	var a answer
	f.set(func(f *fakePayments) { f.cancels++; a = f.onCancel })
	if a == nil {
		a = says(paymentsv1.Payment_CANCELED)
	}
	return a(ctx, r.GetPurchase(), r.GetAttemptId())
}

// asked is how often Orders has paid, looked and canceled.
func (f *fakePayments) asked() (pays, looks, cancels int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pays), f.looks, f.cancels
}

func (f *fakePayments) attempts() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := map[string]bool{}
	for _, r := range f.pays {
		ids[r.GetAttemptId()] = true
	}
	return ids
}

// succeeded: the purchase's amount was charged now, under an id of its own.
func (f *fakePayments) succeeded(prefix string) answer {
	return func(_ context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
		return f.charge(p.GetOrderId(), prefix, p.GetAmountMinor(), p.GetCurrency(), attempt), nil
	}
}

// charge is money that arrived for an order.
func (f *fakePayments) charge(orderID, prefix string, minor int64, currency, attempt string) *paymentsv1.Payment {
	return &paymentsv1.Payment{
		OrderId: orderID, Status: paymentsv1.Payment_SUCCEEDED, PaymentIntentId: "pi_" + orderID, CustomerId: "cus_" + orderID,
		ChargeId: prefix + "_" + orderID, AmountMinor: minor, Currency: currency, ChargedAt: timestamppb.New(f.clock.Now()), AttemptId: attempt,
	}
}

// says is any status without further facts.
func says(status paymentsv1.Payment_Status) answer {
	return func(_ context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
		out := &paymentsv1.Payment{OrderId: p.GetOrderId(), Status: status, PaymentIntentId: "pi_" + p.GetOrderId(), AttemptId: attempt}
		if status == paymentsv1.Payment_REQUIRES_ACTION || status == paymentsv1.Payment_REQUIRES_PAYMENT_METHOD {
			out.ClientSecret = "the-secret-of-" + p.GetOrderId()
		}
		return out, nil
	}
}

func declines(code, message string) answer {
	return func(_ context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
		return &paymentsv1.Payment{
			OrderId: p.GetOrderId(), Status: paymentsv1.Payment_REQUIRES_PAYMENT_METHOD, PaymentIntentId: "pi_" + p.GetOrderId(),
			AttemptId: attempt, Decline: &paymentsv1.Decline{Code: code, Message: message},
		}, nil
	}
}

func fails(err error) answer {
	return func(context.Context, *paymentsv1.Purchase, string) (*paymentsv1.Payment, error) { return nil, err }
}

// blocks holds the question until release is closed, then gives another answer.
func blocks(release <-chan struct{}, then answer) answer {
	return func(ctx context.Context, p *paymentsv1.Purchase, attempt string) (*paymentsv1.Payment, error) {
		select {
		case <-release:
			return then(ctx, p, attempt)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type fakeProvisioning struct {
	provisioningv1.UnimplementedProvisioningServiceServer
	clock *clock

	mu         sync.Mutex
	err        error // of GrantAccess
	accountErr error // of CheckBuyer
	wait       chan struct{}
	revoked    bool
	grants     map[string]*provisioningv1.GrantAccessRequest
	given      map[string]*provisioningv1.Grant // what was answered last
	lost       bool                             // the grants are gone
	calls      int
	revokes    []string
	restores   []string

	followErr error // of FollowSubscription
	follows   []*provisioningv1.FollowSubscriptionRequest
	until     time.Time // what FollowSubscription answers; zero is no access
}

func (f *fakeProvisioning) set(change func(*fakeProvisioning)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeProvisioning) CheckBuyer(context.Context, *provisioningv1.CheckBuyerRequest) (*provisioningv1.CheckBuyerResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &provisioningv1.CheckBuyerResponse{}, f.accountErr
}

func (f *fakeProvisioning) GrantAccess(ctx context.Context, r *provisioningv1.GrantAccessRequest) (*provisioningv1.Grant, error) {
	f.mu.Lock()
	f.calls++
	err, wait, revoked := f.err, f.wait, f.revoked
	if f.grants == nil {
		f.grants = map[string]*provisioningv1.GrantAccessRequest{}
	}
	given, lost := f.given[r.GetOrderId()], f.lost
	if err == nil && (!r.GetAgain() || lost) {
		f.grants[r.GetOrderId()] = proto.CloneOf(r)
	}
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	now := f.clock.Now()
	g := &provisioningv1.Grant{OrderId: r.GetOrderId(), StartsAt: timestamppb.New(now), EndsAt: timestamppb.New(now.AddDate(0, int(r.GetTermMonths()), 0))}
	if r.GetPeriodEnd() != nil {
		g.StartsAt, g.EndsAt = r.GetPeriodStart(), r.GetPeriodEnd()
	}
	switch {
	case r.GetAgain() && lost:
		g.GrantedNow = true
	case r.GetAgain() && given != nil:
		g.StartsAt, g.EndsAt = given.GetStartsAt(), given.GetEndsAt()
	}
	f.set(func(f *fakeProvisioning) {
		if f.given == nil {
			f.given = map[string]*provisioningv1.Grant{}
		}
		f.given[r.GetOrderId()] = g
	})
	if revoked {
		g.RevokedAt = timestamppb.New(now)
	}
	return g, nil
}

func (f *fakeProvisioning) RevokeAccess(_ context.Context, r *provisioningv1.RevokeAccessRequest) (*provisioningv1.Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revokes = append(f.revokes, r.GetOrderId())
	return &provisioningv1.Grant{OrderId: r.GetOrderId(), RevokedAt: timestamppb.New(f.clock.Now())}, f.err
}

func (f *fakeProvisioning) RestoreAccess(_ context.Context, r *provisioningv1.RestoreAccessRequest) (*provisioningv1.Grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.restores = append(f.restores, r.GetOrderId())
	return &provisioningv1.Grant{OrderId: r.GetOrderId(), EndsAt: timestamppb.New(f.clock.Now().AddDate(1, 0, 0))}, f.err
}

func (f *fakeProvisioning) FollowSubscription(_ context.Context, r *provisioningv1.FollowSubscriptionRequest) (*provisioningv1.FollowSubscriptionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.follows = append(f.follows, proto.CloneOf(r))
	out := &provisioningv1.FollowSubscriptionResponse{}
	if !f.until.IsZero() {
		out.AccessUntil = timestamppb.New(f.until)
	}
	return out, f.followErr
}

// followed is how Provisioning was last told that a subscription stands.
func (f *fakeProvisioning) followed() *provisioningv1.FollowSubscriptionRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.follows) == 0 {
		return nil
	}
	return f.follows[len(f.follows)-1]
}

// grantOf is what access was asked for an order.
func (f *fakeProvisioning) grantOf(orderID string) *provisioningv1.GrantAccessRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.grants[orderID]
}

// taken is how often access was withdrawn and restored.
func (f *fakeProvisioning) taken() (revokes, restores int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.revokes), len(f.restores)
}

func (f *fakeProvisioning) granted() (orders, calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.grants), f.calls
}

type fakeNotifications struct {
	notificationsv1.UnimplementedNotificationsServiceServer

	mu       sync.Mutex
	err      error // of SendMessage
	checkErr error // of CheckRecipient
	slow     time.Duration
	messages []*notificationsv1.SendMessageRequest
	tries    int
}

func (f *fakeNotifications) set(change func(*fakeNotifications)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeNotifications) CheckRecipient(ctx context.Context, _ *notificationsv1.CheckRecipientRequest) (*notificationsv1.CheckRecipientResponse, error) {
	f.mu.Lock()
	err, slow := f.checkErr, f.slow
	f.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &notificationsv1.CheckRecipientResponse{}, err
}

func (f *fakeNotifications) SendMessage(_ context.Context, r *notificationsv1.SendMessageRequest) (*notificationsv1.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if f.err != nil {
		return nil, f.err
	}
	f.messages = append(f.messages, proto.CloneOf(r))
	return &notificationsv1.Message{DedupeKey: r.GetDedupeKey(), Kind: r.GetKind(), OrderId: r.GetOrderId()}, nil
}

// sent is every message handed over, as "KIND dedupe-key".
func (f *fakeNotifications) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, m := range f.messages {
		out = append(out, m.GetKind().String()+" "+m.GetDedupeKey())
	}
	return out
}

type fakeCases struct {
	reconciliationv1.UnimplementedReconciliationServiceServer

	mu    sync.Mutex
	err   error
	cases []*reconciliationv1.OpenCaseRequest
}

func (f *fakeCases) OpenCase(_ context.Context, r *reconciliationv1.OpenCaseRequest) (*reconciliationv1.Case, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	f.cases = append(f.cases, proto.CloneOf(r))
	return &reconciliationv1.Case{Kind: r.GetKind(), Subject: r.GetSubject()}, nil
}

// reported counts the reports of all cases.
func (f *fakeCases) reported() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.cases)
}

// says whether the latest report says all of the parts.
func (f *fakeCases) says(parts ...string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.cases) > 0 && !slices.ContainsFunc(parts, func(part string) bool {
		return !strings.Contains(f.cases[len(f.cases)-1].GetSummary(), part)
	})
}

// open is each case once, as "KIND subject", in the order of the first report.
func (f *fakeCases) open() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	seen := map[string]bool{}
	for _, c := range f.cases {
		if name := c.GetKind().String() + " " + c.GetSubject(); !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}
