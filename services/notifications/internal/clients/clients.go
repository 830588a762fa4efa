// Package clients is how Notifications asks the other services: what is true of
// an order, what went back of its money, how its buyer gets in, and who takes over
// what cannot be delivered.
package clients

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/money"
)

// timeout bounds one call; a delivery makes two and still has time for the mail.
const timeout = 2 * time.Second

// Orders says what is true of an order.
type Orders struct {
	client ordersv1.OrdersAdminServiceClient
}

// NewOrders uses a connection to Orders.
func NewOrders(conn grpc.ClientConnInterface) *Orders {
	return &Orders{ordersv1.NewOrdersAdminServiceClient(conn)}
}

// Describe reads the order as it is now.
func (o *Orders) Describe(ctx context.Context, id uuid.UUID) (message.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d, err := o.client.DescribeOrder(ctx, &ordersv1.DescribeOrderRequest{OrderId: id.String()})
	if err != nil {
		return message.Order{}, codeOnly("orders", err)
	}
	order := d.GetOrder()
	out := message.Order{
		State: order.GetState().String(), Renewal: order.GetKind() == ordersv1.Order_RENEWAL, Renews: d.GetRenews(),
		Email: d.GetEmail(), Erased: d.GetErasedAt() != nil, Name: d.GetName(), PlanName: d.GetPlanName(),
		AmountDisplay: order.GetAmountDisplay(), NothingDue: order.GetAmountMinor() == 0, ReferenceShort: order.GetReferenceShort(),
		Waits: order.GetNextAction().GetType() == ordersv1.NextAction_WAIT, Reference: order.GetReference(),
		Disputed:    d.GetDispute() == paymentsv1.Payment_OPEN || d.GetDispute() == paymentsv1.Payment_LOST,
		SecondOfTwo: d.GetSecondOfTwo(), ChargedAt: moment(order.GetChargedAt()),
		PromiseBy: moment(order.GetPromise().GetBy()), MissedBy: moment(order.GetPromise().GetMissedBy()),
		RefundToken: d.GetRefundToken(), RefundUntil: moment(d.GetRefundOfferUntil()), RefundAsked: order.GetRefundAskedAt() != nil,
		RefundedMinor: d.GetRefundedMinor(), RefundedDisplay: d.GetRefundedDisplay(), AccessUntil: moment(order.GetAccessUntil()),
	}
	if net := order.GetAmountMinor() - d.GetRefundedMinor(); d.GetRefundedMinor() > 0 && net > 0 {
		out.NetDisplay = money.Display(net, order.GetCurrency())
	}
	if s := d.GetSubscription(); s != nil {
		out.Subscription = &message.Subscription{
			ID: s.GetSubscriptionId(), Status: message.SubscriptionStatus(s.GetStatus().String()), Renews: s.GetRenews(),
			AccessUntil: moment(d.GetSubscriptionAccessUntil()),
		}
		if u := s.GetUnpaid(); u != nil {
			out.Subscription.Unpaid = &message.UnpaidInvoice{
				InvoiceID: u.GetInvoiceId(), AmountDisplay: d.GetUnpaidDisplay(), HostedURL: u.GetHostedUrl(),
				ActionRequired: u.GetActionRequired(), NextAttemptAt: moment(u.GetNextAttemptAt()),
			}
		}
	}
	return out, nil
}

// Payments says what went back.
type Payments struct {
	client paymentsv1.PaymentsAdminServiceClient
}

// NewPayments uses a connection to Payments.
func NewPayments(conn grpc.ClientConnInterface) *Payments {
	return &Payments{paymentsv1.NewPaymentsAdminServiceClient(conn)}
}

// Refunds lists the refunds of an order's own charge that Stripe has taken on and the
// bank did not send back, oldest first. What went back of a second charge is nothing to
// the order.
func (p *Payments) Refunds(ctx context.Context, orderID uuid.UUID) ([]message.Refunded, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	list, err := p.client.ListRefunds(ctx, &paymentsv1.ListRefundsRequest{OrderId: orderID.String()})
	if err != nil {
		return nil, codeOnly("payments", err)
	}
	var out []message.Refunded
	for _, r := range list.GetRefunds() {
		if r.GetChargeId() != "" || r.GetStripeRefundId() == "" || r.GetStatus() == paymentsv1.Refund_FAILED {
			continue
		}
		out = append(out, message.Refunded{
			Reference: r.GetStripeRefundId(), AmountMinor: r.GetAmountMinor(), AmountDisplay: money.Display(r.GetAmountMinor(), r.GetCurrency()),
		})
	}
	return out, nil
}

