package service

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/disposition"
)

// match finds the orders and the grants of a page, in one question each. When the
// page cannot be matched because of one of its charges, they are asked one by
// one, and those that cannot be matched are in trouble.
func (s *Service) match(ctx context.Context, page []*looked) error {
	return s.matchAll(ctx, page, false)
}

// matchSwept is match for a sweep, which reads again what is in trouble: a charge that is
// alone on its page may be the one to blame.
func (s *Service) matchSwept(ctx context.Context, page []*looked) error {
	return s.matchAll(ctx, page, true)
}

func (s *Service) matchAll(ctx context.Context, page []*looked, blamesOne bool) error {
	err := s.matchTogether(ctx, page)
	switch apperr.CodeOf(err) {
	case codes.OK:
		return nil
	case codes.InvalidArgument, codes.Internal, codes.Unknown:
	default: // Orders or Provisioning is away: no charge is to blame
		return err
	}
	failed := 0
	for _, l := range page {
		if err := s.matchTogether(ctx, []*looked{l}); err != nil {
			l.facts.Trouble, l.facts.Unmatched = "it cannot be matched now: "+said(err), l.facts.Order == nil
			failed++
		}
	}
	if failed == len(page) && !(blamesOne && failed == 1) {
		return err
	}
	return nil
}

func (s *Service) matchTogether(ctx context.Context, page []*looked) error {
	var ours []disposition.Charge
	for _, l := range page {
		if l.facts.Charge.Owner != disposition.NotOurs {
			ours = append(ours, l.facts.Charge)
		}
	}
	if len(ours) == 0 {
		return nil
	}
	orders, err := s.Orders.Match(ctx, ours)
	if err != nil {
		return err
	}
	var ids []string
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	slices.Sort(ids)
	grants := map[string]disposition.Grant{}
	if ids = slices.Compact(ids); len(ids) > 0 {
		if grants, _, err = s.Provisioning.Match(ctx, ids); err != nil {
			return err
		}
	}
	for _, l := range page {
		o, ok := orders[l.facts.Charge.ID]
		if !ok || l.facts.Charge.Owner == disposition.NotOurs {
			l.facts.Order, l.facts.Grant = nil, nil
			continue
		}
		l.facts.Order = &o
		l.facts.Grant = nil
		if g, ok := grants[o.ID]; ok {
			l.facts.Grant = &g
		}
		if o.DuplicateOf != "" {
			l.facts.Order.DuplicateDescription = s.describe(ctx, o.DuplicateOf)
		}
	}
	return s.matchLost(ctx, page)
}

// matchLost finds how much of the charges whose dispute was lost the bank took.
func (s *Service) matchLost(ctx context.Context, page []*looked) error {
	var lost []disposition.Charge
	for _, l := range page {
		if l.facts.Order != nil && l.facts.Order.Dispute == "LOST" {
			lost = append(lost, l.facts.Charge)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	taken, err := s.Store.LostMinor(ctx, lost)
	if err != nil {
		return err
	}
	for _, l := range page {
		l.facts.Charge.LostMinor = taken[l.facts.Charge.ID]
	}
	return nil
}

// describe names the charge and the amount of an order, for a person who must
// choose between two; empty when they cannot be read.
func (s *Service) describe(ctx context.Context, orderID string) string {
	charge, amount, currency, err := s.Orders.PaidBy(ctx, orderID)
	if err != nil || charge == "" {
		return ""
	}
	return fmt.Sprintf("order %s by %s (%s)", orderID, charge, money.Display(amount, currency))
}
