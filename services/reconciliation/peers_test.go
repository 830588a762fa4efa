package reconciliation_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/apperr"
)

// fakeWorld is what the peers know: Stripe's charges, the orders, the grants and
// the messages.
type fakeWorld struct {
	// hooksSince is since when the app has not taken a hook; nil for none.
	hooksSince *timestamppb.Timestamp
	mu         sync.Mutex
	charges    map[string]*paymentsv1.SeenCharge
	orders     map[string]*fakeOrder
	grants     map[string]bool // true while it gives access
	messages   map[string]int  // by dedupe key: how often it was asked for
	balance    []*paymentsv1.BalanceTransaction
	missing    map[string]string // by charge: what it does not say

	ordersHistory, grantsHistory int64

	completed []*ordersv1.CompletedOrder
	added     int      // events that the ledger lacks
	followed  []string // charges of the refunds in the window
	failed    []string

	// hooks, each may be nil; they are called without the lock
	onListCharges func(*paymentsv1.ListChargesRequest) error
	onRestore     func(chargeID string) error
	onMatch       func(*ordersv1.MatchChargesRequest) error
	onFollow      func(*paymentsv1.FollowChangesRequest) error

	disputes   map[string][]paymentsv1.Payment_Dispute // at Stripe, by charge
	undisputed map[string]int64                        // how much of a charge no dispute is about
	wonBack    map[string]int64                        // how much of a charge's lost dispute the bank put back

	listedDisputes []*paymentsv1.SeenDispute

	unreadable map[string]bool // charges of which Stripe gives no whole answer by their ids

	listed   []*paymentsv1.ListChargesRequest
	restored map[string]int
	until    map[string]*timestamppb.Timestamp // what adoptions say of access before
	adopted  map[string]int
	advanced map[string]int
	windows  map[string][]*paymentsv1.Window
}

// fakeOrder is an order as MatchCharges tells it.
type fakeOrder struct {
	*ordersv1.ChargeMatch
	intent string
	// advances is the state after the next advance; unspecified is as it is.
	advances ordersv1.Order_State
}

func newFakeWorld() *fakeWorld {
	return &fakeWorld{
		charges: map[string]*paymentsv1.SeenCharge{}, orders: map[string]*fakeOrder{}, grants: map[string]bool{},
		messages: map[string]int{}, missing: map[string]string{}, restored: map[string]int{}, until: map[string]*timestamppb.Timestamp{}, adopted: map[string]int{},
		advanced: map[string]int{}, windows: map[string][]*paymentsv1.Window{}, ordersHistory: 1, grantsHistory: 1,
	}
}

