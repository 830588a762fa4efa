package desk

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind names what is the matter, as the contract does.
type Kind string

// What can be the matter, in the order in which it is asked.
const (
	StripeUnreachable Kind = "STRIPE_UNREACHABLE"
	Disputed          Kind = "DISPUTED"
	DuplicateCharge   Kind = "DUPLICATE_CHARGE"
	OrphanCharge      Kind = "ORPHAN_CHARGE"
	StuckOrder        Kind = "STUCK_ORDER"
	PaidNoAccess      Kind = "PAID_NO_ACCESS"
	PaymentPending    Kind = "PAYMENT_PENDING"
	Refunded          Kind = "REFUNDED"
	OrderNoCharge     Kind = "ORDER_NO_CHARGE"
	CompleteNoEmail   Kind = "COMPLETE_NO_EMAIL"
	AllGood           Kind = "ALL_GOOD"
	NoChargeNoOrder   Kind = "NO_CHARGE_NO_ORDER"
	Unclear           Kind = "UNCLEAR"
)

// Diagnosis is what is the matter, about what, and how that is known.
type Diagnosis struct {
	Kind Kind
	// Text says what happened, in plain words and no more than is known.
	Text string
	// OrderID and ChargeID are what it is about; either may be empty.
	OrderID, ChargeID string
	// Adopt: the charge is for a person to adopt rather than to recover; Email is what
	// Stripe has for its payer.
	Adopt bool
	Email string
}

// mailPatience is how long a confirmation may be on its way before that is a
// matter of its own.
const mailPatience = 2 * time.Minute

// question is one thing to ask of a person; it answers with what is the matter,
// or not at all.
type question func(Person) (Diagnosis, bool)

// questions are asked in this order, and the first that fits is the diagnosis:
// what could do harm comes before what is missing, and that before what is well.
var questions = []question{
	unreachable, disputed, duplicate, orphan, stuck, noAccess, pending,
	refunded, noCharge, noEmail, allGood, nothing,
}

// Diagnose says what is the matter.
func Diagnose(p Person) Diagnosis {
	for _, ask := range questions {
		if d, fits := ask(p); fits {
			d.Text = p.aboutNamed(d.Kind) + d.Text
			if len(p.Unread) > 0 {
				d.Text += " Could not be read: " + strings.Join(p.Unread, ", ") + "."
			}
			return d
		}
	}
	return unclear(p)
}

// aboutNamed says of the charge that the words named what the rest does not: that it
// is another product's, or took nothing.
func (p Person) aboutNamed(k Kind) string {
	for _, c := range p.Charges {
		switch {
		case c.ID != p.ChargeNamed || k == NoChargeNoOrder:
		case c.Owner == "FOREIGN":
			return fmt.Sprintf("Charge %s of %s is not of this product: %s. ", c.ID, c.AmountDisplay, c.OwnerReason)
		case c.Status == "FAILED":
			return fmt.Sprintf("Charge %s of %s was refused by the bank: no money was taken by it. ", c.ID, c.AmountDisplay)
		}
	}
	return ""
}

func unreachable(p Person) (Diagnosis, bool) {
	if p.StripeRead {
		return Diagnosis{}, false
	}
	known := "Nothing about this customer is known here."
	if p.unread(UnreadOrders) {
		known = "Our own orders cannot be read either."
	}
	if o, ok := p.focus(); ok {
		known = fmt.Sprintf("Known here: order %s of %s is %s.", o.ReferenceShort, o.AmountDisplay, o.State)
	}
	return Diagnosis{Kind: StripeUnreachable, OrderID: p.focusID(), Text: "Stripe cannot be asked right now, so it is not known whether money was taken. " + known}, true
}

