package mail

import "fmt"

// refundWords is the part of the catalogue that is about money on its way back.
func (b Brand) refundWords(w *Words, f Facts) {
	w.Subject = fmt.Sprintf("Your refund for %s order %s", b.AppName, f.ReferenceShort)
	w.Heading = "Your refund is on its way"
	w.Paragraphs = []string{
		fmt.Sprintf("In all, %s of your payment of %s is on its way back to the card or account you paid with.", f.RefundedDisplay, f.AmountDisplay),
	}
	ends := fmt.Sprintf("The access to %s that this order paid for ends with it.", b.AppName)
	if f.Kind == "DUPLICATE_REFUNDED" {
		w.Subject = fmt.Sprintf("Your second payment to %s is on its way back, order %s", b.AppName, f.ReferenceShort)
		w.Heading = "Your second payment is on its way back"
		w.Paragraphs = []string{
			"You had paid twice for the same, so we have sent the second payment back.",
			fmt.Sprintf("Of its %s, %s is on its way to the card or account you paid with.", f.AmountDisplay, f.RefundedDisplay),
		}
		if f.AccessEnds { // all of it went back
			w.Paragraphs[1] = fmt.Sprintf("All of its %s is on its way to the card or account you paid with.", f.AmountDisplay)
		}
		ends = "Your first payment stays, and so does the access that it paid for. Only what the second payment had added ends with its refund."
	}
	w.Paragraphs = append(w.Paragraphs,
		fmt.Sprintf("Banks usually take %s until it shows on your statement; how long it takes is in their hands. There is nothing for you to do.", b.RefundDays))
	if f.AccessEnds {
		w.Paragraphs = append(w.Paragraphs, ends)
	}
	if s := f.Subscription; f.AccessEnds && s != nil && s.WillRenew() {
		w.Paragraphs = append(w.Paragraphs, "A refund does not cancel a subscription: as it stands, yours renews by itself and is charged again. To cancel it, answer this mail.")
	}
	w.Rows = []Row{{"Plan", f.PlanName}, {"Paid", f.AmountDisplay}, {"Refunded so far", f.RefundedDisplay}}
	if f.NetDisplay != "" {
		w.Rows = append(w.Rows, Row{"What you have paid after that", f.NetDisplay})
	}
	w.Rows = append(w.Rows, Row{"Order reference", f.ReferenceShort})
	if len(f.Refunds) == 1 {
		w.Rows = append(w.Rows, Row{"Refund reference", f.Refunds[0].Reference})
	} else {
		for _, r := range f.Refunds {
			w.Rows = append(w.Rows, Row{"Refund reference", fmt.Sprintf("%s (%s)", r.Reference, r.AmountDisplay)})
		}
	}
	if len(f.Refunds) > 0 {
		w.Note = "The refund reference is what our payment provider, Stripe, calls the refund. Mention it when you ask us about it."
	}
}
