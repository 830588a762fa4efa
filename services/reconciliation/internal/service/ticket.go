package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

// The steps of what is done to a ticket.
const (
	stepTicket = "ticket kept"
	stepLinked = "orders and charges linked"
	stepMoved  = "ticket changed"
)

// linkTimeout bounds how long a list of tickets waits for what is new of them.
const linkTimeout = 5 * time.Second

// OpenTicket keeps what a customer wrote, with what is found of theirs; what cannot be
// found now links when the ticket is looked at.
func (s *Service) OpenTicket(ctx context.Context, a desk.Act, t desk.Ticket) (desk.Ticket, error) {
	if strings.TrimSpace(t.Subject) == "" {
		return desk.Ticket{}, apperr.Invalid("subject", "is empty")
	}
	if at := strings.LastIndexByte(strings.TrimSpace(t.Email), '@'); at < 1 {
		return desk.Ticket{}, apperr.Invalid("email", "is no email address")
	}
	t.State, t.OpenedBy, t.OpenedAt, t.Version = desk.TicketOpen, a.Actor, s.now(), 1
	kept := t
	_, err := s.act(ctx, a, deed{
		subjects: []string{"ticket"},
		stands:   func(context.Context) any { return ticketStanding(kept) },
		do: func(ctx context.Context) (did, error) {
			found := s.link(ctx, &t, true)
			kept = t
			if a.DryRun {
				return did{steps: []desk.Step{{What: stepTicket, Outcome: desk.WouldDo}, found}}, nil
			}
			var err error
			if kept, err = s.Store.AddTicket(ctx, a.Key, t); err != nil {
				return did{}, err
			}
			return did{steps: []desk.Step{{What: stepTicket, Outcome: desk.Done}, found}, subjects: []string{kept.Name()}}, nil
		},
	})
	if err != nil || a.DryRun {
		return kept, err
	}
	return s.Store.TicketByKey(ctx, a.Key)
}

// ChangeTicket moves a ticket on. Errors: desk.ErrTicketNotFound; desk.ErrState when
// somebody changed it since it was read.
func (s *Service) ChangeTicket(ctx context.Context, a desk.Act, c desk.TicketChange) (desk.Ticket, error) {
	if c.AssignedTo == "" {
		c.AssignedTo = a.Actor
	}
	c.Key = a.Key
	if err := c.Check(); err != nil {
		return desk.Ticket{}, err
	}
	before, err := s.Store.Ticket(ctx, c.TicketID)
	if err != nil {
		return desk.Ticket{}, err
	}
	now := before
	_, err = s.act(ctx, a, deed{
		subjects: []string{before.Name()},
		stands:   func(context.Context) any { return ticketStanding(now) },
		do: func(ctx context.Context) (did, error) {
			t, err := s.Store.Ticket(ctx, c.TicketID)
			if err != nil {
				return did{}, err
			}
			next, changes, err := t.Changed(c, a.Actor, s.now())
			note := fmt.Sprintf("%s, assigned to %s", next.State, next.AssignedTo)
			switch {
			case err != nil:
				return did{}, err
			case !changes:
				return did{steps: []desk.Step{{What: stepMoved, Outcome: desk.NotNeeded, Note: note}}}, nil
			case a.DryRun:
				now = next
				return did{steps: []desk.Step{{What: stepMoved, Outcome: desk.WouldDo, Note: note}}}, nil
			}
			s.link(ctx, &next, false)
			written, mine, err := s.Store.UpdateTicket(ctx, next)
			switch {
			case err != nil:
				return did{}, err
			case !mine:
				return did{}, desk.Because(desk.ErrState, "somebody has changed this ticket at this moment: read it again")
			}
			now = written
			return did{steps: []desk.Step{{What: stepMoved, Outcome: desk.Done, Note: note}}}, nil
		},
	})
	if err != nil || a.DryRun {
		return now, err
	}
	return s.Store.Ticket(ctx, c.TicketID)
}

// ListTickets lists at most limit tickets after one, the longest waiting first, each
// with the orders that its address has by now.
func (s *Service) ListTickets(ctx context.Context, state desk.TicketState, afterOpenedAt time.Time, afterID int64, limit int) ([]desk.Ticket, error) {
	list, err := s.Store.ListTickets(ctx, state, afterOpenedAt, afterID, limit)
	if err != nil {
		return nil, err
	}
	s.relink(ctx, list)
	return list, nil
}

// relink looks for what the open ones of some tickets are about by now, as far as that
// is quick: without Stripe. What cannot be read is as it was.
func (s *Service) relink(ctx context.Context, list []desk.Ticket) {
	ctx, cancel := context.WithTimeout(ctx, linkTimeout)
	defer cancel()
	var steps []func()
	for i := range list {
		if t := &list[i]; t.State != desk.TicketResolved {
			steps = append(steps, func() { s.link(ctx, t, false) })
		}
	}
	together(steps...)
}

// link adds to a ticket its customer's orders and, when Stripe is asked, charges.
func (s *Service) link(ctx context.Context, t *desk.Ticket, stripe bool) desk.Step {
	orders, _, err := s.Finder.Orders(ctx, clients.OrdersBy{Email: t.Email})
	unread := ""
	if err != nil {
		unread = "Orders did not answer; they are linked when the ticket is looked at"
	}
	var orderIDs, chargeIDs []string
	by := clients.ChargesBy{Emails: []string{t.Email, desk.AddressKey(t.Email)}}
	for _, o := range orders {
		orderIDs, chargeIDs = append(orderIDs, o.ID), append(chargeIDs, o.ChargeID)
		by.Emails, by.CustomerIDs = append(by.Emails, o.Email), append(by.CustomerIDs, o.CustomerID)
	}
	if stripe {
		found, err := s.Finder.Charges(ctx, by)
		if err != nil || !found.StripeRead {
			unread = "Stripe did not answer; a lookup shows all charges"
		}
		for _, c := range found.Charges {
			if c.Owner != "FOREIGN" {
				chargeIDs, orderIDs = append(chargeIDs, c.ID), append(orderIDs, c.OrderID)
			}
		}
	}
	step := desk.Step{What: stepLinked, Outcome: desk.NotNeeded, Note: "nothing new is known under this address"}
	if t.Link(orderIDs, chargeIDs) {
		step.Outcome, step.Note = desk.Done, fmt.Sprintf("orders %d, charges %d", len(t.OrderIDs), len(t.ChargeIDs))
	}
	if unread != "" {
		step.Note = unread
	}
	return step
}

// ticketStanding is how a ticket stands, for the audit: no personal data.
func ticketStanding(t desk.Ticket) any {
	if t.ID == 0 {
		return nil
	}
	return map[string]any{
		"ticket_id": t.ID, "state": t.State, "category": t.Category, "assigned_to": t.AssignedTo, "version": t.Version,
		"resolved_by": t.ResolvedBy, "order_ids": t.OrderIDs, "charge_ids": t.ChargeIDs,
	}
}
