// Package clients is how Reconciliation asks the other services.
package clients

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/run"
)

const (
	readTimeout = 10 * time.Second
	// An advance may wait for Stripe.
	advanceTimeout = 30 * time.Second
)

// Orders says what it knows of charges and orders, and advances them.
type Orders struct {
	client ordersv1.OrdersAdminServiceClient
	shop   ordersv1.OrdersServiceClient
}

// NewOrders uses a connection to Orders.
func NewOrders(conn grpc.ClientConnInterface) *Orders {
	return &Orders{client: ordersv1.NewOrdersAdminServiceClient(conn), shop: ordersv1.NewOrdersServiceClient(conn)}
}

// ListStuck reads one page of the orders without progress since a time, and the
// token of the next page, empty on the last.
func (o *Orders) ListStuck(ctx context.Context, since time.Time, pageSize int, token string) ([]run.StuckOrder, string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	page, err := o.client.ListStuckOrders(ctx, &ordersv1.ListStuckOrdersRequest{
		NoProgressSince: timestamppb.New(since), PageSize: int32(pageSize), PageToken: token,
	})
	var out []run.StuckOrder
	for _, s := range page.GetOrders() {
		out = append(out, run.StuckOrder{ID: s.GetOrderId(), State: s.GetState().String(), Since: s.GetLastProgressAt().AsTime(), Waits: s.GetWaits()})
	}
	return out, page.GetNextPageToken(), err
}

// Advance has an order take every step that it can take now, and answers with
// the state it then has.
func (o *Orders) Advance(ctx context.Context, orderID string) (state string, err error) {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	answer, err := o.client.AdvanceOrder(ctx, &ordersv1.AdvanceOrderRequest{
		OrderId: orderID, Reason: ordersv1.AdvanceOrderRequest_RECONCILIATION,
	})
	return answer.GetOrder().GetState().String(), err
}

// AtRest says which state an order has, and whether nothing more will happen to
// it by itself. A refund rests only when the access was withdrawn too; until
// then it carries a look.
func (o *Orders) AtRest(ctx context.Context, orderID uuid.UUID) (state string, atRest bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := o.client.DescribeOrder(ctx, &ordersv1.DescribeOrderRequest{OrderId: orderID.String()})
	if err != nil {
		return "", false, err
	}
	return answer.GetOrder().GetState().String(), answer.GetNextLookAt() == nil, nil
}

// Match answers which orders a page of charges belongs to, by charge, and of which
// another was paid for the same.
func (o *Orders) Match(ctx context.Context, charges []disposition.Charge) (map[string]disposition.Order, error) {
	orders, _, err := o.match(ctx, charges, &ordersv1.MatchChargesRequest{})
	return orders, err
}

// Find answers as Match does, without a look for duplicates, and how far the history
// of all orders goes.
func (o *Orders) Find(ctx context.Context, charges []disposition.Charge) (orders map[string]disposition.Order, history int64, err error) {
	return o.match(ctx, charges, &ordersv1.MatchChargesRequest{WithoutDuplicates: true})
}

func (o *Orders) match(ctx context.Context, charges []disposition.Charge, r *ordersv1.MatchChargesRequest) (orders map[string]disposition.Order, history int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for _, c := range charges {
		keys := &ordersv1.ChargeKeys{ChargeId: c.ID, PaymentIntentId: c.IntentID}
		if uuid.Validate(c.OrderID) == nil { // what a person typed at Stripe may be anything
			keys.OrderId = c.OrderID
		}
		r.Charges = append(r.Charges, keys)
	}
	answer, err := o.client.MatchCharges(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	orders = make(map[string]disposition.Order, len(answer.GetMatches()))
	for _, m := range answer.GetMatches() {
		found := disposition.Order{
			ID: m.GetOrderId(), State: m.GetState().String(), PaidBy: m.GetPaidByChargeId(), CustomerID: m.GetCustomerId(),
			AmountMinor: m.GetAmountMinor(), RefundedMinor: m.GetRefundedMinor(), Currency: m.GetCurrency(),
			RecoveredBy: m.GetRecoveredBy(), DuplicateOf: m.GetDuplicateOfOrderId(), AmountOpen: m.GetAmountOpen(),
		}
		if m.GetDispute() != paymentsv1.Payment_DISPUTE_UNSPECIFIED {
			found.Dispute = m.GetDispute().String()
		}
		if t := m.GetCompletedAt(); t != nil {
			found.CompletedAt = t.AsTime()
		}
		if t := m.GetAccessWithdrawnAt(); t != nil {
			found.AccessWithdrawnAt = t.AsTime()
		}
		orders[m.GetChargeId()] = found
	}
	return orders, answer.GetHistoryPosition(), nil
}

// Adopt tells Orders of a charge: an order that it lacks is made, and one that it
// has hears what Stripe says. accessUntil is until when it gave access before it was
// lost; nil when it is not known that it ever did. CannotAdopt names the error that
// says why not.
func (o *Orders) Adopt(ctx context.Context, r Restored, accessUntil *time.Time) (state string, err error) {
	ctx, cancel := context.WithTimeout(ctx, advanceTimeout)
	defer cancel()
	adoption := proto.CloneOf(r.adoption)
	if accessUntil != nil {
		adoption.AccessUntil = timestamppb.New(*accessUntil)
	}
	answer, err := o.client.AdoptCharge(ctx, adoption)
	return answer.GetOrder().GetState().String(), err
}

// CannotAdopt says why Orders will never make an order of a charge by itself;
// empty for any other error.
func CannotAdopt(err error) string {
	if e := apperr.Of(err); e != nil && e.Reason == "CANNOT_ADOPT" {
		return e.Message
	}
	return ""
}

// PaidBy answers with the charge that an order was paid by, and its amount, for
// people.
func (o *Orders) PaidBy(ctx context.Context, orderID string) (chargeID string, amountMinor int64, currency string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	d, err := o.client.DescribeOrder(ctx, &ordersv1.DescribeOrderRequest{OrderId: orderID})
	return d.GetChargeId(), d.GetOrder().GetAmountMinor(), d.GetOrder().GetCurrency(), err
}

// Completed is an order whose buyer is owed a confirmation, and the message that
// is one.
type Completed struct {
	OrderID     string
	CompletedAt time.Time
	Message     Message
}

// ListCompleted reads one page of the orders that were completed in a window,
// oldest first, and the token of the next page, empty on the last.
func (o *Orders) ListCompleted(ctx context.Context, w Window) ([]Completed, string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	page, err := o.client.ListCompleted(ctx, &ordersv1.ListCompletedRequest{
		From: timestamppb.New(w.From), Before: timestamppb.New(w.Before), PageSize: 500, PageToken: w.Token,
	})
	var list []Completed
	for _, c := range page.GetOrders() {
		list = append(list, Completed{OrderID: c.GetOrderId(), CompletedAt: c.GetCompletedAt().AsTime(), Message: Message{
			DedupeKey: c.GetDedupeKey(), Kind: c.GetMessageKind(), OrderID: c.GetOrderId(),
		}})
	}
	return list, page.GetNextPageToken(), err
}
