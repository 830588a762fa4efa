package mail

import "fmt"

// waitingWords is the part of the catalogue for somebody who has paid, or may
// have, and has nothing to show for it yet.
func (b Brand) waitingWords(w *Words, f Facts) {
	w.Rows = []Row{{"Plan", f.PlanName}, {"Amount", f.AmountDisplay}}
	if !f.ChargedAt.IsZero() {
		w.Rows = append(w.Rows, Row{"Payment received", minute(f.ChargedAt)})
	}
	w.Rows = append(w.Rows, Row{"Order reference", f.ReferenceShort})
	if f.StatusURL != "" {
		w.Action = &Link{"See how your order stands", f.StatusURL}
	}
	switch f.Kind {
	case "STILL_WORKING":
		w.Subject = fmt.Sprintf("We have your payment and are still setting up your access, %s order %s", b.AppName, f.ReferenceShort)
		w.Heading = "We have your payment"
		w.Paragraphs = []string{
			fmt.Sprintf("Your payment of %s arrived and is applied to your order. Your access to %s is not ready yet: we are still setting it up, and we are sorry that it takes longer than it should.", f.AmountDisplay, b.AppName),
			"There is nothing for you to do, and please do not pay again. Your order goes on by itself.",
			whenReady(f),
		}
	case "REFUND_OFFER":
		w.Subject = fmt.Sprintf("Your %s access is late: you can wait, or have your money back, order %s", b.AppName, f.ReferenceShort)
		w.Heading = "Your access is late, and we are sorry"
		late := fmt.Sprintf("Your access to %s should be ready by now, and it is not.", b.AppName)
		if !f.MissedBy.IsZero() {
			late = fmt.Sprintf("We said that your access to %s would be ready by %s. It was not.", b.AppName, byMinute(f.MissedBy))
		}
		w.Paragraphs = []string{
			late + fmt.Sprintf(" Your payment of %s arrived and is applied to your order; the delay is ours to answer for, and we are sorry.", f.AmountDisplay),
			"If you would like to wait, there is nothing for you to do: your order goes on by itself. " + whenReady(f),
			fmt.Sprintf("If you would rather have your money back, it is yours: the link below refunds all of the %s. The offer stands until %s. Should your access be ready before you take it, you may still do so; your access then ends with the refund.", f.AmountDisplay, day(f.RefundUntil)),
		}
		w.Action = &Link{"Look at the refund", f.RefundURL}
		w.Note = "Nothing is refunded before you confirm it on that page. The link is meant for you alone."
	case "REPEAT_REFUSED":
		w.Subject = fmt.Sprintf("You have already ordered this: %s order %s", b.AppName, f.ReferenceShort)
		w.Heading = "You need not pay a second time"
		stands := "was still being checked with our payment provider"
		if !f.ChargedAt.IsZero() {
			stands = "was paid on " + minute(f.ChargedAt)
		}
		when := "Soon after your order " + f.ReferenceShort
		if f.Renews && !f.ChargedAt.IsZero() { // which may have been long ago
			when = "While the subscription of your order " + f.ReferenceShort + " goes on"
		}
		w.Paragraphs = []string{
			fmt.Sprintf("%s, the same was ordered once more with your address. We did not take that second order, and nothing was charged for it, because the first %s.", when, stands),
			"If that was you: there is nothing for you to do. If you do want it a second time, say so at the checkout, or answer this mail.",
			"If it was not you: whoever tried was told nothing about you or your order.",
		}
	}
}

// whenReady says by when the reader has access, as the page does: should that pass, the
// next mail says that we said so.
func whenReady(f Facts) string {
	if f.PromiseBy.After(f.Now) {
		return fmt.Sprintf("Your access will be ready by %s, and we write to you as soon as it is.", byMinute(f.PromiseBy))
	}
	return "We write to you as soon as your access is ready."
}
