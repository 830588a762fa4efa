package rpc

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/orders/internal/clients"
	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/service"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pg"
)

// Admin serves the other services and people with a role.
type Admin struct {
	ordersv1.UnimplementedOrdersAdminServiceServer
	Service *service.Service
}

// AdvanceOrder advances one order for the caller's reason.
func (r *Admin) AdvanceOrder(ctx context.Context, req *ordersv1.AdvanceOrderRequest) (*ordersv1.AdvanceOrderResponse, error) {
	why, err := whyOf(req.GetReason(), access.From(ctx))
	if err != nil {
		return nil, err
	}
	var news *order.Money
	if req.GetPayment() != nil {
		if access.From(ctx).Caller != "payments" {
			return nil, apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", "only Payments may say what happened to the money")
		}
		m := clients.MoneyFrom(req.GetPayment())
		news = &m
	}
	return advanced(r.Service.Visit(ctx, uuid.MustParse(req.GetOrderId()), why, news))
}

// AdoptCharge makes the order of a charge that has none, or of a subscription's
// later term.
func (r *Admin) AdoptCharge(ctx context.Context, req *ordersv1.AdoptChargeRequest) (*ordersv1.AdvanceOrderResponse, error) {
	why := order.ByWebhook
	if access.From(ctx).Caller == "reconciliation" {
		why = order.ByReconciliation
	}
	if req.GetReason() != ordersv1.AdvanceOrderRequest_REASON_UNSPECIFIED {
		var err error
		if why, err = whyOf(req.GetReason(), access.From(ctx)); err != nil {
			return nil, err
		}
	}
	if req.GetPayment().GetStatus() != paymentsv1.Payment_SUCCEEDED {
		return nil, apperr.Invalid("payment", "only money that arrived can be adopted")
	}
	orderID, _ := uuid.Parse(req.GetPayment().GetOrderId()) // none belongs to no reference
	a := service.Adoption{
		OrderID: orderID, Reference: uuid.MustParse(req.GetReference()), PlanID: req.GetPlanId(), Email: req.GetEmail(), Name: req.GetName(),
		AccountID: req.GetAccountId(), Money: clients.MoneyFrom(req.GetPayment()),
	}
	if until := req.GetAccessUntil(); until != nil {
		at := until.AsTime()
		a.AccessUntil = &at
	}
	if began := req.GetRenewsOrderId(); began != "" {
		return advanced(r.Service.Renew(ctx, a, uuid.MustParse(began), why))
	}
	return advanced(r.Service.Adopt(ctx, a, why))
}

func advanced(o order.Order, err error) (*ordersv1.AdvanceOrderResponse, error) {
	shown, err := view(o, err)
	return &ordersv1.AdvanceOrderResponse{Order: shown, Held: o.Held()}, err
}

// FollowSubscription takes over how a subscription stands.
func (r *Admin) FollowSubscription(ctx context.Context, req *ordersv1.FollowSubscriptionRequest) (*ordersv1.FollowSubscriptionResponse, error) {
	until, err := r.Service.FollowSubscription(ctx, clients.SubscriptionFrom(req.GetSubscription()))
	return &ordersv1.FollowSubscriptionResponse{AccessUntil: timestamp(until)}, err
}

// whyOf is the reason that a caller may give: each only its own.
func whyOf(reason ordersv1.AdvanceOrderRequest_Reason, id access.Identity) (order.Why, error) {
	switch {
	case reason == ordersv1.AdvanceOrderRequest_SUPPORT && id.Actor != "":
		return order.BySupport(id.Actor), nil
	case reason == ordersv1.AdvanceOrderRequest_RESCUE && id.Caller == "payments":
		return order.ByRescue, nil
	case reason == ordersv1.AdvanceOrderRequest_WEBHOOK && id.Caller == "payments":
		return order.ByWebhook, nil
	case reason == ordersv1.AdvanceOrderRequest_RECONCILIATION && (id.Caller == "reconciliation" || id.Caller == "payments"):
		// Payments handles the events that Reconciliation has it catch up on.
		return order.ByReconciliation, nil
	default:
		return order.Why{}, apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", fmt.Sprintf("this caller may not advance an order for the reason %s", reason))
	}
}

// DescribeOrder shows everything that is known of an order.
func (r *Admin) DescribeOrder(ctx context.Context, req *ordersv1.DescribeOrderRequest) (*ordersv1.DescribeOrderResponse, error) {
	d, err := r.Service.Describe(ctx, uuid.MustParse(req.GetOrderId()))
	if err != nil {
		return nil, err
	}
	return described(d, access.From(ctx).Caller), nil
}