func (w *fakeWorld) set(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// charge puts a charge of ours at Stripe: $249.00, taken, for an order.
func (w *fakeWorld) charge(id string, at time.Time, order string, change ...func(*paymentsv1.SeenCharge)) *paymentsv1.SeenCharge {
	c := &paymentsv1.SeenCharge{
		ChargeId: id, PaymentIntentId: "pi_" + id, CustomerId: "cus_1", Status: paymentsv1.SeenCharge_SUCCEEDED, Captured: true,
		AmountMinor: 24900, Currency: "USD", CreatedAt: timestamppb.New(at.Truncate(time.Second)),
		Owner: paymentsv1.SeenCharge_OURS, OwnerReason: "its mark", OrderId: order, Recorded: true, BalanceTransactionId: "txn_" + id,
	}
	for _, do := range change {
		do(c)
	}
	w.set(func() {
		w.charges[id] = c
		if c.Status == paymentsv1.SeenCharge_SUCCEEDED && c.Captured {
			w.balance = append(w.balance, &paymentsv1.BalanceTransaction{Id: "txn_" + id, Type: "charge", SourceId: id, ChargeId: id,
				AmountMinor: c.GetAmountMinor(), FeeMinor: 30, NetMinor: c.GetAmountMinor() - 30, Currency: c.GetCurrency(), CreatedAt: c.GetCreatedAt()})
		}
	})
	return c
}

// order puts the order of a charge into a state; with access when it is fulfilled.
func (w *fakeWorld) order(id string, state ordersv1.Order_State, c *paymentsv1.SeenCharge, change ...func(*fakeOrder)) {
	o := &fakeOrder{intent: c.GetPaymentIntentId(), ChargeMatch: &ordersv1.ChargeMatch{
		OrderId: id, State: state, AmountMinor: c.GetAmountMinor(), Currency: c.GetCurrency(), CustomerId: c.GetCustomerId(),
		PaidByChargeId: c.GetChargeId(), ChargedAt: c.GetCreatedAt(),
	}}
	if state == ordersv1.Order_PENDING || state == ordersv1.Order_FAILED || state == ordersv1.Order_EXPIRED {
		o.PaidByChargeId, o.ChargedAt = "", nil
	}
	w.set(func() {
		w.orders[id] = o
		w.fulfil(o)
	})
	for _, do := range change {
		w.set(func() { do(o) })
	}
}

// fulfil gives what the order's state says; w.mu is held.
func (w *fakeWorld) fulfil(o *fakeOrder) {
	if o.State == ordersv1.Order_COMPLETE || o.State == ordersv1.Order_RECOVERED {
		w.grants[o.GetOrderId()] = true
		if o.CompletedAt == nil {
			o.CompletedAt = timestamppb.New(o.GetChargedAt().AsTime().Add(2 * time.Second))
		}
		w.ordersHistory++
		w.grantsHistory++
	}
}

func (w *fakeWorld) advance(id string) (state ordersv1.Order_State, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.orders[id]
	if o == nil {
		return 0, false
	}
	w.advanced[id]++
	if o.advances != 0 {
		o.State, o.advances = o.advances, 0
		if o.PaidByChargeId == "" {
			for _, c := range w.charges {
				if c.GetOrderId() == id {
					o.PaidByChargeId, o.ChargedAt = c.GetChargeId(), c.GetCreatedAt()
				}
			}
		}
		o.RecoveredBy = "reconciliation"
	}
	w.fulfil(o)
	if _, granted := w.grants[id]; granted && o.AccessWithdrawnAt != nil {
		w.grants[id] = false
	}
	return o.State, true
}

func (w *fakeWorld) describe(id string) *ordersv1.DescribeOrderResponse {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.orders[id]
	if o == nil {
		return nil
	}
	return &ordersv1.DescribeOrderResponse{ChargeId: o.GetPaidByChargeId(), PaymentIntentId: o.intent, Dispute: o.Dispute, AccessWithdrawnAt: o.AccessWithdrawnAt,
		Order: &ordersv1.Order{Id: id, State: o.State, AmountMinor: o.GetAmountMinor(), Currency: o.GetCurrency()}}
}

func (f *fakeOrders) MatchCharges(_ context.Context, r *ordersv1.MatchChargesRequest) (*ordersv1.MatchChargesResponse, error) {
	w := f.world
	if hook := hooked(w, &w.onMatch); hook != nil {
		if err := hook(r); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &ordersv1.MatchChargesResponse{HistoryPosition: w.ordersHistory}
	for _, k := range r.GetCharges() {
		for _, o := range w.orders {
			if o.GetPaidByChargeId() == k.GetChargeId() || k.GetPaymentIntentId() != "" && o.intent == k.GetPaymentIntentId() || o.GetOrderId() == k.GetOrderId() {
				m := proto.CloneOf(o.ChargeMatch)
				m.ChargeId = k.GetChargeId()
				if r.GetWithoutDuplicates() {
					m.DuplicateOfOrderId = ""
				}
				out.Matches = append(out.Matches, m)
				break
			}
		}
	}
	return out, nil
}

func (f *fakeOrders) AdoptCharge(_ context.Context, r *ordersv1.AdoptChargeRequest) (*ordersv1.AdvanceOrderResponse, error) {
	w := f.world
	w.mu.Lock()
	defer w.mu.Unlock()
	p := r.GetPayment()
	w.adopted[p.GetChargeId()]++
	w.until[p.GetChargeId()] = r.GetAccessUntil()
	if r.GetPlanId() == "unknown" {
		return nil, apperr.New(codes.InvalidArgument, "CANNOT_ADOPT", "there is no plan unknown")
	}
	o := w.orders[p.GetOrderId()]
	if o == nil {
		o = &fakeOrder{intent: p.GetPaymentIntentId(), ChargeMatch: &ordersv1.ChargeMatch{OrderId: p.GetOrderId(), State: ordersv1.Order_RECOVERED,
			AmountMinor: p.GetAmountMinor(), Currency: p.GetCurrency(), CustomerId: p.GetCustomerId(), RecoveredBy: "reconciliation"}}
		w.orders[p.GetOrderId()] = o
	}
	if o.PaidByChargeId == "" {
		o.PaidByChargeId, o.ChargedAt = p.GetChargeId(), p.GetChargedAt()
	}
	if o.RefundedMinor = p.GetRefundedMinor(); o.RefundedMinor == o.AmountMinor {
		o.State, o.AccessWithdrawnAt = ordersv1.Order_REFUNDED, timestamppb.Now()
	}
	o.Dispute = p.GetDispute()
	w.fulfil(o)
	return &ordersv1.AdvanceOrderResponse{Order: &ordersv1.Order{Id: o.GetOrderId(), State: o.State}}, nil
}

func (f *fakeOrders) ListCompleted(_ context.Context, r *ordersv1.ListCompletedRequest) (*ordersv1.ListCompletedResponse, error) {
	w := f.world
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &ordersv1.ListCompletedResponse{}
	for _, c := range w.completed {
		if at := c.GetCompletedAt().AsTime(); !at.Before(r.GetFrom().AsTime()) && at.Before(r.GetBefore().AsTime()) {
			out.Orders = append(out.Orders, c)
		}
	}
	return out, nil
}

// hooked reads a hook, which a test may set at any time.
func hooked[F any](w *fakeWorld, hook *F) F {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *hook
}

// hook sets one.
func hook[F any](w *fakeWorld, hook *F, do F) { w.set(func() { *hook = do }) }

// fakePayments reads the world's charges as Stripe lists them.
type fakePayments struct {
	paymentsv1.UnimplementedPaymentsAdminServiceServer
	world *fakeWorld
}

const stripePage = 100

func (p *fakePayments) ListCharges(_ context.Context, r *paymentsv1.ListChargesRequest) (*paymentsv1.ListChargesResponse, error) {
	w := p.world
	if hook := hooked(w, &w.onListCharges); hook != nil {
		if err := hook(r); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed = append(w.listed, r)
	out := &paymentsv1.ListChargesResponse{}
	if len(r.GetChargeIds()) > 0 {
		for _, id := range r.GetChargeIds() {
			if w.unreadable[id] {
				out.UnreadChargeIds = append(out.UnreadChargeIds, id)
			} else if c := w.charges[id]; c != nil {
				out.Charges = append(out.Charges, proto.CloneOf(c))
			}
		}
		if n := len(out.GetUnreadChargeIds()); n > 0 && !r.GetPartial() || n == len(r.GetChargeIds()) {
			return nil, errStripe
		}
		return out, nil
	}
	from, before := r.GetWindow().GetFrom().GetSeconds(), r.GetWindow().GetBefore().GetSeconds()
	for _, c := range w.charges {
		if at := c.GetCreatedAt().GetSeconds(); at >= from && at < before {
			out.Charges = append(out.Charges, proto.CloneOf(c))
		}
	}
	slices.SortFunc(out.Charges, func(a, b *paymentsv1.SeenCharge) int { // newest first, ties by id
		return cmp.Or(cmp.Compare(b.GetCreatedAt().GetSeconds(), a.GetCreatedAt().GetSeconds()), strings.Compare(b.GetChargeId(), a.GetChargeId()))
	})
	if t := r.GetPageToken(); t != "" {
		i := slices.IndexFunc(out.Charges, func(c *paymentsv1.SeenCharge) bool { return c.GetChargeId() == t })
		if i < 0 {
			return nil, apperr.Invalid("page_token", "is not of this window")
		}
		out.Charges = out.Charges[i+1:]
	}
	if len(out.Charges) > stripePage {
		out.Charges = out.Charges[:stripePage]
		out.NextPageToken = out.Charges[stripePage-1].GetChargeId()
	}
	return out, nil
}

func (p *fakePayments) MatchPayments(_ context.Context, r *paymentsv1.MatchPaymentsRequest) (*paymentsv1.MatchPaymentsResponse, error) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &paymentsv1.MatchPaymentsResponse{}
	for _, id := range r.GetChargeIds() {
		if w.charges[id].GetRecorded() {
			out.RecordedChargeIds = append(out.RecordedChargeIds, id)
		}
	}
	return out, nil
}

func (p *fakePayments) RestoreCharge(_ context.Context, r *paymentsv1.RestoreChargeRequest) (*paymentsv1.RestoreChargeResponse, error) {
	w := p.world
	if hook := hooked(w, &w.onRestore); hook != nil {
		if err := hook(r.GetChargeId()); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restored[r.GetChargeId()]++
	c := w.charges[r.GetChargeId()]
	if c == nil {
		return nil, apperr.New(codes.NotFound, "CHARGE_NOT_FOUND", "Stripe has no such charge")
	}
	if missing := w.missing[c.GetChargeId()]; missing != "" {
		return &paymentsv1.RestoreChargeResponse{Missing: missing}, nil
	}
	c.Recorded = true
	plan := "annual"
	if strings.Contains(c.GetChargeId(), "noplan") {
		plan = "unknown"
	}
	pay := &paymentsv1.Payment{
		OrderId: c.GetOrderId(), Status: paymentsv1.Payment_SUCCEEDED, PaymentIntentId: c.GetPaymentIntentId(), ChargeId: c.GetChargeId(),
		CustomerId: c.GetCustomerId(), AmountMinor: c.GetAmountMinor(), Currency: c.GetCurrency(), ChargedAt: c.GetCreatedAt(), RefundedMinor: c.GetRefundedMinor(),
	}
	if c.GetDisputed() {
		pay.Dispute = paymentsv1.Payment_OPEN
	}
	return &paymentsv1.RestoreChargeResponse{Reference: uuid.NewString(), PlanId: plan, Email: "jane@example.com", Payment: pay}, nil
}

func (p *fakePayments) CatchUpEvents(_ context.Context, r *paymentsv1.CatchUpEventsRequest) (*paymentsv1.CatchUpEventsResponse, error) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	w.windows["events"] = append(w.windows["events"], r.GetWindow())
	added := w.added
	w.added = 0
	return &paymentsv1.CatchUpEventsResponse{ReadCount: int32(added), AddedCount: int32(added)}, nil
}

func (p *fakePayments) FindCharges(_ context.Context, r *paymentsv1.FindChargesRequest) (*paymentsv1.FindChargesResponse, error) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &paymentsv1.FindChargesResponse{StripeRead: w.disputes != nil}
	for _, id := range r.GetChargeIds() {
		if c := w.charges[id]; c != nil {
			found := &paymentsv1.FoundCharge{Charge: c}
			for _, stands := range w.disputes[id] {
				d := &paymentsv1.ChargeDispute{Stands: stands, AmountMinor: c.GetAmountMinor() - w.undisputed[id]}
				if stands == paymentsv1.Payment_LOST {
					d.LostMinor = d.GetAmountMinor() - w.wonBack[id]
				}
				found.Disputes = append(found.Disputes, d)
			}
			out.Charges = append(out.Charges, found)
		}
	}
	return out, nil
}

func (p *fakePayments) FollowChanges(_ context.Context, r *paymentsv1.FollowChangesRequest) (*paymentsv1.FollowChangesResponse, error) {
	w := p.world
	if hook := hooked(w, &w.onFollow); hook != nil {
		if err := hook(r); err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	name := strings.ToLower(r.GetKind().String())
	w.windows[name] = append(w.windows[name], r.GetWindow())
	if r.GetKind() != paymentsv1.FollowChangesRequest_REFUNDS {
		out := &paymentsv1.FollowChangesResponse{}
		for _, d := range w.listedDisputes {
			if at := d.GetCreatedAt().GetSeconds(); at >= r.GetWindow().GetFrom().GetSeconds() && at < r.GetWindow().GetBefore().GetSeconds() {
				out.Disputes = append(out.Disputes, proto.CloneOf(d))
			}
		}
		return out, nil
	}
	out := &paymentsv1.FollowChangesResponse{FollowedChargeIds: w.followed, FailedChargeIds: w.failed}
	w.followed, w.failed = nil, nil
	return out, nil
}

func (p *fakePayments) ListBalanceTransactions(_ context.Context, r *paymentsv1.ListBalanceTransactionsRequest) (*paymentsv1.ListBalanceTransactionsResponse, error) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &paymentsv1.ListBalanceTransactionsResponse{}
	for _, b := range w.balance {
		if at := b.GetCreatedAt().GetSeconds(); at >= r.GetWindow().GetFrom().GetSeconds() && at < r.GetWindow().GetBefore().GetSeconds() {
			out.Transactions = append(out.Transactions, proto.CloneOf(b))
		}
	}
	return out, nil
}

// accessEnds is until when every grant of the world gives access.
var accessEnds = time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)