func disputed(p Person) (Diagnosis, bool) {
	for _, o := range p.Orders {
		switch o.Dispute {
		case "OPEN":
			return Diagnosis{Kind: Disputed, OrderID: o.ID, ChargeID: o.ChargeID, Text: fmt.Sprintf("The customer's bank disputes the %s of order %s; it is not decided.%s Access is kept meanwhile.", o.AmountDisplay, o.ReferenceShort, p.answerBy(o.ChargeID))}, true
		case "LOST":
			return Diagnosis{Kind: Disputed, OrderID: o.ID, ChargeID: o.ChargeID, Text: fmt.Sprintf("The dispute of the %s of order %s was lost: the bank has the money, and the access is withdrawn.", o.AmountDisplay, o.ReferenceShort)}, true
		}
	}
	for _, c := range p.Charges {
		if _, known := p.order(c.OrderID); c.Ours() && c.Disputed && !known {
			order := "it has no order here"
			if p.unread(UnreadOrders) {
				order = "its order cannot be read right now"
			}
			return Diagnosis{Kind: Disputed, ChargeID: c.ID, Text: fmt.Sprintf("Charge %s of %s is disputed, and %s.", c.ID, c.AmountDisplay, order)}, true
		}
	}
	return Diagnosis{}, false
}

// answerBy says by when the open dispute of a charge must be answered.
func (p Person) answerBy(chargeID string) string {
	for _, c := range p.Charges {
		for _, d := range c.Disputes {
			if c.ID == chargeID && d.Stands == "OPEN" && !d.AnswerBy.IsZero() {
				return " It must be answered by " + minute(d.AnswerBy) + "."
			}
		}
	}
	return ""
}

// duplicate is a second payment that we hold: never the one that its order was paid
// by, whichever came first.
func duplicate(p Person) (Diagnosis, bool) {
	for _, c := range p.kept() {
		o, known := p.order(c.OrderID)
		i := slices.IndexFunc(p.kept(), func(other Charge) bool { return known && other.ID == o.ChargeID && other.ID != c.ID })
		switch {
		case i >= 0 && o.State != "REFUNDED":
			first := p.kept()[i]
			return Diagnosis{Kind: DuplicateCharge, OrderID: c.OrderID, ChargeID: c.ID, Text: fmt.Sprintf("One order was paid twice: charge %s of %s on %s, and charge %s of %s on %s. The second named is too much; the order stays with the first.",
				first.ID, first.AmountDisplay, minute(first.CreatedAt), c.ID, c.AmountDisplay, minute(c.CreatedAt))}, true
		case c.Disposition == "DUPLICATE":
			return Diagnosis{Kind: DuplicateCharge, OrderID: c.OrderID, ChargeID: c.ID, Text: fmt.Sprintf("Charge %s of %s on %s is a second payment for what the customer had just bought: %s.", c.ID, c.AmountDisplay, minute(c.CreatedAt), c.DispositionReason)}, true
		}
	}
	return Diagnosis{}, false
}

func orphan(p Person) (Diagnosis, bool) {
	if p.unread(UnreadOrders) {
		return Diagnosis{}, false // a charge's order may well be there
	}
	for _, c := range p.Charges {
		if _, known := p.order(c.OrderID); known || !c.Paid || c.RefundedInFull {
			continue
		}
		switch c.Owner {
		case "OURS":
			return Diagnosis{Kind: OrphanCharge, ChargeID: c.ID, OrderID: c.OrderID, Text: fmt.Sprintf("The customer paid: charge %s of %s on %s is ours, and no order of it is left here.", c.ID, c.AmountDisplay, minute(c.CreatedAt))}, true
		case "CLAIMED":
			return Diagnosis{Kind: OrphanCharge, ChargeID: c.ID, Email: c.Email, Adopt: true, Text: fmt.Sprintf("The customer paid at the earlier checkout: charge %s of %s on %s (%s). It becomes access when a person names buyer and plan.", c.ID, c.AmountDisplay, minute(c.CreatedAt), c.OwnerReason)}, true
		}
	}
	return Diagnosis{}, false
}

func stuck(p Person) (Diagnosis, bool) {
	for _, o := range p.Orders {
		paid := o.State == "CHARGED" || o.State == "ORPHANED"
		for _, c := range p.kept() {
			switch o.State {
			case "PENDING", "FAILED", "EXPIRED":
				paid = paid || c.OrderID == o.ID
			}
		}
		if paid {
			return Diagnosis{Kind: StuckOrder, OrderID: o.ID, ChargeID: o.ChargeID, Text: fmt.Sprintf("The customer paid the %s of order %s, and the order is still %s: access is not there yet.", o.AmountDisplay, o.ReferenceShort, o.State)}, true
		}
	}
	return Diagnosis{}, false
}

