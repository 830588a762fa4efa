package clients

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/disposition"
)

// findTimeout bounds a question that a person waits for and for which nobody asks
// Stripe: whoever does not answer by then is left out.
const findTimeout = 5 * time.Second

// Finder asks the other services what they know of a person. It changes nothing.
type Finder struct {
	orders        ordersv1.OrdersAdminServiceClient
	payments      paymentsv1.PaymentsAdminServiceClient
	provisioning  provisioningv1.ProvisioningServiceClient
	notifications notificationsv1.NotificationsServiceClient
}

// NewFinder uses connections to the four.
func NewFinder(orders, payments, provisioning, notifications grpc.ClientConnInterface) *Finder {
	return &Finder{
		orders: ordersv1.NewOrdersAdminServiceClient(orders), payments: paymentsv1.NewPaymentsAdminServiceClient(payments),
		provisioning: provisioningv1.NewProvisioningServiceClient(provisioning), notifications: notificationsv1.NewNotificationsServiceClient(notifications),
	}
}

// OrdersBy is by what orders are looked for; exactly one is set.
type OrdersBy struct{ Email, Reference, OrderID, IntentID, ChargeID, CustomerID, AccountID string }

// FoundOrder is an order that was looked for.
type FoundOrder struct {
	desk.Order
	// Alias: it has another address of the mailbox that was asked for.
	Alias      bool
	CustomerID string
	// Described is what Orders answered, without what is only for the buyer's browser.
	Described *ordersv1.DescribeOrderResponse
}

