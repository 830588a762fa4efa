package desk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// TimelineEntry is one thing that happened, in plain words.
type TimelineEntry struct {
	At time.Time
	// Source is one of the sources below.
	Source  string
	Text    string
	Subject string
	// Actor is who did it, when a person of the team did.
	Actor string
}

// The sources of what happened.
const (
	FromOrder   = "order"
	FromStripe  = "stripe"
	FromEvent   = "event"
	FromMail    = "mail"
	FromAccess  = "access"
	FromCase    = "case"
	FromTicket  = "ticket"
	FromSupport = "support"
)

// Timeline is everything that happened to a person, oldest first.
func Timeline(p Person) []TimelineEntry {
	t := &timeline{now: p.Now}
	for _, o := range p.Orders {
		t.order(o)
	}
	for _, c := range p.Charges {
		t.charge(c)
	}
	for _, e := range p.Events {
		t.event(e)
	}
	for _, m := range p.Mails {
		t.mail(p, m)
	}
	for _, c := range p.Cases {
		t.aCase(c)
	}
	for _, k := range p.Tickets {
		t.ticket(k)
	}
	for _, a := range p.Acts {
		t.act(a)
	}
	slices.SortStableFunc(t.entries, func(a, b TimelineEntry) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(slices.Index(causes, a.Source), slices.Index(causes, b.Source)))
	})
	return t.entries
}

// causes is the order of what happened at the same moment: Stripe counts whole
// seconds, and what it did comes before what followed from it.
var causes = []string{FromStripe, FromEvent, FromOrder, FromAccess, FromMail, FromCase, FromTicket, FromSupport}

type timeline struct {
	now     time.Time
	entries []TimelineEntry
}

func (t *timeline) add(at time.Time, source, subject, actor, format string, args ...any) {
	if at.IsZero() {
		return // not known to have happened
	}
	t.entries = append(t.entries, TimelineEntry{At: at, Source: source, Subject: subject, Actor: actor, Text: fmt.Sprintf(format, args...)})
}

// became says what an order's state means, in its history.
var became = map[string]string{
	"PENDING":   "waits for its payment",
	"CHARGED":   "is paid: Stripe's confirmation was recorded",
	"COMPLETE":  "is complete: access was given and the mail about it queued",
	"RECOVERED": "is recovered: access was given, late, and the mail about it queued",
	"FAILED":    "failed: the payment was refused",
	"EXPIRED":   "expired: its payment was canceled at Stripe",
	"ORPHANED":  "was made from a charge that had none",
	"REFUNDED":  "is refunded: its money went back",
}

// by says who or what made a change.
var by = map[string]string{
	"request": "by the customer's own request", "rescue": "by its own look", "webhook": "by Stripe's webhook",
	"reconciliation": "by reconciliation", "support": "by support",
}

func (t *timeline) order(o Order) {
	for _, h := range o.History {
		text, known := became[h.To]
		switch {
		case h.From == "" && h.To == "PENDING":
			text = fmt.Sprintf("was placed: %s for %s", o.PlanName, o.AmountDisplay)
		case h.From == h.To:
			text = "stays " + h.To
		case !known:
			text = "is " + h.To
		}
		if how := by[h.Reason]; how != "" {
			text += ", " + how
		}
		if h.Why != "" {
			text += " (" + h.Why + ")"
		}
		actor, person := strings.CutPrefix(h.By, "support:")
		if !person {
			actor = ""
		}
		t.add(h.At, FromOrder, o.ID, actor, "Order %s %s.", o.ReferenceShort, text)
	}
	if o.AccessFrom.Equal(o.AccessUntil) {
		o.AccessFrom = time.Time{}
	}
	t.add(o.AccessFrom, FromAccess, o.ID, "", "Access of order %s begins; it was given until %s.", o.ReferenceShort, day(o.AccessUntil))
	t.add(o.AccessTaken, FromAccess, o.ID, "", "Access of order %s was withdrawn.", o.ReferenceShort)
	if o.AccessTaken.IsZero() && !o.AccessUntil.After(t.now) {
		t.add(o.AccessUntil, FromAccess, o.ID, "", "Access of order %s ran out.", o.ReferenceShort)
	}
	for _, r := range o.Refunds {
		source := FromStripe
		if r.ID == "" { // Stripe has not answered yet
			source = FromOrder
		}
		t.refund(r, source, o.ID, "of order "+o.ReferenceShort)
	}
}

func (t *timeline) charge(c Charge) {
	what := c.AmountDisplay
	if c.Last4 != "" {
		what += ", card or account ending in " + c.Last4
	}
	whose := ""
	switch c.Owner {
	case "FOREIGN":
		whose = " It is not of this product: " + c.OwnerReason + "."
	case "CLAIMED":
		whose = " It is of the earlier checkout: " + c.OwnerReason + "."
	case "UNCLEAR":
		whose = " Whose it is is not clear: " + c.OwnerReason + "."
	}
	switch c.Status {
	case "FAILED":
		why := ""
		if c.Failure != "" {
			why = ": " + strings.TrimSuffix(c.Failure, ".")
		}
		t.add(c.CreatedAt, FromStripe, c.ID, "", "The bank refused a charge of %s%s. No money was taken by it.%s", what, why, whose)
	case "PENDING":
		t.add(c.CreatedAt, FromStripe, c.ID, "", "A charge of %s was begun, and the bank has not decided.%s", what, whose)
	default:
		did := "took the money"
		if !c.Paid {
			did = "reserved the money and has not taken it"
		}
		t.add(c.CreatedAt, FromStripe, c.ID, "", "Stripe %s: %s.%s", did, what, whose)
	}
	for _, r := range c.Refunds {
		if !r.InOrder {
			t.refund(r, FromStripe, c.ID, "of charge "+c.ID)
		}
	}
	for _, d := range c.Disputes {
		text := fmt.Sprintf("The customer's bank disputes %s of charge %s", d.AmountDisplay, c.ID)
		if d.Reason != "" {
			text += " (" + d.Reason + ")"
		}
		switch {
		case d.Stands != "OPEN":
			text += "; it was " + strings.ToLower(d.Stands)
			if d.Stands == "LOST" && d.LostDisplay != d.AmountDisplay {
				text += " for " + d.LostDisplay
			}
		case !d.AnswerBy.IsZero():
			text += "; it must be answered by " + minute(d.AnswerBy)
		}
		t.add(d.At, FromStripe, d.ID, "", "%s.", text)
	}
}

