package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"

	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/store"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// Bounds of one attempt; together they stay below the job's own (jobs.Timeout).
const (
	askTimeout  = 2 * time.Second
	mailTimeout = 10 * time.Second
	noteTimeout = 3 * time.Second
)

// GiveUpAfter is how long a message is tried before a person is asked.
const GiveUpAfter = 72 * time.Hour

// Deliverer delivers one message at a time. All its network calls are made
// outside transactions.
type Deliverer struct {
	Store          *store.Store
	Orders         ordersv1.OrdersAdminServiceClient
	Provisioning   provisioningv1.ProvisioningServiceClient
	Reconciliation reconciliationv1.ReconciliationServiceClient
	Server         render.Server
	Brand          render.Brand
	From           mail.Address
	Now            func() time.Time
	Log            *slog.Logger
}

// Deliver makes one attempt. Nil means that the message is at rest; any error
// asks for another attempt.
func (d *Deliverer) Deliver(ctx context.Context, id uuid.UUID) error {
	m, err := d.Store.Load(ctx, id)
	if err != nil || m.AtRest() {
		return err
	}
	err = d.attempt(ctx, m)
	if err == nil {
		return nil
	}
	var refused *render.Error
	switch {
	case errors.As(err, &refused) && refused.Permanent, errors.Is(err, message.ErrUndeliverable):
		return d.giveUp(ctx, m, fmt.Sprintf("refused for good: %v", err))
	case d.Now().Sub(m.CreatedAt) > GiveUpAfter:
		return d.giveUp(ctx, m, fmt.Sprintf("given up after %d hours: %v", int(GiveUpAfter.Hours()), err))
	}
	note, cancel := outlive(ctx)
	defer cancel()
	return errors.Join(err, d.Store.NoteError(note, m.ID, err.Error()))
}

// attempt reads what is true now, and says it.
func (d *Deliverer) attempt(ctx context.Context, m message.Message) error {
	order, err := d.describe(ctx, m.OrderID)
	if err != nil {
		return err
	}
	if state := order.GetOrder().GetState().String(); state != m.Kind.TrueWhile() {
		d.Log.Info("message superseded", "order_id", m.OrderID, "kind", m.Kind, "order_state", state)
		return d.Store.MarkSuperseded(ctx, m.ID, "the order is "+state)
	}
	to, err := message.ParseAddress(order.GetEmail())
	if err != nil {
		return err
	}
	facts, err := d.facts(ctx, m, order)
	if err != nil {
		return err
	}
	rendered, err := d.Brand.Render(facts)
	if err != nil {
		return err
	}
	mine, err := d.Store.BeginSending(ctx, m)
	if err != nil {
		return err
	}
	if !mine {
		return errors.New("another worker is sending this message")
	}
	send, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	err = d.Server.Send(send, render.Envelope{
		From: d.From, To: to, ReplyTo: d.Brand.SupportEmail, MessageID: m.MessageID, Date: d.Now(),
		Headers: map[string]string{"X-Makegood-Order": m.OrderID.String(), "X-Makegood-Kind": strings.ToLower(string(m.Kind))},
	}, rendered)
	if err != nil {
		return err
	}
	// The mail is out; not to record it would send it again.
	note, stop := outlive(ctx)
	defer stop()
	if err := d.Store.MarkSent(note, m.ID, to, d.Now()); err != nil {
		return err
	}
	d.Log.Info("message sent", "order_id", m.OrderID, "kind", m.Kind, "attempt", m.AttemptCount+1)
	return nil
}

// giveUp leaves the message to a person. The case comes first: as long as it
// cannot be opened the message stays due, so that neither can be lost.
func (d *Deliverer) giveUp(ctx context.Context, m message.Message, why string) error {
	subject := "message/" + m.DedupeKey
	if len(subject) > 200 { // the most a case takes
		subject = "message/" + m.ID.String()
	}
	open, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := d.Reconciliation.OpenCase(open, &reconciliationv1.OpenCaseRequest{
		Kind: reconciliationv1.Case_UNDELIVERED_MESSAGE, Subject: subject,
		Summary: fmt.Sprintf("The %s mail of order %s could not be delivered: %s. Check the buyer's address, then write to them another way.",
			strings.ToLower(string(m.Kind)), m.OrderID, why),
	})
	note, stop := outlive(ctx)
	defer stop()
	if err != nil {
		why += "; the case cannot be opened yet"
		return errors.Join(errors.New(why), d.Store.NoteError(note, m.ID, why))
	}
	d.Log.Warn("message failed; a case is open", "order_id", m.OrderID, "kind", m.Kind, "reason", why)
	return d.Store.MarkFailed(note, m.ID, why)
}

// outlive bounds a last write that must be tried even when the attempt's time
// is up or the service is stopping.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
}
