package service

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store"
)

// resolveCases closes the cases whose problem has gone away, however it did, so
// that nobody works on what is already well. One that cannot be asked about never
// stops the others.
func (s *Service) resolveCases(ctx context.Context, w *sweep) error {
	p := w.progress
	for after := int64(0); ctx.Err() == nil; {
		page, err := s.Store.ListOpenCases(ctx, after, pageSize)
		if err != nil {
			fault(ctx, p, "open cases cannot be listed", err)
			return fmt.Errorf("list open cases: %w", err)
		}
		now := s.askAbout(ctx, w, page)
		each(page, func(c cases.Case) {
			if ctx.Err() == nil {
				s.resolveIfGone(ctx, p, c, now)
			}
		})
		if len(page) < pageSize {
			break
		}
		after = page[len(page)-1].ID
	}
	return context.Cause(ctx)
}

func (s *Service) resolveIfGone(ctx context.Context, p *run.Progress, c cases.Case, now asked) {
	because, err := s.goneBecause(ctx, c, now)
	if err != nil {
		fault(ctx, p, fmt.Sprintf("case %d: %s cannot be read", c.ID, c.Subject), err)
		return
	}
	if because == "" {
		return
	}
	switch closed, err := s.closeCase(ctx, c, because); {
	case err != nil:
		fault(ctx, p, fmt.Sprintf("case %d cannot be resolved", c.ID), err)
	case closed:
		p.Add(run.Counts{}, fmt.Sprintf("case %d resolved: %s: %s", c.ID, c.Subject, because))
	}
}

// asked is what the others answered about a page of cases, each in one question.
// What they could not answer is empty: those cases stay as they are.
type asked struct {
	charges      map[string]clients.ChargeFacts
	duplicates   store.DispositionsOf
	dispositions map[string]store.Previous
	events       map[string]string
	mails        clients.Delivery
	stripe       bool
}

func (s *Service) askAbout(ctx context.Context, w *sweep, page []cases.Case) (a asked) {
	var charges, twice, orders, adopted, events, messages []string
	var stripe, mails bool
	for _, c := range page {
		switch c.Kind {
		case cases.WrongCharge:
			charges = append(charges, c.ChargeIDs()...)
		case cases.DuplicateCharge:
			twice = append(twice, c.ChargeIDs()...)
			if id, ok := c.OrderID(); ok {
				orders = append(orders, id.String())
			}
		case cases.UnidentifiedCharge, cases.ClaimedCharge, cases.FailedEvent, cases.UnclearEvent:
			if id := c.After("charge/"); id != "" {
				adopted = append(adopted, id)
			}
			if id := c.After("event/"); id != "" {
				events = append(events, id)
			}
		case cases.UndeliveredMessage:
			mails = true
			if key := c.After("message/"); key != "" {
				messages = append(messages, key)
			}
		case cases.StripeAccess:
			stripe = true
		}
	}
	ask := func(what string, wanted bool, question func() error) {
		if !wanted || ctx.Err() != nil {
			return
		}
		if err := question(); err != nil {
			fault(ctx, w.progress, what+" of open cases cannot be read", err)
		}
	}
	ask("charges", len(charges) > 0, func() (err error) { a.charges, err = s.CaseFacts.Charges(ctx, charges); return err })
	ask("duplicates", len(orders) > 0, func() (err error) {
		if err := s.lookAgain(ctx, w, twice); err != nil {
			return err
		}
		a.duplicates, err = s.Store.DispositionsOfDuplicates(ctx, twice, orders)
		return err
	})
	ask("dispositions", len(adopted) > 0, func() (err error) { a.dispositions, err = s.Store.Dispositions(ctx, adopted); return err })
	ask("events", len(events) > 0, func() (err error) { a.events, err = s.CaseFacts.FinishedEvents(ctx, events); return err })
	ask("messages", mails, func() (err error) { a.mails, err = s.CaseFacts.Messages(ctx, messages); return err })
	a.stripe = stripe && s.CaseFacts.StripeAnswers(ctx, s.now())
	return a
}

