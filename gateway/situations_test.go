package gateway_test

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/apperr"
)

// shown is one situation as a reader can meet it.
type shown struct {
	name  string
	order *ordersv1.Order // nil is Orders that does not answer
	err   error
	query string // instead of the reference's
	post  bool   // the form is sent
}

// everySituation is all that the page can show, at a time.
func everySituation(now time.Time) []shown {
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(d)) }
	base := func(state ordersv1.Order_State, change func(*ordersv1.Order)) *ordersv1.Order {
		o := &ordersv1.Order{
			State: state, PlanId: "annual", AmountMinor: 24900, Currency: "USD", AmountDisplay: "$249.00",
			EmailMasked: "j***@example.com", CreatedAt: at(-4 * time.Minute), NextAction: &ordersv1.NextAction{Type: ordersv1.NextAction_WAIT},
		}
		if change != nil {
			change(o)
		}
		return o
	}
	paid := func(state ordersv1.Order_State, change func(*ordersv1.Order)) *ordersv1.Order {
		return base(state, func(o *ordersv1.Order) {
			o.ChargedAt = at(-3 * time.Minute)
			if state != ordersv1.Order_CHARGED {
				o.CompletedAt, o.AccessUntil = at(-time.Minute), at(365*24*time.Hour)
			}
			if change != nil {
				change(o)
			}
		})
	}
	promise := func(by time.Duration, missed int32, offered bool) func(*ordersv1.Order) {
		return func(o *ordersv1.Order) {
			o.Promise = &ordersv1.Promise{By: at(by), MissedCount: missed, RefundOffered: offered}
			if missed > 0 {
				o.Promise.MissedBy = at(-10 * time.Minute)
			}
		}
	}
	offered := func(o *ordersv1.Order) { o.RefundOfferUntil = at(24 * time.Hour) }
	asked := func(o *ordersv1.Order) { o.RefundAskedAt = at(-time.Minute) }
	renewal := func(o *ordersv1.Order) { o.Kind = ordersv1.Order_RENEWAL }
	next := func(action *ordersv1.NextAction) func(*ordersv1.Order) {
		return func(o *ordersv1.Order) { o.NextAction = action }
	}
	const refundQuery = "&refund=token"
	return []shown{
		{name: "unreachable", err: apperr.New(codes.Unavailable, "", "x")},
		{name: "no-reference", order: base(ordersv1.Order_PENDING, nil), query: "?ref="},
		{name: "not-found", err: apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "x")},
		{name: "checking", order: base(ordersv1.Order_PENDING, promise(2*time.Minute, 0, false))},
		{name: "checking-late", order: base(ordersv1.Order_PENDING, promise(30*time.Minute, 1, false))},
		{name: "held", order: base(ordersv1.Order_PENDING, func(o *ordersv1.Order) {
			o.PaymentError = &ordersv1.PaymentError{Code: "wrong_amount", Message: "A person looks at it."}
		})},
		{name: "buyer-must-act", order: base(ordersv1.Order_PENDING, next(&ordersv1.NextAction{Type: ordersv1.NextAction_USE_STRIPE_SDK}))},
		{name: "pay-elsewhere", order: base(ordersv1.Order_PENDING, next(&ordersv1.NextAction{Type: ordersv1.NextAction_REDIRECT, Url: "https://hooks.stripe.example.com/3ds"}))},
		{name: "setting-up", order: paid(ordersv1.Order_CHARGED, promise(2*time.Minute, 0, false))},
		{name: "setting-up-late", order: paid(ordersv1.Order_CHARGED, promise(30*time.Minute, 1, false))},
		{name: "setting-up-late-refund", order: paid(ordersv1.Order_CHARGED, promise(20*time.Hour, 2, true))},
		{name: "setting-up-late-open", order: paid(ordersv1.Order_CHARGED, promise(-time.Minute, 0, false))},
		{name: "extending", order: paid(ordersv1.Order_CHARGED, renewal)},
		{name: "extending-late", order: paid(ordersv1.Order_CHARGED, func(o *ordersv1.Order) { renewal(o); promise(30*time.Minute, 1, false)(o) })},
		{name: "ready", order: paid(ordersv1.Order_COMPLETE, nil)},
		{name: "ready-late", order: paid(ordersv1.Order_RECOVERED, nil)},
		{name: "renewed", order: paid(ordersv1.Order_COMPLETE, renewal)},
		{name: "access-ended", order: paid(ordersv1.Order_COMPLETE, func(o *ordersv1.Order) { o.AccessUntil = at(-24 * time.Hour) })},
		{name: "declined", order: base(ordersv1.Order_FAILED, func(o *ordersv1.Order) {
			o.PaymentError = &ordersv1.PaymentError{Message: "Your card has insufficient funds."}
		})},
		{name: "nothing-charged", order: base(ordersv1.Order_EXPIRED, nil)},
		{name: "refunding", order: paid(ordersv1.Order_RECOVERED, asked)},
		{name: "refund-failed", order: paid(ordersv1.Order_CHARGED, func(o *ordersv1.Order) { asked(o); o.RefundFailed = true })},
		{name: "refunded", order: paid(ordersv1.Order_REFUNDED, asked)},
		{name: "refund-ask", order: paid(ordersv1.Order_CHARGED, func(o *ordersv1.Order) { promise(30*time.Minute, 2, true)(o); offered(o) }), query: refundQuery},
		{name: "refund-ask-ready", order: paid(ordersv1.Order_RECOVERED, offered), query: refundQuery},
		{name: "refund-not-offered", order: paid(ordersv1.Order_CHARGED, offered), err: apperr.New(codes.PermissionDenied, "REFUND_NOT_OFFERED", "x"), query: refundQuery, post: true},
		{name: "refund-not-now", order: paid(ordersv1.Order_CHARGED, offered), err: apperr.New(codes.Aborted, "INVALID_STATE", "x"), query: refundQuery, post: true},
		{name: "refund-unsure", order: paid(ordersv1.Order_CHARGED, offered), err: apperr.New(codes.Unavailable, "", "x"), query: refundQuery, post: true},
	}
}

// referenceOf is the reference under which a situation is found.
func referenceOf(i int) string { return fmt.Sprintf("5f0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f%04d", i) }

func (s shown) path(i int) string {
	if s.query == "?ref=" {
		return "/payment-issue" + s.query
	}
	return "/payment-issue?ref=" + referenceOf(i) + s.query
}

// showAll answers for each situation by its reference.
func (r *running) showAll(all []shown) {
	r.peers.Orders.Answer(func(_ context.Context, req proto.Message) (*ordersv1.Order, error) {
		for i, s := range all {
			switch asked := req.(type) {
			case *ordersv1.GetOrderRequest:
				if asked.GetReference() == referenceOf(i) {
					if s.order != nil {
						return s.order, nil
					}
					return nil, s.err
				}
			case *ordersv1.RefundOrderRequest:
				if asked.GetReference() == referenceOf(i) {
					return s.order, s.err
				}
			}
		}
		return nil, apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "x")
	})
}
