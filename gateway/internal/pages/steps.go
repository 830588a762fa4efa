package pages

import (
	"html/template"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// step is one thing that is known about an order.
type step struct {
	// Mark is done, now, later or stopped.
	Mark   string
	Text   string
	Detail []template.HTML
}

// Said is the mark in words, for whoever does not see it.
func (s step) Said() string {
	w := text.Steps
	return map[string]string{"done": w.Done, "now": w.Now, "later": w.Later, "stopped": w.Stopped}[s.Mark]
}

// stepsOf lists what Orders said, in the order in which things happen. Mail is
// not among them: Orders does not know what a mail server accepted.
func stepsOf(order *ordersv1.Order, s situation) []step {
	w := text.Steps
	amount := escaped(order.GetAmountDisplay())
	steps := []step{newStep("done", w.Ordered, moment(order.GetCreatedAt()))}
	add := func(mark, text string, detail ...template.HTML) {
		steps = append(steps, newStep(mark, text, detail...))
	}
	received := func() {
		if nothingToPay(order) {
			add("done", w.PaymentNotDue, amount)
			return
		}
		add("done", w.PaymentReceived, amount, moment(order.GetChargedAt()))
	}

	switch s {
	case unreachable:
		return nil
	case checking, checkingLate:
		add("now", w.PaymentChecked, amount)
		add("later", w.Access)
	case held:
		add("now", w.PaymentHeld)
		add("later", w.Access)
	case buyerMustAct, payElsewhere:
		add("now", w.PaymentWaits, amount)
		add("later", w.Access)
	case declined:
		add("stopped", w.PaymentDeclined)
	case nothingCharged:
		add("stopped", w.PaymentNone)
	case settingUp, settingUpLate:
		received()
		add("now", w.AccessSetUp)
	case extending, extendingLate:
		received()
		add("now", w.TermAdded)
	case ready, readyLate, renewed:
		received()
		add("done", w.AccessReady, untilDay(order))
	case accessEnded:
		received()
		add("stopped", w.AccessEnded, day(order.GetAccessUntil()))
	case refunding:
		received()
		add("done", w.RefundAsked, moment(order.GetRefundAskedAt()))
		add("now", w.RefundMade, amount)
		if order.GetCompletedAt() != nil {
			add("stopped", w.AccessEnds)
		}
	case refundFailed:
		received()
		if order.GetCompletedAt() != nil {
			add("done", w.AccessReady, untilDay(order))
		}
		add("done", w.RefundAsked, moment(order.GetRefundAskedAt()))
		add("now", w.RefundHeld, amount)
	case refunded:
		received()
		if order.GetRefundAskedAt() != nil {
			add("done", w.RefundAsked, moment(order.GetRefundAskedAt()))
		}
		add("done", w.Refunded, amount)
		if order.GetCompletedAt() != nil {
			add("stopped", w.AccessEnded)
		}
	}
	return steps
}

func newStep(mark, text string, detail ...template.HTML) step {
	s := step{Mark: mark, Text: text}
	for _, d := range detail {
		if d != "" {
			s.Detail = append(s.Detail, d)
		}
	}
	return s
}

func untilDay(order *ordersv1.Order) template.HTML {
	if order.GetAccessUntil() == nil {
		return ""
	}
	return fill(text.Steps.AccessUntil, values{"day": day(order.GetAccessUntil())})
}