func noAccess(p Person) (Diagnosis, bool) {
	for _, o := range p.Orders {
		if !o.complete() || !o.AccessRead || o.Access || o.Lapse != "" || !o.AccessUntil.IsZero() && !o.AccessUntil.After(p.Now) {
			continue // what has run out was had
		}
		return Diagnosis{Kind: PaidNoAccess, OrderID: o.ID, ChargeID: o.ChargeID, Text: fmt.Sprintf("Order %s of %s is %s, and there is no access in force for it.", o.ReferenceShort, o.AmountDisplay, o.State)}, true
	}
	return Diagnosis{}, false
}

func pending(p Person) (Diagnosis, bool) {
	o, ok := p.focus()
	if !ok || o.State != "PENDING" || p.doubted(o.ID) {
		return Diagnosis{}, false
	}
	text := fmt.Sprintf("Order %s of %s: Stripe has not said yet whether money was taken. ", o.ReferenceShort, o.AmountDisplay)
	switch o.Waits {
	case "buyer":
		text = fmt.Sprintf("Order %s of %s waits for the customer to finish paying; no money was taken so far. ", o.ReferenceShort, o.AmountDisplay)
	case "bank":
		text = fmt.Sprintf("Order %s of %s waits for the customer's bank, which may take days. ", o.ReferenceShort, o.AmountDisplay)
	}
	if !o.NextLookAt.IsZero() {
		text += "We look again by ourselves by " + minute(o.NextLookAt) + ". "
	}
	if !o.PromisedBy.IsZero() {
		text += "The customer was told that it is known by " + minute(o.PromisedBy) + "."
	}
	return Diagnosis{Kind: PaymentPending, OrderID: o.ID, Text: strings.TrimSpace(text)}, true
}

func refunded(p Person) (Diagnosis, bool) {
	if o, ok := p.focus(); ok && o.State == "REFUNDED" && !p.holds(o.ID) {
		return Diagnosis{Kind: Refunded, OrderID: o.ID, ChargeID: o.ChargeID, Text: fmt.Sprintf("All of the %s of order %s went back (%s), and its access ended with that.", o.AmountDisplay, o.ReferenceShort, references(o))}, true
	}
	return Diagnosis{}, false
}

func noCharge(p Person) (Diagnosis, bool) {
	o, ok := p.focus()
	if !ok || o.State != "FAILED" && o.State != "EXPIRED" || p.doubted(o.ID) {
		return Diagnosis{}, false
	}
	text := fmt.Sprintf("Order %s of %s is %s, and Stripe shows no money taken for it.", o.ReferenceShort, o.AmountDisplay, o.State)
	if o.Refusal != "" {
		text += " The last card was refused: " + o.Refusal
	}
	return Diagnosis{Kind: OrderNoCharge, OrderID: o.ID, Text: text}, true
}

func noEmail(p Person) (Diagnosis, bool) {
	o, ok := p.focus()
	if !ok || !o.complete() || p.unread(UnreadMails) {
		return Diagnosis{}, false
	}
	m, found := p.confirmation(o)
	switch {
	case !found && p.Now.Sub(o.CompletedAt) > mailPatience:
		return Diagnosis{Kind: CompleteNoEmail, OrderID: o.ID, Text: fmt.Sprintf("Order %s has its access, and no confirmation was written.", o.ReferenceShort)}, true
	case found && m.SentAt.IsZero() && (m.State == "FAILED" || p.Now.Sub(m.CreatedAt) > mailPatience):
		text := fmt.Sprintf("Order %s has its access, and its confirmation has not been taken by the mail server", o.ReferenceShort)
		if m.Error != "" {
			text += " (" + m.Error + ")"
		}
		return Diagnosis{Kind: CompleteNoEmail, OrderID: o.ID, Text: text + "."}, true
	}
	return Diagnosis{}, false
}

