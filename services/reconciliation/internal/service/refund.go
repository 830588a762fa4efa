package service

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/money"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/store"
)

// The steps of a refund.
const (
	stepRefund   = "refund made"
	stepWithdraw = "access withdrawn"
	stepCase     = "case closed"
)

// Refund gives money back: all or a part of what paid an order, or the second of two
// payments, whose case it closes. Errors: desk.ErrOrderNotFound, and those of Payments,
// which refuses what is disputed, too much, or on its way already.
func (s *Service) Refund(ctx context.Context, a desk.Act, orderID string, amountMinor int64, chargeID string) (Acted, error) {
	r := &refunding{
		Service: s, wish: clients.RefundWish{
			OrderID: orderID, ID: a.Key.String(), AmountMinor: amountMinor, ChargeID: chargeID, Reason: a.Reason, DryRun: a.DryRun,
		},
	}
	wish := "" // all that is left goes back once by itself
	if amountMinor > 0 {
		wish = fmt.Sprint(orderID, " ", amountMinor, " ", chargeID)
	}
	return s.act(ctx, a, deed{
		wish:     wish,
		subjects: about([]string{orderID}, []string{chargeID}),
		stands: func(ctx context.Context) any {
			st, err := s.standingOf(ctx, orderID)
			if err != nil {
				return nil
			}
			return st
		},
		do: func(ctx context.Context) (did, error) {
			err := r.run(ctx)
			return did{steps: r.steps, subjects: []string{r.chargeID}}, err
		},
		show: func(ctx context.Context, out *Acted) error { s.showOrder(ctx, orderID, out); return nil },
	})
}

// refunding is one refund on its way.
type refunding struct {
	*Service
	wish     clients.RefundWish
	chargeID string // that the money goes back of
	steps    []desk.Step
}

func (r *refunding) step(what string, outcome desk.Outcome, note string, args ...any) {
	r.steps = append(r.steps, desk.Step{What: what, Outcome: outcome, Note: fmt.Sprintf(note, args...)})
}

func (r *refunding) run(ctx context.Context) error {
	r.steps = nil
	d, err := r.Orders.Standing(ctx, r.wish.OrderID)
	switch {
	case err != nil:
		return err
	case d == nil:
		return desk.ErrOrderNotFound
	}
	r.chargeID = nonEmpty(r.wish.ChargeID, d.GetChargeId())
	second := r.chargeID != d.GetChargeId()
	before, err := r.CaseFacts.Refunds(ctx, uuid.MustParse(r.wish.OrderID))
	if err != nil {
		return err
	}
	// What went back of another charge is no part of what goes back of this one.
	before = slices.DeleteFunc(before, func(x clients.Refund) bool {
		return second && x.ChargeID != r.chargeID || !second && x.ChargeID != ""
	})
	if second && r.wish.AmountMinor == 0 {
		// Taken by two people, it is one refund; one that the bank sent back is over.
		if id := disposition.RefundIDOfSecond(r.chargeID); !failed(before, id) {
			r.wish.ID = id
		}
	}
	refund, err := r.Payments.Refund(ctx, r.wish)
	if err != nil {
		return err
	}
	made := r.judgeRefund(refund, known(before, refund.GetRefundId()), !second && d.GetOrder().GetState() == ordersv1.Order_REFUNDED)
	full := !second && d.GetOrder().GetState() != ordersv1.Order_REFUNDED &&
		refund.GetAmountMinor()+sumOf(before, refund.GetRefundId()) >= d.GetOrder().GetAmountMinor()
	if err := r.withdraw(ctx, d, full, second, made); err != nil {
		return err
	}
	return r.closeDuplicate(ctx, made)
}

// judgeRefund says what became of the refund; gone: the whole charge had gone back by
// other refunds; made: the money is on its way by this one.
func (r *refunding) judgeRefund(refund *paymentsv1.Refund, before, gone bool) (made bool) {
	what := money.Display(refund.GetAmountMinor(), refund.GetCurrency()) + " of charge " + r.chargeID
	if id := refund.GetStripeRefundId(); id != "" {
		what += ", Stripe's " + id
	}
	outcome := desk.Done
	if before {
		outcome, what = desk.NotNeeded, what+", was asked for before"
	}
	switch refund.GetStatus() {
	case paymentsv1.Refund_SUCCEEDED:
		r.step(stepRefund, outcome, "%s", what)
		return true
	case paymentsv1.Refund_PENDING:
		r.step(stepRefund, outcome, "%s; Stripe has taken it on, and waits for the bank", what)
		return true
	case paymentsv1.Refund_FAILED:
		if gone {
			r.step(stepRefund, desk.Failed, "%s was not refunded by this: all of it had gone back by another refund", what)
			return false
		}
		r.step(stepRefund, desk.Failed, "Stripe or the bank refused to refund %s: the money is still with us, and a person has its case", what)
	case paymentsv1.Refund_REQUESTED:
		r.step(stepRefund, desk.Failed, "%s is asked for, and what Stripe did is not known yet; the same again asks once more, and never refunds twice", what)
	default:
		r.step(stepRefund, desk.WouldDo, "%s", what)
	}
	return false
}