// Orders finds orders, newest first, and says whether there are more.
func (f *Finder) Orders(ctx context.Context, by OrdersBy) (found []FoundOrder, cut bool, err error) {
	r := &ordersv1.FindOrdersRequest{}
	switch {
	case by.Email != "":
		r.By = &ordersv1.FindOrdersRequest_Email{Email: by.Email}
	case by.Reference != "":
		r.By = &ordersv1.FindOrdersRequest_ReferencePrefix{ReferencePrefix: by.Reference}
	case by.OrderID != "":
		r.By = &ordersv1.FindOrdersRequest_OrderId{OrderId: by.OrderID}
	case by.IntentID != "":
		r.By = &ordersv1.FindOrdersRequest_PaymentIntentId{PaymentIntentId: by.IntentID}
	case by.ChargeID != "":
		r.By = &ordersv1.FindOrdersRequest_ChargeId{ChargeId: by.ChargeID}
	case by.CustomerID != "":
		r.By = &ordersv1.FindOrdersRequest_CustomerId{CustomerId: by.CustomerID}
	default:
		r.By = &ordersv1.FindOrdersRequest_AccountId{AccountId: by.AccountID}
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	answer, err := f.orders.FindOrders(ctx, r)
	for _, o := range answer.GetOrders() {
		found = append(found, foundOrder(o))
	}
	return found, answer.GetCut(), err
}

func foundOrder(f *ordersv1.FoundOrder) FoundOrder {
	d := f.GetOrder()
	o := d.GetOrder()
	if o.GetNextAction() != nil {
		o.NextAction.ClientSecret = "" // confirms a payment; it is for the buyer's browser
	}
	out := FoundOrder{Alias: f.GetAlias(), Described: d, CustomerID: d.GetCustomerId(), Order: desk.Order{
		ID: o.GetId(), ReferenceShort: o.GetReferenceShort(), Kind: o.GetKind().String(), State: o.GetState().String(), PlanName: d.GetPlanName(),
		AmountDisplay: o.GetAmountDisplay(), Email: d.GetEmail(), EmailMasked: o.GetEmailMasked(), Name: d.GetName(), ChargeID: d.GetChargeId(),
		CreatedAt: orZero(o.GetCreatedAt()), ChargedAt: orZero(o.GetChargedAt()), CompletedAt: orZero(o.GetCompletedAt()), RecoveredBy: o.GetRecoveredBy(),
		RefundedMinor: d.GetRefundedMinor(), RefundedDisplay: d.GetRefundedDisplay(),
		PromisedBy: orZero(o.GetPromise().GetBy()), NextLookAt: orZero(d.GetNextLookAt()), Refusal: o.GetPaymentError().GetMessage(),
	}}
	if net := o.GetAmountMinor() - d.GetRefundedMinor(); d.GetRefundedMinor() > 0 && net > 0 {
		out.NetDisplay = money.Display(net, o.GetCurrency())
	}
	if d.GetDispute() != paymentsv1.Payment_DISPUTE_UNSPECIFIED {
		out.Dispute = d.GetDispute().String()
	}
	if d.GetSubscription().GetUnpaid() != nil {
		out.Unpaid = d.GetUnpaidDisplay()
	}
	if o.GetState() == ordersv1.Order_PENDING {
		switch o.GetNextAction().GetType() {
		case ordersv1.NextAction_USE_STRIPE_SDK, ordersv1.NextAction_REDIRECT:
			out.Waits = "buyer"
		default:
			out.Waits = "us"
		}
	}
	out.GraceUntil = orZero(d.GetSubscriptionAccessUntil())
	if d.GetSubscription().GetStatus() == paymentsv1.Subscription_PAUSED {
		out.Lapse = "its subscription is paused at Stripe, until it is resumed there"
	}
	for _, h := range d.GetHistory() {
		change := desk.Change{At: h.GetAt().AsTime(), To: h.GetToState().String(), Reason: h.GetReason(), By: h.GetActor(), Why: h.GetNote()}
		if h.GetFromState() != ordersv1.Order_STATE_UNSPECIFIED {
			change.From = h.GetFromState().String()
		}
		out.History = append(out.History, change)
	}
	return out
}

// ChargesBy names charges in as many ways as are known.
type ChargesBy struct {
	Emails, CustomerIDs, IntentIDs, ChargeIDs []string
	// OrderIDs are of orders, or the references that their ids derive from.
	OrderIDs []string
	Card     *desk.CardHint
}

// Empty says whether nothing is named.
func (by ChargesBy) Empty() bool {
	return by.Card == nil && len(few(slices.Concat(by.Emails, by.CustomerIDs, by.IntentIDs, by.ChargeIDs, by.OrderIDs), 1)) == 0
}

// FoundCharge is a charge that was looked for.
type FoundCharge struct {
	desk.Charge
	// Seen is what Payments answered.
	Seen *paymentsv1.SeenCharge
}

// AsSwept is the charge as a sweep would see it.
func (c FoundCharge) AsSwept() disposition.Charge { return seenCharge(c.Seen) }

// FoundCharges is what was found at Stripe, or is kept of it.
type FoundCharges struct {
	Charges []FoundCharge
	// StripeRead: false when Stripe could not be read; Cut: there are more.
	StripeRead, Cut bool
}

// Charges finds charges, newest first.
func (f *Finder) Charges(ctx context.Context, by ChargesBy) (FoundCharges, error) {
	r := &paymentsv1.FindChargesRequest{
		Emails: few(by.Emails, 10), CustomerIds: few(by.CustomerIDs, 20), PaymentIntentIds: few(by.IntentIDs, 50), ChargeIds: few(by.ChargeIDs, 50),
		OrderIds: few(by.OrderIDs, 50),
	}
	if c := by.Card; c != nil {
		from, before := c.Window()
		r.Card = &paymentsv1.CardSearch{
			Last4: c.Last4, AmountMinor: c.AmountMinor, Currency: c.Currency,
			Window: &paymentsv1.Window{From: timestamppb.New(from), Before: timestamppb.New(before)},
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stripeTimeout)
	defer cancel()
	answer, err := f.payments.FindCharges(ctx, r)
	out := FoundCharges{StripeRead: answer.GetStripeRead(), Cut: answer.GetCut()}
	for _, c := range answer.GetCharges() {
		out.Charges = append(out.Charges, foundCharge(c))
	}
	return out, err
}

func foundCharge(f *paymentsv1.FoundCharge) FoundCharge {
	c := f.GetCharge()
	out := FoundCharge{Seen: c, Charge: desk.Charge{
		ID: c.GetChargeId(), Owner: c.GetOwner().String(), OwnerReason: c.GetOwnerReason(), OrderID: c.GetOrderId(), CustomerID: c.GetCustomerId(), IntentID: c.GetPaymentIntentId(),
		AmountDisplay: money.Display(c.GetAmountMinor(), c.GetCurrency()), Status: c.GetStatus().String(),
		Paid:           c.GetStatus() == paymentsv1.SeenCharge_SUCCEEDED && c.GetCaptured(),
		RefundedInFull: c.GetAmountMinor() > 0 && c.GetRefundedMinor() >= c.GetAmountMinor(), Disputed: c.GetDisputed(), CreatedAt: c.GetCreatedAt().AsTime(),
		Email: f.GetEmail(), Last4: f.GetLast4(), Failure: f.GetFailureMessage(),
	}}
	for _, r := range f.GetRefunds() {
		out.Refunds = append(out.Refunds, desk.Refund{
			ID: r.GetStripeRefundId(), AmountDisplay: money.Display(r.GetAmountMinor(), c.GetCurrency()), Status: r.GetStatus().String(), At: r.GetCreatedAt().AsTime(),
		})
	}
	for _, d := range f.GetDisputes() {
		out.Disputes = append(out.Disputes, desk.Dispute{
			ID: d.GetStripeDisputeId(), AmountDisplay: money.Display(d.GetAmountMinor(), c.GetCurrency()), Stands: d.GetStands().String(), Reason: d.GetReason(),
			LostMinor: lostMinor(d), LostDisplay: money.Display(lostMinor(d), c.GetCurrency()),
			At: d.GetCreatedAt().AsTime(), AnswerBy: orZero(d.GetAnswerBy()),
		})
	}
	return out
}

// Refunds lists an order's refunds as they are recorded here, oldest first.
func (f *Finder) Refunds(ctx context.Context, orderID string) (refunds []desk.Refund, err error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	answer, err := f.payments.ListRefunds(ctx, &paymentsv1.ListRefundsRequest{OrderId: orderID})
	for _, r := range answer.GetRefunds() {
		refunds = append(refunds, desk.Refund{
			ID: r.GetStripeRefundId(), AmountDisplay: money.Display(r.GetAmountMinor(), r.GetCurrency()), Status: r.GetStatus().String(),
			Reason: r.GetReason(), Actor: r.GetActor(), At: r.GetCreatedAt().AsTime(),
		})
	}
	return refunds, err
}

// Events lists the newest events of a Stripe customer in the ledger, at most 50.
func (f *Finder) Events(ctx context.Context, customerID string) (events []desk.Event, err error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	answer, err := f.payments.ListWebhookEvents(ctx, &paymentsv1.ListWebhookEventsRequest{CustomerId: customerID, PageSize: 50})
	for _, e := range answer.GetEvents() {
		events = append(events, desk.Event{
			ID: e.GetStripeEventId(), Type: e.GetType(), Status: e.GetStatus().String(), Error: e.GetLastError(),
			ReceivedAt: e.GetReceivedAt().AsTime(), ProcessedAt: orZero(e.GetProcessedAt()),
		})
	}
	return events, err
}

// Mails lists the messages about an order, oldest first.
func (f *Finder) Mails(ctx context.Context, orderID string) ([]desk.Mail, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	answer, err := f.notifications.ListMessages(ctx, &notificationsv1.ListMessagesRequest{OrderId: orderID})
	return mailsOf(answer.GetMessages(), orderID), err
}

// Replies lists what people on support wrote to an address about no order, newest first.
func (f *Finder) Replies(ctx context.Context, address string) ([]desk.Mail, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	answer, err := f.notifications.FindMessages(ctx, &notificationsv1.FindMessagesRequest{RepliesTo: address})
	return mailsOf(answer.GetMessages(), ""), err
}

func mailsOf(messages []*notificationsv1.Message, orderID string) (mails []desk.Mail) {
	for _, m := range messages {
		mails = append(mails, desk.Mail{
			ID: m.GetId(), OrderID: orderID, Kind: m.GetKind().String(), State: m.GetState().String(),
			CreatedAt: m.GetCreatedAt().AsTime(), SentAt: orZero(m.GetSentAt()), Error: m.GetLastError(),
		})
	}
	return mails
}

// Access is what an order bought, as Provisioning has it.
type Access struct {
	From, Until, Withdrawn time.Time
	// Active: its account may use the product now.
	Active bool
}

// Access answers for orders what they gave; those that gave nothing are missing.
func (f *Finder) Access(ctx context.Context, orderIDs []string) (map[string]Access, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	answer, err := f.provisioning.MatchGrants(ctx, &provisioningv1.MatchGrantsRequest{OrderIds: orderIDs})
	if err != nil {
		return nil, err
	}
	active, out := map[string]bool{}, map[string]Access{}
	for _, g := range answer.GetGrants() {
		id := g.GetAccountId()
		if _, asked := active[id]; id != "" && !asked {
			account, err := f.provisioning.CheckAccess(ctx, &provisioningv1.CheckAccessRequest{AccountId: id})
			if err != nil {
				return nil, err
			}
			active[id] = account.GetActive()
		}
		out[g.GetOrderId()] = Access{From: orZero(g.GetStartsAt()), Until: orZero(g.GetEndsAt()), Withdrawn: orZero(g.GetRevokedAt()), Active: active[id]}
	}
	return out, nil
}

func orZero(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// few are the different ones among some names, at most so many.
func few(names []string, most int) (out []string) {
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" && len(out) < most && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