func allGood(p Person) (Diagnosis, bool) {
	o, ok := p.focus()
	if !ok || !o.complete() {
		return Diagnosis{}, false
	}
	text := fmt.Sprintf("Order %s of %s is paid and has its access", o.ReferenceShort, o.AmountDisplay)
	switch {
	case !o.AccessRead:
		return Diagnosis{}, false
	case o.Access:
		text += " until " + day(o.AccessUntil)
	case o.Lapse != "":
		text = fmt.Sprintf("Order %s of %s is paid, and gives no access now: %s", o.ReferenceShort, o.AmountDisplay, o.Lapse)
	default:
		text = fmt.Sprintf("Order %s of %s was paid, and the access that it bought ran out on %s", o.ReferenceShort, o.AmountDisplay, day(o.AccessUntil))
	}
	if m, found := p.confirmation(o); found && !m.SentAt.IsZero() {
		text += "; the mail about it was handed over on " + minute(m.SentAt)
	}
	if o.RefundedMinor > 0 {
		text += "; " + o.RefundedDisplay + " of it went back"
		if o.NetDisplay != "" {
			text += ", and " + o.NetDisplay + " stays"
		}
	}
	if o.Unpaid != "" {
		text += "; its renewal of " + o.Unpaid + " could not be charged"
	}
	return Diagnosis{Kind: AllGood, OrderID: o.ID, ChargeID: o.ChargeID, Text: text + "."}, true
}

func nothing(p Person) (Diagnosis, bool) {
	if len(p.Orders) > 0 || p.unread(UnreadOrders) {
		return Diagnosis{}, false
	}
	foreign := 0
	for _, c := range p.Charges {
		if c.Owner != "FOREIGN" {
			return Diagnosis{}, false
		}
		foreign++
	}
	text := "Neither an order nor a charge of ours was found by what the customer gave."
	if foreign > 0 {
		text += fmt.Sprintf(" Charges on the same Stripe account that are not of this product: %d.", foreign)
	}
	return Diagnosis{Kind: NoChargeNoOrder, Text: text}, true
}

// unclear is what no rule fits: it says what there is and leaves it to a person.
func unclear(p Person) Diagnosis {
	d := Diagnosis{Kind: Unclear, OrderID: p.focusID()}
	var have []string
	if o, ok := p.focus(); ok {
		have = append(have, fmt.Sprintf("order %s is %s", o.ReferenceShort, o.State))
	}
	for _, c := range p.Charges {
		if c.Owner != "FOREIGN" {
			d.ChargeID = c.ID
			known := fmt.Sprintf("charge %s of %s is %s: %s", c.ID, c.AmountDisplay, strings.ToLower(c.Owner), c.OwnerReason)
			if c.DispositionReason != "" && c.DispositionReason != c.OwnerReason {
				known += ", and " + c.DispositionReason
			}
			have = append(have, known)
		}
	}
	if len(p.Unread) > 0 {
		have = append(have, "could not be read: "+strings.Join(p.Unread, ", "))
	}
	if len(have) == 0 {
		have = []string{"nothing"}
	}
	d.Text = "No rule fits what was found: " + strings.Join(have, "; ") + "."
	return d
}

func (p Person) focusID() string {
	o, _ := p.focus()
	return o.ID
}

// unread: that could not be read, so what is missing of it means nothing.
func (p Person) unread(what string) bool { return slices.Contains(p.Unread, what) }

// How Person.Unread names what could not be read.
const (
	UnreadOrders  = "the orders"
	UnreadCharges = "the charges"
	UnreadRefunds = "the refunds"
	UnreadEvents  = "Stripe's events"
	UnreadMails   = "the mails"
	UnreadAccess  = "the access"
	// UnreadDispositions: what the charges are was not decided.
	UnreadDispositions = "what a sweep would make of the charges"
	CutOrders          = "older orders, of which there are more than are shown"
	CutCharges         = "all of the charges in question, which are too many"
)

func (o Order) complete() bool { return o.State == "COMPLETE" || o.State == "RECOVERED" }

func references(o Order) string {
	if len(o.RefundReferences) == 0 {
		return "Stripe's reference is not known here"
	}
	return "Stripe's reference: " + strings.Join(o.RefundReferences, ", ")
}

func minute(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

func day(t time.Time) string { return t.UTC().Format("2 January 2006") + " (UTC)" }
