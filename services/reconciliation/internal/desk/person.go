// Package desk is what the people on support see: a person as far as anything is
// known of them, what is the matter, what to do, and what to answer. All of it is
// decided from facts that others have read; it knows no database and no wire.
package desk

import (
	"slices"
	"time"
)

// Person is everything that was found about one customer.
type Person struct {
	// Now is when it was read.
	Now time.Time
	// StripeRead: false when Stripe could not be asked, and Charges is what is known
	// here at best.
	StripeRead bool
	// Unread names what else could not be read, in plain words.
	Unread []string
	// OrderNamed: the customer's words named one order or one charge, and Orders[0]
	// is it. Otherwise the orders are the newest first.
	OrderNamed bool
	// ChargeNamed is the charge that the words named; empty for none.
	ChargeNamed string
	Orders      []Order
	Charges     []Charge
	Mails       []Mail
	Cases       []Case
	Events      []Event
	Tickets     []Ticket
	// Acts is what the team did about it, as the audit has it.
	Acts []Audited
}

// Order is an order as it stands.
type Order struct {
	ID             string
	ReferenceShort string
	Kind           string
	State          string
	PlanName       string
	AmountDisplay  string
	Email          string
	EmailMasked    string
	Name           string
	ChargeID       string
	CreatedAt      time.Time
	// ChargedAt and CompletedAt are zero while it is not.
	ChargedAt, CompletedAt time.Time
	RecoveredBy            string
	// RefundedMinor went back so far; RefundedDisplay says it for people.
	RefundedMinor   int64
	RefundedDisplay string
	// NetDisplay is what stays of the payment when a part of it went back; else empty.
	NetDisplay string
	// RefundReferences are what Stripe calls the refunds.
	RefundReferences []string
	// Dispute is OPEN, LOST or WON; empty for none.
	Dispute string
	// Access: there is a grant that is in force. AccessUntil is its end, zero for none.
	Access      bool
	AccessUntil time.Time
	// AccessRead: whether Provisioning could say so.
	AccessRead bool
	// AccessFrom is when what it bought begins, AccessTaken when it was withdrawn; zero
	// when there was none, or when it was not.
	AccessFrom, AccessTaken time.Time
	// Unpaid is the renewal that could not be charged, for people; empty for none.
	Unpaid string
	// GraceUntil is until when its subscription gives access beyond the paid term, as
	// Orders last heard; zero when it does not.
	GraceUntil time.Time
	// Lapse says why its subscription gives no access now although its term is paid;
	// empty when it does, and for an order without one.
	Lapse string
	// Refusal is why the bank refused the last card, in Stripe's words for the buyer.
	Refusal string
	Refunds []Refund
	// Waits says for whom it waits while it is PENDING: buyer, bank or us.
	Waits string
	// PromisedBy is by when something was promised; zero for nothing.
	PromisedBy time.Time
	// NextLookAt is when it is looked at by itself; zero at rest.
	NextLookAt time.Time
	History    []Change
}

// Change is one entry of an order's history.
type Change struct {
	At              time.Time
	From, To        string
	Reason, By, Why string
}

// Charge is a charge at Stripe.
type Charge struct {
	ID string
	// Owner is OURS, FOREIGN, CLAIMED or UNCLEAR.
	Owner         string
	OwnerReason   string
	OrderID       string
	AmountDisplay string
	// Paid: the money was taken, and not only reserved or refused.
	Paid bool
	// RefundedInFull: nothing of it is left with us.
	RefundedInFull bool
	Disputed       bool
	// Disposition is what a sweep would make of it now, and DispositionReason why; empty
	// when that could not be decided.
	Disposition, DispositionReason string
	CreatedAt                      time.Time
	// Status is SUCCEEDED, PENDING or FAILED.
	Status string
	// Email is what Stripe has for its payer, Last4 of the card or account; empty when
	// not known.
	Email, Last4 string
	CustomerID   string
	IntentID     string
	// Failure is why the bank refused it, in Stripe's words.
	Failure  string
	Refunds  []Refund
	Disputes []Dispute
}

// Refund is money on its way back.
type Refund struct {
	// ID is Stripe's; empty while Stripe has not answered.
	ID            string
	AmountDisplay string
	// Status is REQUESTED, PENDING, SUCCEEDED or FAILED.
	Status string
	// Reason and Actor are known of one that was asked for here.
	Reason, Actor string
	// InOrder: the order's own refunds have it, with more.
	InOrder bool
	At      time.Time
}

