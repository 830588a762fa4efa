package clients

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/reconciliation/internal/balance"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/disposition"
)

// listTimeout bounds one page of Stripe's: it may take Stripe some seconds, and
// Payments may wait when it is told to slow down.
const listTimeout = 30 * time.Second

// Payments reads Stripe's lists, and writes down what it lacks.
type Payments struct {
	client paymentsv1.PaymentsAdminServiceClient
}

// NewPayments uses a connection to Payments.
func NewPayments(conn grpc.ClientConnInterface) *Payments {
	return &Payments{paymentsv1.NewPaymentsAdminServiceClient(conn)}
}

// Window is a stretch of time and a place in its list: From is in it, Before is
// not, Token is empty for its beginning.
type Window struct {
	From, Before time.Time
	Token        string
}

func (w Window) proto() *paymentsv1.Window {
	return &paymentsv1.Window{From: timestamppb.New(w.From), Before: timestamppb.New(w.Before)}
}

// ListCharges reads one page of the charges made in a window, newest first, and
// the token of the next page, empty on the last.
func (p *Payments) ListCharges(ctx context.Context, w Window) ([]disposition.Charge, string, error) {
	page, err := p.page(ctx, &paymentsv1.ListChargesRequest{Window: w.proto(), PageToken: w.Token})
	return seenCharges(page), page.GetNextPageToken(), err
}

// Charges reads charges by their ids, at most 100. Those that Stripe does not
// have are missing.
func (p *Payments) Charges(ctx context.Context, ids []string) ([]disposition.Charge, error) {
	page, err := p.page(ctx, &paymentsv1.ListChargesRequest{ChargeIds: ids})
	return seenCharges(page), err
}

// MostCharges is Charges of as many as can be read now, and answers with the ids of the
// others. It is an error when none can.
func (p *Payments) MostCharges(ctx context.Context, ids []string) (charges []disposition.Charge, unread []string, err error) {
	page, err := p.page(ctx, &paymentsv1.ListChargesRequest{ChargeIds: ids, Partial: true})
	return seenCharges(page), page.GetUnreadChargeIds(), err
}

// Recorded answers which of a page of charges Payments has recorded as paid.
func (p *Payments) Recorded(ctx context.Context, ids []string) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := p.client.MatchPayments(ctx, &paymentsv1.MatchPaymentsRequest{ChargeIds: ids})
	recorded := make(map[string]bool, len(answer.GetRecordedChargeIds()))
	for _, id := range answer.GetRecordedChargeIds() {
		recorded[id] = true
	}
	return recorded, err
}

func (p *Payments) page(ctx context.Context, r *paymentsv1.ListChargesRequest) (*paymentsv1.ListChargesResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return p.client.ListCharges(ctx, r)
}

func seenCharges(page *paymentsv1.ListChargesResponse) []disposition.Charge {
	charges := make([]disposition.Charge, len(page.GetCharges()))
	for i, c := range page.GetCharges() {
		charges[i] = seenCharge(c)
	}
	return charges
}

func seenCharge(c *paymentsv1.SeenCharge) disposition.Charge {
	return disposition.Charge{
		ID: c.GetChargeId(), IntentID: c.GetPaymentIntentId(), CustomerID: c.GetCustomerId(),
		Status: disposition.Status(c.GetStatus().String()), Captured: c.GetCaptured(),
		AmountMinor: c.GetAmountMinor(), RefundedMinor: c.GetRefundedMinor(), Currency: c.GetCurrency(), Disputed: c.GetDisputed(),
		CreatedAt: c.GetCreatedAt().AsTime(), Owner: disposition.Owner(c.GetOwner().String()), OwnerReason: c.GetOwnerReason(),
		OrderID: c.GetOrderId(), Recorded: c.GetRecorded(), BalanceTransactionID: c.GetBalanceTransactionId(),
	}
}

// Restored is what Payments knows of a charge after it has written down what it
// lacked of it.
type Restored struct {
	// Missing is what the charge does not say, so that it cannot be adopted.
	Missing string
	// Paid: Stripe says so. Only then Orders can be told.
	Paid          bool
	RefundedMinor int64
	adoption      *ordersv1.AdoptChargeRequest
}

// OrderID is the order that it is for.
func (r Restored) OrderID() string { return r.adoption.GetPayment().GetOrderId() }

// IsFor says whether it is for a buyer and a plan.
func (r Restored) IsFor(email, planID string) bool {
	return strings.EqualFold(strings.TrimSpace(r.adoption.GetEmail()), strings.TrimSpace(email)) && r.adoption.GetPlanId() == planID
}

// Restore has Payments read a charge and write down what it lacks of it.
func (p *Payments) Restore(ctx context.Context, chargeID string) (Restored, error) {
	return p.restore(ctx, &paymentsv1.RestoreChargeRequest{ChargeId: chargeID})
}

// RestoreAs is Restore of a charge whose buyer and plan the person names whose
// credential ctx carries.
func (p *Payments) RestoreAs(ctx context.Context, chargeID, email, name, planID string) (Restored, error) {
	return p.restore(ctx, &paymentsv1.RestoreChargeRequest{ChargeId: chargeID, Named: &paymentsv1.NamedBuyer{Email: email, Name: name, PlanId: planID}})
}