// stands says how far a refund is.
var stands = map[string]string{
	"REQUESTED": "was asked for; Stripe has not answered", "PENDING": "was made, and waits for the bank",
	"SUCCEEDED": "was made", "FAILED": "failed: the money is still with us",
}

func (t *timeline) refund(r Refund, source, subject, of string) {
	text := fmt.Sprintf("A refund of %s %s %s", r.AmountDisplay, of, stands[r.Status])
	if r.Reason != "" {
		text += " (" + r.Reason + ")"
	}
	actor := r.Actor
	if actor == "buyer" || actor == "system" {
		actor = ""
	}
	t.add(r.At, source, cmp.Or(r.ID, subject), actor, "%s.", text)
}

func (t *timeline) event(e Event) {
	text := fmt.Sprintf("Stripe told us of %s", e.Type)
	switch e.Status {
	case "PROCESSED":
		text += "; it was handled"
	case "IGNORED":
		text += "; nothing followed from it"
	case "ORPHANED":
		text += "; nobody was found whom it is for"
	case "FAILED":
		text += "; it could not be handled yet, and is tried again"
	case "QUARANTINED":
		text += "; it is kept for a person"
	default:
		text += "; it is being handled"
	}
	if e.Error != "" && e.Status != "PROCESSED" {
		text += " (" + e.Error + ")"
	}
	t.add(e.ReceivedAt, FromEvent, e.ID, "", "%s.", text)
}

// about says what a message to a customer is about.
var about = map[string]string{
	"CONFIRMATION": "confirmation", "RECOVERY": "confirmation with an apology", "PAYMENT_FAILED": "word that nothing was charged",
	"REFUND": "word about the refund", "RENEWED": "confirmation of the renewal", "ACTION_REQUIRED": "request to authenticate the renewal",
	"ACCESS_ENDING": "word that access ends", "STILL_WORKING": "word that we have the payment and are setting up", "REFUND_OFFER": "offer of a refund",
	"REPEAT_REFUSED": "word that the same was bought already", "DUPLICATE_REFUNDED": "word that the second payment goes back",
	"SUPPORT_REPLY": "reply of a person on support",
}

func (t *timeline) mail(p Person, m Mail) {
	o, _ := p.order(m.OrderID)
	what := about[m.Kind]
	if what == "" {
		what = strings.ToLower(strings.ReplaceAll(m.Kind, "_", " ")) + " mail"
	}
	if m.OrderID != "" { // a reply may be about none
		what += " for order " + o.ReferenceShort
	}
	subject := cmp.Or(m.ID, m.OrderID)
	switch {
	case !m.SentAt.IsZero():
		t.add(m.SentAt, FromMail, subject, "", "The mail server took the %s.", what)
	case m.State == "SUPERSEDED":
		t.add(m.CreatedAt, FromMail, subject, "", "The %s was not sent: it was no longer true.", what)
	case m.State == "FAILED":
		t.add(m.CreatedAt, FromMail, subject, "", "The %s could not be delivered (%s).", what, cmp.Or(m.Error, "no reason is known"))
	default:
		t.add(m.CreatedAt, FromMail, subject, "", "The %s was queued, and the mail server has not taken it yet.", what)
	}
}

func (t *timeline) ticket(k Ticket) {
	t.add(k.OpenedAt, FromTicket, k.Name(), k.OpenedBy, "Ticket %d: the customer wrote %q.", k.ID, k.Subject)
	if k.ResolvedAt != nil {
		t.add(*k.ResolvedAt, FromTicket, k.Name(), k.ResolvedBy, "Ticket %d was resolved: %s", k.ID, k.Resolution)
	}
}

func (t *timeline) aCase(c Case) {
	name := fmt.Sprintf("Case %d (%s)", c.ID, strings.ToLower(strings.ReplaceAll(c.Kind, "_", " ")))
	subject := fmt.Sprint(c.ID)
	if len(c.Happened) == 0 {
		t.add(c.OpenedAt, FromCase, subject, "", "%s was opened: %s", name, c.Summary)
	}
	for _, h := range c.Happened {
		text, actor := name+" was "+h.What, h.Actor
		if actor == "system" {
			actor = ""
		}
		if h.Note != "" {
			text += ": " + h.Note
		}
		t.add(h.At, FromCase, subject, actor, "%s", text)
	}
}

func (t *timeline) act(a Audited) {
	action := a.Act.Action[strings.LastIndexByte(a.Act.Action, '/')+1:]
	text := fmt.Sprintf("%s was asked for: %s", action, a.Act.Reason)
	switch a.What {
	case AuditDone:
		text = action + " was done."
	case AuditFailed:
		text = fmt.Sprintf("%s did not happen, or not all of it: %s", action, a.Error)
	}
	t.add(a.At, FromSupport, a.Act.Key.String(), a.Act.Actor, "%s", text)
}
