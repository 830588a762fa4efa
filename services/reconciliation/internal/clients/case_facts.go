package clients

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
)

// stripeTimeout bounds a question that Payments asks of Stripe.
const stripeTimeout = 20 * time.Second

// CaseFacts asks the other services whether what a case is about is still so.
type CaseFacts struct {
	orders        ordersv1.OrdersAdminServiceClient
	payments      paymentsv1.PaymentsAdminServiceClient
	notifications notificationsv1.NotificationsServiceClient
}

// NewCaseFacts uses connections to the three.
func NewCaseFacts(orders, payments, notifications grpc.ClientConnInterface) *CaseFacts {
	return &CaseFacts{
		orders: ordersv1.NewOrdersAdminServiceClient(orders), payments: paymentsv1.NewPaymentsAdminServiceClient(payments),
		notifications: notificationsv1.NewNotificationsServiceClient(notifications),
	}
}

// OrderFacts is how the order of a case stands.
type OrderFacts struct {
	State string
	// Refunded: the whole amount went back.
	Refunded bool
	// AtRest: nothing more will happen to it by itself.
	AtRest bool
	// ChargedAt is nil while it is not known to be paid.
	ChargedAt *time.Time
	CreatedAt time.Time
	// PaidWithoutAccess: what was promised is that they get in by PromisedBy; nil when
	// nothing was, or when it has passed.
	PaidWithoutAccess bool
	PromisedBy        *time.Time
	// Lapses says in plain words why its subscription is not charged again by itself;
	// empty when it is, and for an order without one.
	Lapses string
	// ChargeID and IntentID are what it was paid by; empty while that is not known.
	ChargeID, IntentID string
	// Dispute of that charge is OPEN, LOST, WON or empty, as Orders has heard it.
	Dispute string
	// Withdrawn: its access was taken back.
	Withdrawn bool
}

// Order reads one order; nil when there is none.
func (f *CaseFacts) Order(ctx context.Context, id uuid.UUID) (*OrderFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := f.orders.DescribeOrder(ctx, &ordersv1.DescribeOrderRequest{OrderId: id.String()})
	if e := apperr.Of(err); e != nil && e.Reason == "ORDER_NOT_FOUND" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := answer.GetOrder()
	facts := &OrderFacts{
		State: o.GetState().String(), Refunded: o.GetState() == ordersv1.Order_REFUNDED,
		AtRest: answer.GetNextLookAt() == nil, CreatedAt: o.GetCreatedAt().AsTime(),
	}
	facts.PaidWithoutAccess = o.GetState() == ordersv1.Order_CHARGED || o.GetState() == ordersv1.Order_ORPHANED
	if p := o.GetPromise(); p.GetBy() != nil && p.GetMissedBy() == nil {
		by := p.GetBy().AsTime()
		facts.PromisedBy = &by
	}
	facts.ChargeID, facts.IntentID, facts.Withdrawn = answer.GetChargeId(), answer.GetPaymentIntentId(), answer.GetAccessWithdrawnAt() != nil
	if d := answer.GetDispute(); d != paymentsv1.Payment_DISPUTE_UNSPECIFIED {
		facts.Dispute = d.String()
	}
	switch sub := answer.GetSubscription(); {
	case sub.GetStatus() == paymentsv1.Subscription_ENDED:
		facts.Lapses = "subscription " + sub.GetSubscriptionId() + " ended"
	case sub.GetStatus() == paymentsv1.Subscription_ACTIVE && !sub.GetRenews():
		facts.Lapses = "subscription " + sub.GetSubscriptionId() + " will not be charged again"
	}
	if o.GetChargedAt() != nil {
		at := o.GetChargedAt().AsTime()
		facts.ChargedAt = &at
	}
	return facts, nil
}

// ChargeFacts is how a charge of a case stands at Stripe.
type ChargeFacts struct {
	CreatedAt time.Time
	// Refunded: the whole amount went back.
	Refunded bool
}

// chargesMax is of how many charges, or subscriptions, Payments is asked at once.
const chargesMax = 100

// Charges reads charges by their ids, as Stripe shows them now. Those that Stripe
// does not have are missing. With an error, those that cannot be read are, too.
func (f *CaseFacts) Charges(ctx context.Context, ids []string) (map[string]ChargeFacts, error) {
	facts := make(map[string]ChargeFacts, len(ids))
	var unread []string
	for len(ids) > 0 {
		some := ids[:min(len(ids), chargesMax)]
		ids = ids[len(some):]
		page, err := f.listCharges(ctx, &paymentsv1.ListChargesRequest{ChargeIds: some, Partial: true})
		if err != nil {
			return facts, err
		}
		unread = append(unread, page.GetUnreadChargeIds()...)
		for _, c := range page.GetCharges() {
			facts[c.GetChargeId()] = ChargeFacts{
				CreatedAt: c.GetCreatedAt().AsTime(), Refunded: c.GetAmountMinor() > 0 && c.GetRefundedMinor() >= c.GetAmountMinor(),
			}
		}
	}
	if len(unread) > 0 {
		return facts, fmt.Errorf("no answer from Stripe about %s", strings.Join(unread, ", "))
	}
	return facts, nil
}