func (p *Payments) restore(ctx context.Context, req *paymentsv1.RestoreChargeRequest) (Restored, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	r, err := p.client.RestoreCharge(ctx, req)
	if err != nil {
		return Restored{}, err
	}
	return Restored{
		Missing:       r.GetMissing(),
		Paid:          r.GetPayment().GetStatus() == paymentsv1.Payment_SUCCEEDED,
		RefundedMinor: r.GetPayment().GetRefundedMinor(),
		adoption: &ordersv1.AdoptChargeRequest{
			Reference: r.GetReference(), PlanId: r.GetPlanId(), Email: r.GetEmail(), Name: r.GetName(), AccountId: r.GetAccountId(),
			Payment: r.GetPayment(), RenewsOrderId: r.GetRenewsOrderId(),
		},
	}, nil
}

// CatchUpEvents has Payments read one page of Stripe's events and take those that
// its ledger lacks.
func (p *Payments) CatchUpEvents(ctx context.Context, w Window) (added int, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	r, err := p.client.CatchUpEvents(ctx, &paymentsv1.CatchUpEventsRequest{Window: w.proto(), PageToken: w.Token})
	return int(r.GetAddedCount()), r.GetNextPageToken(), err
}

// Change is a kind of what happens to a charge later.
type Change = paymentsv1.FollowChangesRequest_Kind

// The kinds of changes.
const (
	Refunds  = paymentsv1.FollowChangesRequest_REFUNDS
	Disputes = paymentsv1.FollowChangesRequest_DISPUTES
)

// FollowChanges has Payments read one page of refunds or disputes, and tell
// Orders what it did not know.
func (p *Payments) FollowChanges(ctx context.Context, kind Change, w Window) (f Followed, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	r, err := p.client.FollowChanges(ctx, &paymentsv1.FollowChangesRequest{Kind: kind, Window: w.proto(), PageToken: w.Token})
	f = Followed{Told: r.GetFollowedChargeIds(), Failed: r.GetFailedChargeIds(), Next: r.GetNextPageToken()}
	for _, d := range r.GetDisputes() {
		seen := balance.Dispute{
			ID: d.GetStripeDisputeId(), ChargeID: d.GetChargeId(), AmountMinor: d.GetAmountMinor(), Currency: d.GetCurrency(),
			Stands: d.GetStands().String(), Reason: d.GetReason(), CreatedAt: d.GetCreatedAt().AsTime(), AnswerBy: orZero(d.GetAnswerBy()),
			LostMinor: lostMinor(d),
		}
		for _, b := range d.GetMovements() {
			seen.Movements = append(seen.Movements, movement(b))
		}
		f.Disputes = append(f.Disputes, seen)
	}
	return f, err
}

// lostMinor is what of a dispute the bank has taken for good; an older Payments does not
// say it, and then it is all that was disputed.
func lostMinor(d interface {
	GetStands() paymentsv1.Payment_Dispute
	GetAmountMinor() int64
	GetLostMinor() int64
}) int64 {
	if d.GetStands() == paymentsv1.Payment_LOST && d.GetLostMinor() == 0 {
		return d.GetAmountMinor()
	}
	return d.GetLostMinor()
}

// Followed is what came of a page of refunds or disputes.
type Followed struct {
	// Told are the charges about which Orders heard news, Failed those that could not
	// be followed now.
	Told, Failed []string
	// Disputes are those of the page, whoever's their charges are.
	Disputes []balance.Dispute
	Next     string
}

// ListBalance reads one page of the movements of the Stripe balance.
func (p *Payments) ListBalance(ctx context.Context, w Window) ([]balance.Transaction, string, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	page, err := p.client.ListBalanceTransactions(ctx, &paymentsv1.ListBalanceTransactionsRequest{Window: w.proto(), PageToken: w.Token})
	if err != nil {
		return nil, "", err
	}
	list := make([]balance.Transaction, len(page.GetTransactions()))
	for i, b := range page.GetTransactions() {
		list[i] = movement(b)
	}
	return list, page.GetNextPageToken(), nil
}

func movement(b *paymentsv1.BalanceTransaction) balance.Transaction {
	return balance.Transaction{
		ID: b.GetId(), Type: b.GetType(), SourceID: b.GetSourceId(), ChargeID: b.GetChargeId(),
		AmountMinor: b.GetAmountMinor(), FeeMinor: b.GetFeeMinor(), NetMinor: b.GetNetMinor(),
		Currency: b.GetCurrency(), ExchangeRate: b.GetExchangeRate(), CreatedAt: b.GetCreatedAt().AsTime(),
	}
}

// LedgerHealth says how Stripe's events arrive; what runs missed is not in it.
func (p *Payments) LedgerHealth(ctx context.Context) (cases.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	h, err := p.client.GetLedgerHealth(ctx, &paymentsv1.GetLedgerHealthRequest{})
	l := cases.Ledger{LastHour: h.GetLastHourEvents(), LastHourOrphaned: h.GetLastHourOrphaned(), Struggling: h.GetStrugglingEvents()}
	if at := h.GetStrugglingSince(); at != nil {
		since := at.AsTime()
		l.StrugglingSince = &since
	}
	if at := h.GetDeliveredAt(); at != nil {
		delivered := at.AsTime()
		l.DeliveredAt = &delivered
	}
	return l, err
}