// Dispute is a bank's doubt about a charge.
type Dispute struct {
	ID            string
	AmountDisplay string
	// LostMinor is what of it the bank has taken for good, in minor units of the
	// charge's currency; 0 unless it is lost.
	LostMinor   int64
	LostDisplay string
	// Stands is OPEN, LOST or WON.
	Stands, Reason string
	At             time.Time
	// AnswerBy is zero when there is nothing to answer.
	AnswerBy time.Time
}

// Event is what Stripe told us, as the ledger has it.
type Event struct {
	ID, Type, Status string
	// Error says why it is not processed.
	Error                   string
	ReceivedAt, ProcessedAt time.Time
}

// Ours says whether it is ours to grant or to give back.
func (c Charge) Ours() bool { return c.Owner == "OURS" }

// Mail is one message to the customer.
type Mail struct {
	ID string
	// OrderID is empty for a reply about no order.
	OrderID   string
	Kind      string
	State     string
	CreatedAt time.Time
	// SentAt is when the mail server took it; zero while it has not.
	SentAt time.Time
	Error  string
}

// Case is one case about the customer.
type Case struct {
	ID       int64
	Kind     string
	Open     bool
	Summary  string
	OpenedAt time.Time
	Happened []CaseEvent
}

// CaseEvent is one entry of a case's history.
type CaseEvent struct {
	At                time.Time
	What, Actor, Note string
}

// Joined is the person with what one part says about another: which order waits for
// the bank, and what Stripe calls its refunds and makes of them.
func (p Person) Joined() Person {
	for i := range p.Orders {
		o, ofOthers := &p.Orders[i], map[string]bool{}
		for _, c := range p.Charges {
			if c.OrderID == o.ID && c.Status == "PENDING" && o.State == "PENDING" {
				o.Waits = "bank"
			}
			for j, r := range c.Refunds { // Stripe's word is fresher than what we wrote down
				ofOthers[r.ID] = c.ID != o.ChargeID
				if at := slices.IndexFunc(o.Refunds, func(ours Refund) bool { return ours.ID == r.ID }); at >= 0 {
					o.Refunds[at].Status, c.Refunds[j].InOrder = r.Status, true
				} else if c.ID == o.ChargeID && r.Status != "FAILED" {
					o.RefundReferences = append(o.RefundReferences, r.ID)
				}
			}
		}
		for _, r := range o.Refunds {
			if r.ID != "" && r.Status != "FAILED" && !ofOthers[r.ID] {
				o.RefundReferences = append(o.RefundReferences, r.ID)
			}
		}
	}
	return p
}

// focus is the order that the customer's words are about, or the newest.
func (p Person) focus() (Order, bool) {
	if len(p.Orders) == 0 {
		return Order{}, false
	}
	if p.OrderNamed {
		return p.Orders[0], true
	}
	newest := p.Orders[0]
	for _, o := range p.Orders[1:] {
		if o.CreatedAt.After(newest.CreatedAt) {
			newest = o
		}
	}
	return newest, true
}

// order finds an order by its id.
func (p Person) order(id string) (Order, bool) {
	for _, o := range p.Orders {
		if o.ID == id {
			return o, true
		}
	}
	return Order{}, false
}

// doubted says whether money was taken for an order by a charge that is not clear.
func (p Person) doubted(orderID string) bool {
	for _, c := range p.Charges {
		if c.Owner == "UNCLEAR" && c.Paid && !c.RefundedInFull && c.OrderID == orderID {
			return true
		}
	}
	return false
}

// holds says whether money of an order is with us.
func (p Person) holds(orderID string) bool {
	return slices.ContainsFunc(p.kept(), func(c Charge) bool { return c.OrderID == orderID })
}

// kept are the charges of ours whose money we hold.
func (p Person) kept() (kept []Charge) {
	for _, c := range p.Charges {
		if c.Ours() && c.Paid && !c.RefundedInFull {
			kept = append(kept, c)
		}
	}
	return kept
}

// confirmation is the mail that tells the customer of their access.
func (p Person) confirmation(o Order) (m Mail, found bool) {
	for _, mail := range p.Mails {
		if mail.OrderID != o.ID {
			continue
		}
		switch mail.Kind {
		case "CONFIRMATION", "RECOVERY", "RENEWED":
			if !found || mail.SentAt.After(m.SentAt) {
				m, found = mail, true
			}
		}
	}
	return m, found
}