// StripeAnswers says whether Stripe can be read.
func (f *CaseFacts) StripeAnswers(ctx context.Context, now time.Time) bool {
	_, err := f.listCharges(ctx, &paymentsv1.ListChargesRequest{
		Window: &paymentsv1.Window{From: timestamppb.New(now.Add(-time.Second)), Before: timestamppb.New(now)},
	})
	return err == nil
}

func (f *CaseFacts) listCharges(ctx context.Context, r *paymentsv1.ListChargesRequest) (*paymentsv1.ListChargesResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, stripeTimeout)
	defer cancel()
	return f.payments.ListCharges(ctx, r)
}

// FinishedEvents are those of the events that the ledger has processed, ignored or
// orphaned, each with its status.
func (f *CaseFacts) FinishedEvents(ctx context.Context, ids []string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	finished := map[string]string{}
	for len(ids) > 0 {
		some := ids[:min(len(ids), chargesMax)]
		ids = ids[len(some):]
		page, err := f.payments.ListWebhookEvents(ctx, &paymentsv1.ListWebhookEventsRequest{StripeEventIds: some, PageSize: 200})
		if err != nil {
			return nil, err
		}
		for _, e := range page.GetEvents() {
			switch e.GetStatus() {
			case paymentsv1.WebhookEvent_PROCESSED, paymentsv1.WebhookEvent_IGNORED, paymentsv1.WebhookEvent_ORPHANED:
				finished[e.GetStripeEventId()] = e.GetStatus().String()
			}
		}
	}
	return finished, nil
}

// Followed are the subscriptions that can be followed, with when they last were; one
// whose looks fail is none of them.
func (f *CaseFacts) Followed(ctx context.Context, ids []string) (map[string]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	followed := map[string]time.Time{}
	for some := range slices.Chunk(ids, chargesMax) {
		answer, err := f.payments.ListFollowed(ctx, &paymentsv1.ListFollowedRequest{SubscriptionIds: some})
		if err != nil {
			return nil, err
		}
		for _, s := range answer.GetSubscriptions() {
			if s.GetFollowedAt() != nil && s.GetFailedLooks() == 0 {
				followed[s.GetSubscriptionId()] = s.GetFollowedAt().AsTime()
			}
		}
	}
	return followed, nil
}

// Refund is money that went back, or did not.
type Refund struct {
	// IDs are ours and Stripe's.
	IDs []string
	// ChargeID is the second charge of the order that it gives back; empty for the one
	// that paid it.
	ChargeID    string
	AmountMinor int64
	Succeeded   bool
	Failed      bool
}

// Refunds lists an order's refunds, oldest first.
func (f *CaseFacts) Refunds(ctx context.Context, orderID uuid.UUID) ([]Refund, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := f.payments.ListRefunds(ctx, &paymentsv1.ListRefundsRequest{OrderId: orderID.String()})
	var out []Refund
	for _, r := range answer.GetRefunds() {
		refund := Refund{
			ChargeID: r.GetChargeId(), AmountMinor: r.GetAmountMinor(), Succeeded: r.GetStatus() == paymentsv1.Refund_SUCCEEDED, Failed: r.GetStatus() == paymentsv1.Refund_FAILED,
		}
		for _, id := range []string{r.GetRefundId(), r.GetStripeRefundId()} {
			if id != "" {
				refund.IDs = append(refund.IDs, id)
			}
		}
		out = append(out, refund)
	}
	return out, err
}

// Delivery is how the mails stand.
type Delivery struct {
	// Done are the messages, by dedupe key, that were sent or are not true any more.
	Done map[string]string
	// ServerWorks: the mail server can be used.
	ServerWorks bool
}

// Messages reads how messages stand, by their dedupe keys.
func (f *CaseFacts) Messages(ctx context.Context, dedupeKeys []string) (Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	answer, err := f.notifications.FindMessages(ctx, &notificationsv1.FindMessagesRequest{DedupeKeys: dedupeKeys})
	if err != nil {
		return Delivery{}, err
	}
	d := Delivery{Done: map[string]string{}, ServerWorks: answer.GetMailServerFailingSince() == nil}
	for _, m := range answer.GetMessages() {
		switch m.GetState() {
		case notificationsv1.Message_SENT, notificationsv1.Message_SUPERSEDED:
			d.Done[m.GetDedupeKey()] = m.GetState().String()
		}
	}
	return d, nil
}