type fakeProvisioning struct {
	provisioningv1.UnimplementedProvisioningServiceServer
	world *fakeWorld
}

func (p *fakeProvisioning) MatchGrants(_ context.Context, r *provisioningv1.MatchGrantsRequest) (*provisioningv1.MatchGrantsResponse, error) {
	w := p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &provisioningv1.MatchGrantsResponse{HistoryPosition: w.grantsHistory}
	for _, id := range r.GetOrderIds() {
		if active, known := w.grants[id]; known {
			g := &provisioningv1.Grant{OrderId: id, EndsAt: timestamppb.New(accessEnds)}
			if !active {
				g.RevokedAt = timestamppb.Now()
			}
			out.Grants = append(out.Grants, g)
		}
	}
	return out, nil
}

// fakeHooks says since when the app has not taken what it was told.
type fakeHooks struct {
	provisioningv1.UnimplementedProvisioningAdminServiceServer
	world *fakeWorld
}

func (h *fakeHooks) ListHooks(context.Context, *provisioningv1.ListHooksRequest) (*provisioningv1.ListHooksResponse, error) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	return &provisioningv1.ListHooksResponse{OldestUndeliveredAt: h.world.hooksSince}, nil
}

type fakeNotifications struct {
	notificationsv1.UnimplementedNotificationsServiceServer
	world *fakeWorld
}

func (n *fakeNotifications) FindMessages(_ context.Context, r *notificationsv1.FindMessagesRequest) (*notificationsv1.FindMessagesResponse, error) {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &notificationsv1.FindMessagesResponse{}
	for _, k := range r.GetDedupeKeys() {
		if w.messages[k] > 0 {
			out.Messages = append(out.Messages, &notificationsv1.Message{DedupeKey: k})
		}
	}
	return out, nil
}

func (n *fakeNotifications) SendMessage(_ context.Context, r *notificationsv1.SendMessageRequest) (*notificationsv1.Message, error) {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(r.GetDedupeKey(), "refused") {
		return nil, fmt.Errorf("no")
	}
	w.messages[r.GetDedupeKey()]++
	return &notificationsv1.Message{DedupeKey: r.GetDedupeKey()}, nil
}