// Provisioning says how a buyer gets in.
type Provisioning struct {
	client provisioningv1.ProvisioningServiceClient
}

// NewProvisioning uses a connection to Provisioning.
func NewProvisioning(conn grpc.ClientConnInterface) *Provisioning {
	return &Provisioning{provisioningv1.NewProvisioningServiceClient(conn)}
}

// SignInLink makes the link for an order's mail.
func (p *Provisioning) SignInLink(ctx context.Context, orderID uuid.UUID) (message.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	l, err := p.client.CreateSignInLink(ctx, &provisioningv1.CreateSignInLinkRequest{OrderId: orderID.String()})
	if err != nil {
		return message.Link{}, codeOnly("provisioning", err)
	}
	return message.Link{
		URL: l.GetUrl(), Activation: l.GetKind() == provisioningv1.CreateSignInLinkResponse_ACTIVATION, ExpiresAt: moment(l.GetExpiresAt()),
	}, nil
}

// Cases keeps for a person what a machine has given up on.
type Cases struct {
	client reconciliationv1.ReconciliationServiceClient
}

// NewCases uses a connection to Reconciliation.
func NewCases(conn grpc.ClientConnInterface) *Cases {
	return &Cases{reconciliationv1.NewReconciliationServiceClient(conn)}
}

// OpenUndelivered opens a case about a message, or counts one more report of it.
func (c *Cases) OpenUndelivered(ctx context.Context, subject, summary string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := c.client.OpenCase(ctx, &reconciliationv1.OpenCaseRequest{
		Kind: reconciliationv1.Case_UNDELIVERED_MESSAGE, Subject: subject, Summary: summary,
	})
	return err
}

// Runs says whether reconciliation works.
type Runs struct {
	client reconciliationv1.ReconciliationServiceClient
}

// NewRuns uses a connection to Reconciliation.
func NewRuns(conn grpc.ClientConnInterface) *Runs {
	return &Runs{reconciliationv1.NewReconciliationServiceClient(conn)}
}

// LastRuns is what the recent runs say of whether reconciliation works. Runs that only
// said what they would do are not among them.
type LastRuns struct {
	// EndedAt is when the newest run came to its end, and SucceededAt when the newest
	// that succeeded did; nil when no recent one did.
	EndedAt, SucceededAt *time.Time
	// WorksSince is since when a run is at work; nil when none is.
	WorksSince *time.Time
	// Failed is what the newest run that ended says of what it could not do.
	Failed []string
}

// Last reads the recent runs.
func (r *Runs) Last(ctx context.Context) (LastRuns, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	list, err := r.client.ListRuns(ctx, &reconciliationv1.ListRunsRequest{PageSize: 20})
	if err != nil {
		return LastRuns{}, codeOnly("reconciliation", err)
	}
	var last LastRuns
	for _, run := range list.GetRuns() {
		if run.GetDryRun() {
			continue
		}
		if run.GetStatus() == reconciliationv1.Run_RUNNING {
			at := run.GetStartedAt().AsTime()
			last.WorksSince = &at
			continue
		}
		at := run.GetFinishedAt().AsTime()
		if last.EndedAt == nil && !run.GetCutShort() {
			last.EndedAt = &at
			if run.GetStatus() == reconciliationv1.Run_FAILED {
				last.Failed = run.GetDetails()
			}
		}
		if run.GetStatus() == reconciliationv1.Run_SUCCEEDED {
			last.SucceededAt = &at
			break
		}
	}
	return last, nil
}

// moment is zero for an unset time.
func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// codeOnly names a failure by its code alone: it is kept with the message, and
// another's words may name a person.
func codeOnly(peer string, err error) error {
	reason := ""
	if e := apperr.Of(err); e != nil && e.Reason != "" {
		reason = " " + e.Reason
	}
	return fmt.Errorf("%s cannot be asked: %s%s", peer, apperr.CodeOf(err), reason)
}