// withdraw says what became of the access, and tells Orders once more when it has not
// heard.
func (r *refunding) withdraw(ctx context.Context, d *ordersv1.DescribeOrderResponse, full, second, made bool) error {
	gone := d.GetOrder().GetState() == ordersv1.Order_REFUNDED
	switch {
	case second:
		r.step(stepWithdraw, desk.NotNeeded, "it is not the payment that the order stands on, which is not touched")
		return nil
	case !full && !gone:
		r.step(stepWithdraw, desk.NotNeeded, "a part goes back: the access stays")
		return nil
	case r.wish.DryRun:
		r.step(stepWithdraw, desk.WouldDo, "all of it goes back")
		return nil
	case !made:
		r.step(stepWithdraw, desk.NotNeeded, "not before the money is on its way")
		return nil
	}
	st, err := r.standingOf(ctx, r.wish.OrderID)
	if err != nil {
		return err
	}
	if !st.Withdrawn {
		if restored, err := r.Payments.Restore(ctx, r.chargeID); err == nil && restored.Paid {
			_, err = r.Orders.AdoptForPerson(ctx, restored, nil)
			if err != nil {
				r.Log.WarnContext(ctx, "orders was not told of a refund", "order_id", r.wish.OrderID, "error", err)
			}
		}
		if st, err = r.standingOf(ctx, r.wish.OrderID); err != nil {
			return err
		}
	}
	switch {
	case st.Withdrawn && gone:
		r.step(stepWithdraw, desk.NotNeeded, "it was withdrawn before")
	case st.Withdrawn:
		r.step(stepWithdraw, desk.Done, "all of it went back")
	default:
		r.step(stepWithdraw, desk.Failed, "the money is on its way back, and Provisioning does not show the access withdrawn yet")
	}
	return nil
}

// closeDuplicate closes the case about a second payment when it is one no more.
func (r *refunding) closeDuplicate(ctx context.Context, made bool) error {
	c, open, err := r.Store.OpenCaseOf(ctx, cases.DuplicateCharge, "order/"+r.wish.OrderID)
	if err != nil || !open {
		return err
	}
	if r.wish.DryRun {
		r.step(stepCase, desk.WouldDo, "case %d, if nothing of it is left", c.ID)
		return nil
	}
	because := ""
	if made {
		if because, err = r.duplicateGoneNow(ctx, c); err != nil {
			return err
		}
	}
	if because == "" {
		r.step(stepCase, desk.NotNeeded, "case %d stays open: there is still a payment too many", c.ID)
		return nil
	}
	if _, err := r.closeCase(ctx, c, because); err != nil {
		return err
	}
	r.step(stepCase, desk.Done, "case %d: %s", c.ID, because)
	return nil
}

// duplicateGoneNow asks what a sweep would, of what Stripe shows now.
func (s *Service) duplicateGoneNow(ctx context.Context, c cases.Case) (string, error) {
	id, _ := c.OrderID()
	known, err := s.Store.Became(ctx, c.ChargeIDs(), []string{id.String()})
	if err != nil {
		return "", err
	}
	ids := about(c.ChargeIDs(), known.Orders[id.String()])
	charges, err := s.Payments.Charges(ctx, ids[:min(len(ids), pageSize)])
	if err != nil {
		return "", err
	}
	page := make([]*looked, len(charges))
	for i, charge := range charges {
		page[i] = &looked{facts: disposition.Facts{Charge: charge}}
	}
	if err := s.match(ctx, page); err != nil {
		return "", err
	}
	now := store.DispositionsOf{Charges: map[string]store.Became{}, Orders: known.Orders}
	for _, l := range page {
		decided := disposition.Decide(l.facts)
		became := store.Became{Kind: decided.Kind, FullyRefunded: l.facts.Charge.FullyRefunded(), Disputed: l.facts.Charge.Disputed}
		if decided.Case != nil {
			became.CaseKind = decided.Case.Kind
		}
		now.Charges[l.facts.Charge.ID] = became
	}
	return s.duplicateGone(ctx, c, now)
}

func known(refunds []clients.Refund, id string) bool {
	for _, r := range refunds {
		if len(r.IDs) > 0 && r.IDs[0] == id {
			return true
		}
	}
	return false
}

func failed(refunds []clients.Refund, id string) bool {
	for _, r := range refunds {
		if len(r.IDs) > 0 && r.IDs[0] == id {
			return r.Failed
		}
	}
	return false
}

// sumOf is what the order's other refunds gave back.
func sumOf(refunds []clients.Refund, but string) (minor int64) {
	for _, r := range refunds {
		if !r.Failed && (len(r.IDs) == 0 || r.IDs[0] != but) {
			minor += r.AmountMinor
		}
	}
	return minor
}
