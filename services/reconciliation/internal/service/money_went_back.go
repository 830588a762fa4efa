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

// duplicateGone: of the charges that a case names and those of its order, all but one
// at most went back, and that one gives its buyer what was paid for. That some refund
// was made is not enough: it may have been the wrong one. Nor is that they are not seen
// as a pair any more: when they are compared again, after a database was restored for
// example, two that stand may each be what its own order asked for. What else its order
// has that is of a case of another kind is not waited for.
func (s *Service) duplicateGone(ctx context.Context, c cases.Case, known store.DispositionsOf) (because string, err error) {
	charges := map[string]store.Became{}
	for _, id := range c.ChargeIDs() {
		charges[id] = known.Charges[id]
	}
	if id, ok := c.OrderID(); ok {
		for _, charge := range known.Orders[id.String()] {
			if became := known.Charges[charge]; became.CaseKind == "" || became.CaseKind == disposition.DuplicateCharge {
				charges[charge] = became
			}
		}
	}
	var disputed []string
	var stand, second int
	for _, id := range slices.Sorted(maps.Keys(charges)) {
		switch became := charges[id]; {
		case became.Kind == disposition.Refunded, became.FullyRefunded:
			because = "charge " + id + " was refunded, and no other of these was paid for nothing"
			continue
		case became.Kind == disposition.Matched, became.Kind == disposition.Recovered:
		case became.Kind == disposition.Duplicate && became.Disputed:
			second++
		default:
			return "", nil
		}
		stand++
		if charges[id].Disputed {
			disputed = append(disputed, id)
		}
	}
	switch {
	case stand < 2 && second == 0:
		return because, nil
	case len(disputed) == 0:
		return "", nil
	}
	taken, err := s.takenBack(ctx, disputed)
	if err != nil || len(taken) == 0 {
		return "", err
	}
	for _, id := range taken {
		if stand--; charges[id].Kind == disposition.Duplicate {
			second--
		}
	}
	if stand > 1 || second > 0 {
		return "", nil
	}
	return "the bank took charge " + taken[0] + " back, and no other of these was paid for nothing", nil
}

// takenBack are those of some charges of which the bank has taken all that was left, as
// Stripe says now: what became of a charge does not say how much of it was disputed.
func (s *Service) takenBack(ctx context.Context, ids []string) (taken []string, err error) {
	found, err := s.Finder.Charges(ctx, clients.ChargesBy{ChargeIDs: ids})
	if err != nil || !found.StripeRead {
		return nil, err
	}
	for _, c := range found.Charges {
		if leftOf(c) <= 0 {
			taken = append(taken, c.ID)
		}
	}
	return taken, nil
}

// leftOf is how much of a charge neither was refunded nor was taken back by the bank.
func leftOf(c clients.FoundCharge) int64 {
	left := c.Seen.GetAmountMinor() - c.Seen.GetRefundedMinor()
	for _, d := range c.Disputes {
		left -= d.LostMinor
	}
	return left
}

// wrongGone: each charge that a case names, or that its order has and that is wrong,
// was refunded, or is what was asked for after all. That the order was refunded is
// not enough: its own charge may have gone back, and this one stands.
func (s *Service) wrongGone(ctx context.Context, c cases.Case, now asked) (because string, err error) {
	wrong := map[string]bool{}
	for _, id := range append(c.ChargeIDs(), standing(c, now.became)...) {
		wrong[id] = true
	}
	if len(wrong) == 0 {
		return s.orderRefunded(ctx, c)
	}
	for _, id := range slices.Sorted(maps.Keys(wrong)) {
		switch became := now.became.Charges[id]; {
		case became.FullyRefunded, now.charges[id].Refunded:
			because = "charge " + id + " was refunded"
		case became.Kind == disposition.Matched, became.Kind == disposition.Recovered:
			if because == "" {
				because = "charge " + id + " is what was asked for, and its buyer has access"
			}
		default:
			return "", nil
		}
	}
	return because, nil
}

// standing are the charges of a case's order for which a sweep opened such a case and
// that did not go back. A wrong one that a person has decided about before this case
// was opened is none.
func standing(c cases.Case, known store.DispositionsOf) (ids []string) {
	id, ok := c.OrderID()
	if !ok {
		return nil
	}
	for _, charge := range known.Orders[id.String()] {
		became := known.Charges[charge]
		if became.CaseKind != disposition.CaseKind(c.Kind) || became.FullyRefunded || c.Kind == cases.WrongCharge && became.DecidedAt.Before(c.OpenedAt) {
			continue
		}
		ids = append(ids, charge)
	}
	return ids
}

// nameAll has the one case of an order name all of its charges that it is about, with
// what is to be done about each: each was reported alone, an event may have reported
// them again with less, and the latest report is what a case says. It says whether it
// did.
func (s *Service) nameAll(ctx context.Context, p *run.Progress, c cases.Case, now asked) bool {
	if c.Kind != cases.WrongCharge && c.Kind != cases.DuplicateCharge {
		return false
	}
	var summaries []string
	told := true
	for _, id := range standing(c, now.became) {
		summary := now.became.Charges[id].CaseSummary
		summaries = append(summaries, summary)
		told = told && strings.Contains(c.Summary, summary)
	}
	if told {
		return false
	}
	all := strings.Join(summaries, "; ")
	for _, id := range c.ChargeIDs() {
		if !strings.Contains(all, id) && !now.became.Charges[id].FullyRefunded && !now.charges[id].Refunded {
			all += "; " + c.Summary // what only somebody else has reported is not lost
			break
		}
	}
	if _, err := s.OpenCase(ctx, c.Kind, c.Subject, all); err != nil {
		fault(ctx, p, fmt.Sprintf("case %d cannot name all of its charges", c.ID), err)
	}
	return true
}

// orderRefunded: a case that names no charge is over with its order.
func (s *Service) orderRefunded(ctx context.Context, c cases.Case) (string, error) {
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

// refundSucceeded: the refund that failed succeeded after all, another of as much of the
// same charge did after it, or all of the money went back, however it did.
func (s *Service) refundSucceeded(ctx context.Context, c cases.Case, charges map[string]clients.ChargeFacts) (string, error) {
	id, ok := c.OrderID()
	if !ok {
		return "", nil
	}
	refunds, err := s.CaseFacts.Refunds(ctx, id)
	if err != nil {
		return "", err
	}
	var owed int64
	var of string
	anyNamed := false
	for _, r := range refunds {
		named := slices.ContainsFunc(r.IDs, func(id string) bool { return strings.Contains(c.Summary, id) })
		anyNamed = anyNamed || named
		switch {
		case named && r.Succeeded:
			return "the refund succeeded", nil
		case named:
			owed, of = r.AmountMinor, r.ChargeID
		case owed > 0 && r.ChargeID == of && r.Succeeded && r.AmountMinor >= owed:
			return "another refund succeeded", nil
		}
	}
	names := c.ChargeIDs()
	switch {
	case len(names) == 0 && !anyNamed:
		return s.orderRefunded(ctx, c) // it could not be made, and was made another way
	case len(names) > 0 && !slices.ContainsFunc(names, func(id string) bool { return !charges[id].Refunded }):
		return "charge " + names[0] + " was refunded in full", nil
	}
	return "", nil
}
