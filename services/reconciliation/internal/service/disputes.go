package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

// disputeEnds is the cursor that says when all disputes were read that may have been
// decided since.
const disputeEnds = "dispute-ends"

// followOldDisputes reads the disputes of the deep pass's window again as often as
// that is read: a bank decides weeks after a dispute was made, where the cursor over
// disputes has long passed, and the event about it may never come.
func (s *Service) followOldDisputes(ctx context.Context, w *sweep) error {
	now := s.now()
	last, known, err := s.Store.Cursor(ctx, disputeEnds)
	if err == nil && known && now.Sub(last) < s.Settings.DeepPassEvery {
		return nil
	}
	if err == nil {
		_, err = s.readWindow(ctx, w, list{page: s.changePage(clients.Disputes)},
			now.Add(-s.Settings.DeepPassWindow).Truncate(time.Second), now.Truncate(time.Second).Add(time.Second))
	}
	if err == nil {
		err = s.Store.MoveCursor(ctx, disputeEnds, now, now)
	}
	if err != nil {
		fault(ctx, w.progress, "it cannot be read which older disputes are decided; the next run reads them", err)
		return fmt.Errorf("read %s: %w", disputeEnds, err)
	}
	return nil
}

// disputeOver: the bank has decided, at Stripe there is none left to answer, and Orders
// has done what follows. What Orders says may still be of an earlier dispute; so Stripe
// is asked, but only then.
func (s *Service) disputeOver(ctx context.Context, c cases.Case) (string, error) {
	id, ok := c.OrderID()
	if !ok {
		return "", nil
	}
	o, err := s.CaseFacts.Order(ctx, id)
	if err != nil || o == nil || o.ChargeID == "" {
		return "", err
	}
	if slices.ContainsFunc(c.ChargeIDs(), func(charge string) bool { return charge != o.ChargeID }) {
		return "", nil // of a second charge: its order does not say how that one ended
	}
	because := ""
	switch {
	case o.Dispute == "WON":
		because = "the dispute is over: the money stays here, and so does the access"
	case o.Dispute == "LOST" && o.Withdrawn:
		because = "the dispute was lost, and the access is withdrawn"
	default:
		return "", nil
	}
	found, err := s.Finder.Charges(ctx, clients.ChargesBy{ChargeIDs: []string{o.ChargeID}})
	if err != nil || !found.StripeRead || len(found.Charges) != 1 ||
		slices.ContainsFunc(found.Charges[0].Disputes, func(d desk.Dispute) bool { return d.Stands == "OPEN" }) {
		return "", err
	}
	return because, nil
}

// warningOver: what was warned of has come, which is a case of its own, or cannot come
// any more.
func (s *Service) warningOver(ctx context.Context, c cases.Case) (string, error) {
	id, ok := c.OrderID()
	if !ok {
		return "", nil
	}
	o, err := s.CaseFacts.Order(ctx, id)
	switch {
	case err != nil || o == nil || o.IntentID == "" || !strings.Contains(c.Summary, o.IntentID):
		return "", err
	case o.Refunded:
		return "the money went back", nil
	case o.Dispute != "":
		return "the charge was disputed: that has a case of its own", nil
	}
	return "", nil
}