// lookAgain examines charges by their ids; those that Stripe does not show are left
// as they are.
func (s *Service) lookAgain(ctx context.Context, w *sweep, ids []string) error {
	slices.Sort(ids)
	for part := range slices.Chunk(slices.Compact(ids), pageSize) {
		charges, err := s.Payments.Charges(ctx, part)
		if err == nil {
			err = s.examine(ctx, w, charges)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// goneBecause says in plain words why the problem of a case has gone away; empty
// when it has not, or when only a person can tell.
func (s *Service) goneBecause(ctx context.Context, c cases.Case, now asked) (string, error) {
	switch c.Kind {
	case cases.StuckOrder, cases.UnknownPayment:
		if id, ok := c.OrderID(); ok {
			state, atRest, err := s.Orders.AtRest(ctx, id)
			if err != nil || !atRest {
				return "", err
			}
			return "the order is " + state, nil
		}
	case cases.WrongCharge:
		return s.moneyWentBack(ctx, c, now.charges)
	case cases.DuplicateCharge:
		return duplicateGone(c, now.duplicates), nil
	case cases.UnidentifiedCharge, cases.ClaimedCharge, cases.FailedEvent, cases.UnclearEvent:
		if p, known := now.dispositions[c.After("charge/")]; known && settledBy(c, p) {
			return "the charge is " + string(p.Kind) + ": " + p.Reason, nil
		}
		if status := now.events[c.After("event/")]; status != "" {
			return "the event is " + status, nil
		}
	case cases.FailedRefund:
		return s.refundSucceeded(ctx, c)
	case cases.UndeliveredMessage:
		if state := now.mails.Done[c.After("message/")]; state != "" {
			return "the message is " + state, nil
		}
		if c.Subject == "mail-server" && now.mails.ServerWorks {
			return "the mail server accepts mail again", nil
		}
	case cases.StripeAccess:
		if now.stripe {
			return "Stripe answers again", nil
		}
	}
	return "", nil
}

// settledBy says whether what is recorded of a charge leaves nothing of a case about
// it: it is at rest, it is not ours, its money went back, or another case has taken
// over.
func settledBy(c cases.Case, p store.Previous) bool {
	switch p.Kind {
	case disposition.Matched, disposition.Recovered, disposition.Refunded, disposition.Foreign:
		return true
	case disposition.Duplicate, disposition.Quarantined:
		replaced := p.CaseKind != "" && string(p.CaseKind) != string(c.Kind)
		return (replaced || p.FullyRefunded) && !p.SeenAt.Before(c.LastReportedAt)
	default:
		return false
	}
}

// duplicateGone: of the charges that a case names and those of its order, one went
// back, and each of the others gives its buyer what was paid for. That some refund
// was made is not enough: it may have been the wrong one.
func duplicateGone(c cases.Case, known store.DispositionsOf) (because string) {
	kinds := map[string]disposition.Kind{}
	for _, id := range c.ChargeIDs() {
		kinds[id] = known.Charges[id]
	}
	if id, ok := c.OrderID(); ok {
		for _, charge := range known.Orders[id.String()] {
			kinds[charge] = known.Charges[charge]
		}
	}
	for _, id := range slices.Sorted(maps.Keys(kinds)) {
		switch kinds[id] {
		case disposition.Refunded:
			because = "charge " + id + " was refunded, and no other of these was paid for nothing"
		case disposition.Matched, disposition.Recovered:
		default:
			return ""
		}
	}
	return because
}

// moneyWentBack: of the charges that a case names, the one too many was refunded.
func (s *Service) moneyWentBack(ctx context.Context, c cases.Case, charges map[string]clients.ChargeFacts) (string, error) {
	for _, id := range c.ChargeIDs() {
		if charges[id].Refunded {
			return "charge " + id + " was refunded", nil
		}
	}
	id, ok := c.OrderID()
	if !ok {
		return "", nil
	}
	o, err := s.CaseFacts.Order(ctx, id)
	if err != nil || o == nil || !o.Refunded {
		return "", err
	}
	return "the order was refunded", nil
}

// refundSucceeded: the refund that failed succeeded after all, or another of as
// much did after it.
func (s *Service) refundSucceeded(ctx context.Context, c cases.Case) (string, error) {
	id, ok := c.OrderID()
	if !ok {
		return "", nil
	}
	refunds, err := s.CaseFacts.Refunds(ctx, id)
	if err != nil {
		return "", err
	}
	var owed int64
	for _, r := range refunds {
		named := false
		for _, id := range r.IDs {
			named = named || strings.Contains(c.Summary, id)
		}
		switch {
		case named && r.Succeeded:
			return "the refund succeeded", nil
		case named:
			owed = r.AmountMinor
		case owed > 0 && r.Succeeded && r.AmountMinor >= owed:
			return "another refund succeeded", nil
		}
	}
	return "", nil
}
