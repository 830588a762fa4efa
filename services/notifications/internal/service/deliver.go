package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
)

// Bounds of one attempt; together they stay below the job's own (jobs.Timeout).
const (
	mailTimeout = 10 * time.Second
	noteTimeout = 3 * time.Second
)

// GiveUpAfter is how long a message is tried before a person is asked.
const GiveUpAfter = 72 * time.Hour

// Deliver makes one attempt. Nil means that the message is at rest; any error
// asks for another attempt.
func (s *Service) Deliver(ctx context.Context, id uuid.UUID) error {
	m, err := s.Store.Load(ctx, id)
	if err != nil || m.AtRest() {
		return err
	}
	switch m.Kind {
	case message.Alert, message.Digest:
		err = s.attemptAlert(ctx, m)
	case message.SupportReply:
		err = s.attemptLetter(ctx, m)
	default:
		err = s.attempt(ctx, m)
	}
	if err == nil {
		return nil
	}
	var refused *render.Error
	switch {
	case errors.As(err, &refused) && refused.Permanent, errors.Is(err, message.ErrUndeliverable):
		return s.giveUp(ctx, m, fmt.Sprintf("refused for good: %v", err))
	case s.Now().Sub(m.CreatedAt) > GiveUpAfter:
		return s.giveUp(ctx, m, fmt.Sprintf("given up after %d hours: %v", int(GiveUpAfter.Hours()), err))
	}
	s.Metrics.fail()
	note, cancel := outlive(ctx)
	defer cancel()
	return errors.Join(err, s.Store.NoteError(note, m.ID, err.Error()))
}

// erased is why nobody is written to about an order whose buyer was erased.
const erased = "its buyer's address was erased"

// attempt reads what is true now, and says it.
func (s *Service) attempt(ctx context.Context, m message.Message) error {
	order, err := s.Orders.Describe(ctx, m.OrderID)
	if err != nil {
		return err
	}
	if order.Erased {
		s.Log.Info("message superseded", "order_id", m.OrderID, "kind", m.Kind, "reason", erased)
		return s.rested(m, message.Superseded, s.Store.MarkSuperseded(ctx, m.ID, erased))
	}
	if m.Waits(order, s.Now()) {
		return errors.New("orders does not know yet what this message is to say")
	}
	if !m.TrueOf(order, s.Now()) {
		s.Log.InfoContext(ctx, "message superseded", "order_id", m.OrderID, "kind", m.Kind, "reason", order.Standing())
		return s.rested(m, message.Superseded, s.Store.MarkSuperseded(ctx, m.ID, order.Standing()))
	}
	to, err := message.ParseAddress(order.Email)
	if err != nil {
		return err
	}
	facts, err := s.facts(ctx, m, order)
	if err != nil {
		return err
	}
	rendered, err := s.Brand.Render(facts)
	if err != nil {
		return err
	}
	return s.send(ctx, m, to, rendered)
}

func (s *Service) send(ctx context.Context, m message.Message, to string, rendered render.Rendered) error {
	return s.sendWith(ctx, m, to, map[string]string{}, rendered)
}

// sendWith hands a mail to the mail server, with more headers than the usual ones, and
// records that.
func (s *Service) sendWith(ctx context.Context, m message.Message, to string, headers map[string]string, rendered render.Rendered) error {
	mine, err := s.Store.BeginSending(ctx, m)
	if err != nil {
		return err
	}
	if !mine {
		return errors.New("another worker is sending this message")
	}
	headers["X-Makegood-Kind"] = strings.ToLower(string(m.Kind))
	if m.OrderID != uuid.Nil {
		headers["X-Makegood-Order"] = m.OrderID.String()
	}
	send, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	err = s.Server.Send(send, render.Envelope{
		From: s.From, To: to, ReplyTo: s.Brand.SupportEmail, MessageID: m.MessageID, Date: s.Now(), Headers: headers,
	}, rendered)
	if err != nil {
		s.noteServer(ctx, err)
		return err
	}
	// The mail is out; not to record it would send it again.
	note, stop := outlive(ctx)
	defer stop()
	if err := s.rested(m, message.Sent, s.Store.MarkSent(note, m.ID, to, s.Now())); err != nil {
		return err
	}
	s.noteServer(ctx, nil)
	s.Log.InfoContext(ctx, "message sent", "order_id", m.OrderID, "kind", m.Kind, "attempt", m.AttemptCount+1)
	return nil
}

// giveUp leaves the message to a person. The case comes first: as long as it
// cannot be opened the message stays due, so that neither can be lost.
func (s *Service) giveUp(ctx context.Context, m message.Message, why string) error {
	if m.Kind.ToTeam() {
		return s.giveUpAlert(ctx, m, why)
	}
	subject := "message/" + m.DedupeKey
	if len(subject) > 200 { // the most a case takes
		subject = "message/" + m.ID.String()
	}
	which := fmt.Sprintf("The %s mail of order %s", strings.ToLower(string(m.Kind)), m.OrderID)
	if m.OrderID == uuid.Nil {
		which = "A support reply that is about no order"
	}
	err := s.Cases.OpenUndelivered(ctx, subject, fmt.Sprintf(
		"%s could not be delivered: %s. Check the buyer's address, then write to them another way.", which, why))
	note, stop := outlive(ctx)
	defer stop()
	if err != nil {
		why += "; the case cannot be opened yet"
		return errors.Join(errors.New(why), s.Store.NoteError(note, m.ID, why))
	}
	s.Log.WarnContext(ctx, "message failed; a case is open", "order_id", m.OrderID, "kind", m.Kind, "reason", why)
	return s.rested(m, message.Failed, s.Store.MarkFailed(note, m.ID, why))
}

// rested counts a message whose rest was recorded.
func (s *Service) rested(m message.Message, state message.State, err error) error {
	if err == nil {
		s.Metrics.rest(m, state, s.Now())
	}
	return err
}

// outlive bounds a last write that must be tried even when the attempt's time
// is up or the service is stopping.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
}