// described is everything that is known of an order, as a caller may see it.
func described(d service.Description, caller string) *ordersv1.DescribeOrderResponse {
	o := d.Order
	shown, _ := view(o, nil)
	out := &ordersv1.DescribeOrderResponse{
		Order: shown, Email: o.Email, Name: o.Name, AccountId: o.AccountID, PlanName: o.PlanName, TermMonths: o.TermMonths, Renews: o.Renews,
		PaymentIntentId: o.PaymentIntentID, ChargeId: o.ChargeID, CustomerId: o.CustomerID,
		NextLookAt: timestamp(o.NextLookAt), LookCount: o.LookCount, LastLookAt: timestamp(o.LastLookAt),
	}
	out.RefundedMinor, out.AccessWithdrawnAt = o.RefundedMinor, timestamp(o.AccessWithdrawnAt)
	if o.RefundedMinor > 0 {
		out.RefundedDisplay = order.Display(o.RefundedMinor, o.Currency)
	}
	out.SecondOfTwo, out.RefundOfferUntil = d.SecondOfTwo, timestamp(o.RefundOfferUntil)
	if caller == "notifications" { // who writes the link; nobody else needs what takes the money back
		out.RefundToken = o.RefundToken
	}
	out.ErasedAt = timestamp(o.ErasedAt)
	out.Dispute = paymentsv1.Payment_Dispute(paymentsv1.Payment_Dispute_value[string(o.Dispute)])
	if sub := d.Subscription; sub != nil {
		out.Subscription, out.SubscriptionAccessUntil = clients.SubscriptionTo(*sub), timestamp(sub.AccessUntil)
		if sub.Unpaid.ID != "" {
			out.UnpaidDisplay = order.Display(sub.Unpaid.AmountMinor, sub.Unpaid.Currency)
		}
	}
	for _, h := range d.History {
		out.History = append(out.History, &ordersv1.HistoryEntry{
			FromState: stateOf(h.From), ToState: stateOf(h.To), Reason: string(h.Why.Reason), Actor: h.Why.Actor,
			At: timestamppb.New(h.At), Note: h.Note,
		})
	}
	return out
}

// ListStuckOrders pages through orders without progress.
func (r *Admin) ListStuckOrders(ctx context.Context, req *ordersv1.ListStuckOrdersRequest) (*ordersv1.ListStuckOrdersResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 100
	}
	afterTime, afterID, err := parsePageToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	orders, err := r.Service.ListStuck(ctx, req.GetNoProgressSince().AsTime(), afterTime, afterID, size)
	if err != nil {
		return nil, err
	}
	out := &ordersv1.ListStuckOrdersResponse{}
	for _, o := range orders {
		out.Orders = append(out.Orders, &ordersv1.StuckOrder{
			OrderId: o.ID.String(), State: stateOf(o.State), LastProgressAt: timestamppb.New(o.LastProgressAt), LookCount: o.LookCount, Waits: o.Waits(),
		})
	}
	if n := len(orders); n == size {
		out.NextPageToken = pageToken(orders[n-1].LastProgressAt, orders[n-1].ID)
	}
	return out, nil
}

// GetCharging tells how the kill switch was turned last.
func (r *Admin) GetCharging(ctx context.Context, _ *ordersv1.GetChargingRequest) (*ordersv1.GetChargingResponse, error) {
	turned, err := r.Service.Charging(ctx)
	if err != nil || turned.At.IsZero() {
		return &ordersv1.GetChargingResponse{}, err
	}
	return &ordersv1.GetChargingResponse{Paused: turned.Paused, Actor: turned.Actor, Reason: turned.Reason, At: timestamppb.New(turned.At)}, nil
}

// SetCharging turns the kill switch.
func (r *Admin) SetCharging(ctx context.Context, req *ordersv1.SetChargingRequest) (*ordersv1.SetChargingResponse, error) {
	actor := access.From(ctx).Actor
	at, err := r.Service.SetCharging(ctx, req.GetPaused(), actor, req.GetReason())
	if err != nil {
		return nil, err
	}
	return &ordersv1.SetChargingResponse{Paused: req.GetPaused(), Actor: actor, At: timestamppb.New(at)}, nil
}

func pageToken(at time.Time, id uuid.UUID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(at.UTC().Format(time.RFC3339Nano) + " " + id.String()))
}

func parsePageToken(token string) (time.Time, uuid.UUID, error) {
	if token == "" {
		return time.Time{}, uuid.Nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	at, id, ok := strings.Cut(string(raw), " ")
	t, timeErr := time.Parse(time.RFC3339Nano, at)
	u, idErr := uuid.Parse(id)
	if err != nil || !ok || timeErr != nil || idErr != nil || !pg.TimeFits(t) {
		return time.Time{}, uuid.Nil, apperr.Invalid("page_token", "is not from an earlier page")
	}
	return t, u, nil
}
