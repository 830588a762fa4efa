package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
			if ctx.Err() == nil && !now.leaves(c) && !s.nameAll(ctx, p, c, now) {
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
	became       store.DispositionsOf // of what was paid twice or wrongly, and of all charges of its orders
	unread       []string             // of those that were paid twice or wrongly: what is known of them may be old
	dispositions map[string]store.Previous
	events       map[string]string
	followed     map[string]time.Time // subscriptions that can be followed, and when they last were
	mails        clients.Delivery
	stripe       bool
}

func (s *Service) askAbout(ctx context.Context, w *sweep, page []cases.Case) (a asked) {
	var charges, paid, orders, adopted, events, messages, subscriptions []string
	var stripe, mails bool
	for _, c := range page {
		switch c.Kind {
		case cases.FailedRefund:
			charges = append(charges, c.ChargeIDs()...)
		case cases.WrongCharge, cases.DuplicateCharge:
			if c.Kind == cases.WrongCharge {
				charges = append(charges, c.ChargeIDs()...) // those that no sweep has seen, too
			}
			paid = append(paid, c.ChargeIDs()...)
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
		case cases.Subscription:
			if id := c.After("subscription/"); id != "" {
				subscriptions = append(subscriptions, id)
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
	ask("what became of charges", len(paid) > 0 || len(orders) > 0, func() error {
		var looked, known error
		a.unread, looked = s.lookAgain(ctx, w, paid)
		a.became, known = s.Store.Became(ctx, paid, orders)
		return errors.Join(looked, known)
	})
	ask("dispositions", len(adopted) > 0, func() (err error) { a.dispositions, err = s.Store.Dispositions(ctx, adopted); return err })
	ask("events", len(events) > 0, func() (err error) { a.events, err = s.CaseFacts.FinishedEvents(ctx, events); return err })
	ask("subscriptions", len(subscriptions) > 0, func() (err error) { a.followed, err = s.CaseFacts.Followed(ctx, subscriptions); return err })
	ask("messages", mails, func() (err error) { a.mails, err = s.CaseFacts.Messages(ctx, messages); return err })
	a.stripe = stripe && s.CaseFacts.StripeAnswers(ctx, s.now())
	return a
}

// leaves says whether a case stays as it is, because not all of what it names could be
// read.
func (a asked) leaves(c cases.Case) bool {
	return slices.ContainsFunc(c.ChargeIDs(), func(id string) bool { return slices.Contains(a.unread, id) })
}

// lookAgain examines charges by their ids; those that Stripe does not show are left
// as they are. It answers with those that could not be looked at, and why.
func (s *Service) lookAgain(ctx context.Context, w *sweep, ids []string) (unread []string, err error) {
	began := s.now()
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var failed []error
	for part := range slices.Chunk(slices.Compact(ids), pageSize) {
		if len(failed) > 0 && s.now().Sub(began) >= s.readsAtMost() || ctx.Err() != nil {
			unread = append(unread, part...)
			continue
		}
		charges, left, err := s.Payments.MostCharges(ctx, part)
		if err == nil {
			err = s.examine(ctx, w, charges)
		}
		switch {
		case err != nil:
			left = part
		case len(left) > 0:
			err = fmt.Errorf("charge %s: %w", strings.Join(left, ", "), errUnread)
		default:
			continue
		}
		unread, failed = append(unread, left...), append(failed, err)
	}
	return unread, errors.Join(append(failed, context.Cause(ctx))...)
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
		return s.wrongGone(ctx, c, now)
	case cases.DuplicateCharge:
		return s.duplicateGone(ctx, c, now.became)
	case cases.UnidentifiedCharge, cases.ClaimedCharge, cases.FailedEvent, cases.UnclearEvent:
		if p, known := now.dispositions[c.After("charge/")]; known && settledBy(c, p) {
			return "the charge is " + string(p.Kind) + ": " + p.Reason, nil
		}
		// One that could be handled, and is for nobody known, is not failing any more;
		// whose it is stays a question where that is the case.
		if status := now.events[c.After("event/")]; status != "" && (status != "ORPHANED" || c.Kind == cases.FailedEvent) {
			return "the event is " + status, nil
		}
	case cases.Subscription:
		return s.subscriptionGoesOn(ctx, c, now)
	case cases.FailedRefund:
		return s.refundSucceeded(ctx, c, now.charges)
	case cases.Dispute:
		return s.disputeOver(ctx, c)
	case cases.FraudWarning:
		return s.warningOver(ctx, c)
	case cases.UndeliveredMessage:
		if state := now.mails.Done[c.After("message/")]; state != "" {
			return "the message is " + state, nil
		}
		if c.Subject == "mail-server" && now.mails.ServerWorks {
			return "the mail server accepts mail again", nil
		}
	case cases.UndeliveredHook:
		taken, err := s.Provisioning.HooksTaken(ctx, s.now())
		if err != nil || !taken {
			return "", err
		}
		return "the app has taken all that it was told", nil
	case cases.StripeAccess:
		if now.stripe {
			return "Stripe answers again", nil
		}
	}
	return "", nil
}

// subscriptionGoesOn: one that could not be followed, or whose term nobody got, was
// followed to the end since; of a term that went back, the next will not be charged.
func (s *Service) subscriptionGoesOn(ctx context.Context, c cases.Case, now asked) (because string, err error) {
	if at, ok := now.followed[c.After("subscription/")]; ok && at.After(c.LastReportedAt) {
		return "the subscription was followed, and all that was paid of it has its order", nil
	}
	id, ok := c.OrderID()
	if !ok {
		return "", nil
	}
	o, err := s.CaseFacts.Order(ctx, id)
	if err != nil || o == nil {
		return "", err
	}
	return o.Lapses, nil
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
