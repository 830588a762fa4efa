// Package rpc translates between protobuf and the domain, and nothing else.
package rpc

import (
	"context"
	"net/netip"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/service"
	"makegood.example/services/platform/access"
)

// Orders serves what buyers ask.
type Orders struct {
	ordersv1.UnimplementedOrdersServiceServer
	Service *service.Service
}

// ListPlans lists what can be bought.
func (r *Orders) ListPlans(context.Context, *ordersv1.ListPlansRequest) (*ordersv1.ListPlansResponse, error) {
	out := &ordersv1.ListPlansResponse{}
	for _, p := range r.Service.Plans.List {
		plan := &ordersv1.Plan{Id: p.ID, Name: p.Name, TermMonths: p.TermMonths, Renews: p.Renews}
		for _, price := range p.Prices {
			plan.Prices = append(plan.Prices, &ordersv1.Price{
				Currency: price.Currency, AmountMinor: price.AmountMinor, AmountDisplay: order.Display(price.AmountMinor, price.Currency),
			})
		}
		out.Plans = append(out.Plans, plan)
	}
	return out, nil
}

// PlaceOrder places an order.
func (r *Orders) PlaceOrder(ctx context.Context, req *ordersv1.PlaceOrderRequest) (*ordersv1.Order, error) {
	key := fromMetadata(ctx, "idempotency-key")
	reference, err := uuid.Parse(key)
	if err != nil || reference.Version() != 4 || !strings.EqualFold(key, reference.String()) {
		// Random, because it is the buyer's key to their order; in its canonical
		// form, because people and pages compare it.
		return nil, order.ErrKeyRequired
	}
	caller := access.From(ctx)
	p := service.Placement{
		Reference: reference, PlanID: req.GetPlanId(), Email: req.GetEmail(), Name: req.GetName(),
		PaymentMethod: req.GetPaymentMethod(), Currency: req.GetCurrency(), AccountID: req.GetAccountId(),
		AllowRepeat: req.GetAllowRepeat(), ByBackend: caller.Role == access.Service || caller.Role == access.Admin,
		ClientIP: clientNetwork(ctx),
	}
	if req.GetCheckout() != ordersv1.PlaceOrderRequest_CHECKOUT_UNSPECIFIED {
		p.Checkout = order.Checkout(req.GetCheckout().String())
	}
	return r.answer(ctx)(r.Service.Place(ctx, p))
}

// PayOrder tries another card.
func (r *Orders) PayOrder(ctx context.Context, req *ordersv1.PayOrderRequest) (*ordersv1.Order, error) {
	return r.answer(ctx)(r.Service.Pay(ctx, uuid.MustParse(req.GetReference()), uuid.MustParse(req.GetAttemptId()),
		req.GetPaymentMethod(), clientNetwork(ctx)))
}

// ConfirmOrder looks at Stripe now.
func (r *Orders) ConfirmOrder(ctx context.Context, req *ordersv1.ConfirmOrderRequest) (*ordersv1.Order, error) {
	return r.answer(ctx)(r.Service.Confirm(ctx, uuid.MustParse(req.GetReference())))
}

// RefundOrder gives the money back to a buyer who was offered that.
func (r *Orders) RefundOrder(ctx context.Context, req *ordersv1.RefundOrderRequest) (*ordersv1.Order, error) {
	return view(r.Service.TakeRefund(ctx, uuid.MustParse(req.GetReference()), req.GetToken()))
}

// GetOrder shows an order to its buyer.
func (r *Orders) GetOrder(ctx context.Context, req *ordersv1.GetOrderRequest) (*ordersv1.Order, error) {
	return r.answer(ctx)(r.Service.Get(ctx, uuid.MustParse(req.GetReference())))
}

// answer shows an order to its buyer.
func (r *Orders) answer(ctx context.Context) func(order.Order, error) (*ordersv1.Order, error) {
	return func(o order.Order, err error) (*ordersv1.Order, error) {
		if err == nil {
			r.Service.Shown(ctx, o)
		}
		return view(o, err)
	}
}

func fromMetadata(ctx context.Context, key string) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}

// clientNetwork is whom submissions are counted by: an IPv4 address, or the /64
// that one IPv6 customer has to themselves.
func clientNetwork(ctx context.Context) string {
	text := fromMetadata(ctx, "makegood-client-ip")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Unmap().Is4() {
		return text
	}
	prefix, _ := addr.WithZone("").Prefix(64)
	return prefix.String()
}
