package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/tracing"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/disposition"
)

// mendAll takes the step of each charge that has one, and looks at them again.
func (s *Service) mendAll(ctx context.Context, w *sweep, page []*looked) error {
	if len(page) == 0 || w.dry {
		return nil
	}
	each(page, func(l *looked) {
		l.withdrawn = l.facts.LostWithdrawal()
		if ctx.Err() == nil {
			s.mend(ctx, w, l)
		}
	})
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := s.matchSwept(ctx, page); err != nil {
		return err
	}
	for _, l := range page {
		l.decision = disposition.Decide(l.facts)
		// One whose dispute was lost is at rest, and has no access.
		l.withdrawn = l.withdrawn && l.facts.Grant != nil && l.facts.Grant.Revoked
		l.mended = l.facts.Trouble == "" && l.decision.HasAccess() && l.facts.Order.Dispute != "LOST"
	}
	return nil
}

// mend has a charge's order advanced, or Payments and Orders hear of the charge: in a
// trace of its own, because a sweep may mend many.
func (s *Service) mend(ctx context.Context, w *sweep, l *looked) {
	var failed error
	ctx, span := tracing.Begin(ctx, "charge to mend", trace.SpanKindInternal)
	defer func() { tracing.End(span, failed) }()
	f := &l.facts
	trouble := func(what string, err error) {
		failed = err
		f.Trouble = what + ": " + said(err)
		fault(ctx, w.progress, fmt.Sprintf("charge %s: %s; %s", f.Charge.ID, l.decision.Reason, what), err)
	}
	if l.decision.Step == disposition.Advance {
		if _, err := s.Orders.Advance(ctx, f.Order.ID); err != nil {
			trouble("the order cannot be advanced now", err)
			return
		}
		f.Advanced = true
		return
	}
	r, err := s.Payments.Restore(ctx, f.Charge.ID)
	switch {
	case err != nil:
		trouble("Payments cannot read it now", err)
		return
	case r.Missing != "":
		f.CannotAdopt = r.Missing
		return
	case !r.Paid:
		trouble("Payments cannot write it down", errors.New("it is not paid, Stripe says"))
		return
	}
	var until *time.Time
	if l.previous != nil {
		until = l.previous.AccessUntil
	}
	_, err = s.Orders.Adopt(ctx, r, until)
	if why := clients.CannotAdopt(err); why != "" {
		f.CannotAdopt = why
		return
	}
	if err != nil {
		trouble("Orders cannot hear of it now", err)
		return
	}
	f.Told, f.Charge.Recorded, f.Charge.RefundedMinor = true, true, max(f.Charge.RefundedMinor, r.RefundedMinor)
}
