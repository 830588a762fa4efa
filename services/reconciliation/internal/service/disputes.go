package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/balance"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store"
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
		err = s.readWindow(ctx, w, list{page: s.changePage(clients.Disputes)},
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

// saveDisputes keeps a page of disputes, for the report, and answers with the charges of
// ours of which one took a part: what they are rests on how much that was.
func (s *Service) saveDisputes(ctx context.Context, page []balance.Dispute) (lostInPart []string, err error) {
	if len(page) == 0 {
		return nil, nil
	}
	if err := s.Store.SaveDisputes(ctx, s.now(), page); err != nil {
		return nil, err
	}
	ids := make([]string, len(page))
	for i, d := range page {
		ids[i] = d.ID
	}
	return s.Store.LostInPart(ctx, ids)
}

// askAboutDisputes has a person asked about those of a page that Payments asks nobody
// about because it does not have the charge (a second one of an order, one that cannot be
// adopted, one of the checkout that was there before), and about those of which it has
// asked, and no case says so: a backup of our own that was restored has none, and Payments
// does not ask twice.
func (s *Service) askAboutDisputes(ctx context.Context, w *sweep, page []balance.Dispute) error {
	open, ids := map[string]balance.Dispute{}, []string(nil)
	for _, d := range page {
		if d.Stands == "OPEN" {
			open[d.ID], ids = d, append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	untold, err := s.Store.UntoldDisputes(ctx, ids)
	if err != nil || len(untold) == 0 {
		return err
	}
	// How the charge is known now: it may have become ours, or be known to Payments, since.
	var charges []string
	for _, u := range untold {
		charges = append(charges, u.ChargeID)
	}
	unread, looked := s.lookAgain(ctx, w, charges)
	recorded, err := s.Payments.Recorded(ctx, charges)
	if err == nil {
		untold, err = s.Store.UntoldDisputes(ctx, ids)
	}
	if err != nil {
		return err
	}
	var told []string
	for _, u := range untold {
		if slices.Contains(unread, u.ChargeID) {
			continue // the page counts as not read, and the next run asks
		}
		if u.Owner == "" {
			continue // its charge took no money, or Stripe does not show it
		}
		switch {
		case u.Owner == disposition.NotOurs:
		case !recorded[u.ChargeID]:
			err = s.askAboutDispute(ctx, u, open[u.ID], "which Payments does not have")
		case u.OrderID != "":
			var asked bool
			if asked, err = s.Store.HasCaseSince(ctx, cases.Dispute, aboutOrder(u.OrderID), open[u.ID].CreatedAt); err == nil && !asked {
				err = s.askAboutDispute(ctx, u, open[u.ID], "and no case says so")
			}
		}
		if err != nil {
			return err
		}
		told = append(told, u.ID)
	}
	return errors.Join(looked, s.Store.NoteDisputesTold(ctx, told))
}

func aboutOrder(id string) string { return "order/" + id }

// askAboutDispute opens the case of a dispute, and says why it does. One that is open
// about the same order keeps what it says of another charge.
func (s *Service) askAboutDispute(ctx context.Context, u store.Untold, d balance.Dispute, why string) error {
	subject := "charge/" + u.ChargeID
	if u.OrderID != "" {
		subject = aboutOrder(u.OrderID)
	}
	known, is, err := s.Store.OpenCaseOf(ctx, cases.Dispute, subject)
	if err != nil || is && slices.Contains(known.ChargeIDs(), u.ChargeID) {
		return err
	}
	summary := fmt.Sprintf("%s of charge %s is disputed (%s), %s: answer it at Stripe", money.Display(d.AmountMinor, d.Currency), u.ChargeID, d.Reason, why)
	if !d.AnswerBy.IsZero() {
		summary += " by " + d.AnswerBy.Format("2 January 2006, 15:04 UTC")
	}
	if summary += ", do not refund"; is {
		summary = known.Summary + "; " + summary
	}
	_, err = s.OpenCase(ctx, cases.Dispute, subject, summary)
	return err
}

// disputeOver: the bank has decided, at Stripe there is none left to answer, and Orders
// has done what follows. What Orders says may still be of an earlier dispute; so Stripe
// is asked, but only then. Of a charge that is not its order's, or has none, nothing
// follows there. One that was lost for a part of the charge is over when the rest went
// back, too.
func (s *Service) disputeOver(ctx context.Context, c cases.Case) (string, error) {
	var o *clients.OrderFacts
	id, ofOrder := c.OrderID()
	if ofOrder {
		var err error
		if o, err = s.CaseFacts.Order(ctx, id); err != nil || o == nil {
			return "", err
		}
	}
	named := c.ChargeIDs()
	if o != nil && o.ChargeID != "" && len(named) == 0 {
		named = []string{o.ChargeID}
	}
	because := "the dispute is over"
	if o != nil && slices.Contains(named, o.ChargeID) {
		switch {
		case o.Dispute == "WON":
			because = "the dispute is over: the money stays here, and so does the access"
		case o.Dispute == "LOST" && o.Withdrawn:
			because = "the dispute was lost, and the access is withdrawn"
		default:
			return "", nil
		}
	}
	if len(named) == 0 {
		return "", nil
	}
	found, err := s.Finder.Charges(ctx, clients.ChargesBy{ChargeIDs: named})
	if err != nil || !found.StripeRead || len(found.Charges) != len(named) {
		return "", err
	}
	for _, charge := range found.Charges {
		own := o != nil && charge.ID == o.ChargeID
		if len(charge.Disputes) == 0 && !own || slices.ContainsFunc(charge.Disputes, func(d desk.Dispute) bool { return d.Stands == "OPEN" }) {
			return "", nil
		}
		if own && o.Dispute == "LOST" && leftOf(charge) > 0 {
			return "", nil
		}
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
