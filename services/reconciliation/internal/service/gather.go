package service

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/disposition"
)

const (
	// casesShown, ticketsShown, actsShown and customersShown bound what is read of one person.
	casesShown     = 100
	ticketsShown   = 50
	actsShown      = 200
	customersShown = 5
)

// gather reads everything about the person whom the words are about: all orders of
// their address, and no other's; all charges of all their Stripe customers; and what
// each of the others knows of these.
func (f *finding) gather(ctx context.Context) (p desk.Person, about []cases.Case, err error) {
	email := f.address()
	if email != "" && f.q.Kind != desk.ByEmail {
		f.ordersBy(ctx, clients.OrdersBy{Email: email})
	}
	f.orders = slices.DeleteFunc(f.orders, func(o clients.FoundOrder) bool { return o.Alias })
	f.chargesBy(ctx, f.theirCharges(email))
	f.ordersOfCharges(ctx)
	slices.SortStableFunc(f.charges, func(a, b clients.FoundCharge) int { return b.CreatedAt.Compare(a.CreatedAt) })

	var mails []desk.Mail
	var events []desk.Event
	steps := []func(){func() { f.readAccess(ctx) }}
	for i := range f.orders {
		o := &f.orders[i]
		steps = append(steps, func() {
			found, err := f.s.Finder.Mails(ctx, o.ID)
			f.mu.Lock()
			defer f.mu.Unlock()
			if mails = append(mails, found...); err != nil {
				f.missed(desk.UnreadMails)
			}
		})
		if o.ChargedAt.IsZero() {
			continue
		}
		steps = append(steps, func() {
			refunds, err := f.s.Finder.Refunds(ctx, o.ID)
			f.mu.Lock()
			defer f.mu.Unlock()
			if o.Refunds = refunds; err != nil {
				f.missed(desk.UnreadRefunds)
			}
		})
	}
	if email != "" {
		steps = append(steps, func() {
			found, err := f.s.Finder.Replies(ctx, email)
			f.mu.Lock()
			defer f.mu.Unlock()
			if mails = append(mails, found...); err != nil {
				f.missed(desk.UnreadMails)
			}
		})
	}
	for _, id := range f.customers(customersShown) {
		steps = append(steps, func() {
			found, err := f.s.Finder.Events(ctx, id)
			f.mu.Lock()
			defer f.mu.Unlock()
			if events = append(events, found...); err != nil {
				f.missed(desk.UnreadEvents)
			}
		})
	}
	together(steps...)
	f.decide(ctx)
	if about, err = f.readCases(ctx, events); err != nil {
		return desk.Person{}, nil, err
	}
	tickets, err := f.readTickets(ctx, email)
	if err != nil {
		return desk.Person{}, nil, err
	}
	acts, err := f.readActs(ctx, about, events, tickets)
	if err != nil {
		return desk.Person{}, nil, err
	}
	p = desk.Person{
		Acts: acts, Now: f.s.now(), StripeRead: !f.stripeUnread, Unread: f.unread, OrderNamed: f.named, ChargeNamed: f.chargeNamed,
		Orders: f.deskOrders(), Charges: f.deskCharges(), Mails: mails, Events: events, Cases: deskCases(about), Tickets: tickets,
	}
	return p.Joined(), about, nil
}

// address is the one whose person it is: of the order that was named, of the words,
// or of the charge.
func (f *finding) address() string {
	if f.q.Kind == desk.ByEmail {
		return f.q.Text
	}
	if len(f.orders) > 0 {
		return f.orders[0].Email
	}
	for _, c := range f.charges {
		if c.Email != "" {
			return c.Email
		}
	}
	return ""
}

// theirCharges are all by which a charge of theirs may be found. Stripe compares
// addresses with case, so each way in which theirs was typed is asked for.
func (f *finding) theirCharges(email string) clients.ChargesBy {
	by := clients.ChargesBy{Emails: []string{email, desk.AddressKey(email)}, CustomerIDs: f.customers(customersShown)}
	for _, o := range f.orders {
		by.Emails = append(by.Emails, o.Email)
		by.ChargeIDs = append(by.ChargeIDs, o.ChargeID)
		by.IntentIDs = append(by.IntentIDs, o.Described.GetPaymentIntentId())
	}
	for _, c := range f.charges {
		by.ChargeIDs = append(by.ChargeIDs, c.ID)
	}
	switch f.q.Kind {
	case desk.ByIntent:
		by.IntentIDs = append([]string{f.q.Text}, by.IntentIDs...)
	case desk.ByCharge:
		by.ChargeIDs = append([]string{f.q.Text}, by.ChargeIDs...)
	case desk.ByCustomer:
		by.CustomerIDs = append([]string{f.q.Text}, by.CustomerIDs...)
	}
	return by
}

// customers are the person's Stripe customers, as far as orders and charges name
// them.
func (f *finding) customers(most int) (ids []string) {
	add := func(id string) {
		if id != "" && len(ids) < most && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, o := range f.orders {
		add(o.CustomerID)
	}
	for _, c := range f.charges {
		add(c.CustomerID)
	}
	return ids
}

func (f *finding) readAccess(ctx context.Context) {
	if len(f.orders) == 0 {
		return
	}
	ids := make([]string, len(f.orders))
	for i := range f.orders {
		ids[i] = f.orders[i].ID // and no more: others write into the orders meanwhile
	}
	access, err := f.s.Finder.Access(ctx, ids)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.missed(desk.UnreadAccess)
		return
	}
	now := f.s.now()
	for i := range f.orders {
		o, a := &f.orders[i], access[f.orders[i].ID]
		o.AccessRead, o.AccessFrom, o.AccessUntil, o.AccessTaken = true, a.From, a.Until, a.Withdrawn
		until := a.Until
		if grace := f.orders[i].GraceUntil; grace.After(until) {
			until = grace // the subscription outlasts its paid term
		}
		if o.Access = a.Active && a.Withdrawn.IsZero() && until.After(now); o.Access {
			o.AccessUntil, o.Lapse = until, ""
		}
	}
}

// decide says what each charge is, as a sweep would decide it now: what the last one
// kept may be over, and somebody acts on this. Without Stripe's word, or an order's,
// nothing is decided.
func (f *finding) decide(ctx context.Context) {
	if f.stripeUnread {
		return
	}
	page := make([]*looked, len(f.charges))
	for i, c := range f.charges {
		page[i] = &looked{facts: disposition.Facts{Charge: c.AsSwept()}}
	}
	if err := f.s.match(ctx, page); err != nil {
		f.missed(desk.UnreadDispositions)
		return
	}
	for i, l := range page {
		if l.facts.Trouble != "" {
			f.missed(desk.UnreadDispositions)
			continue
		}
		d := disposition.Decide(l.facts)
		f.charges[i].Disposition, f.charges[i].DispositionReason = string(d.Kind), d.Reason
		if f.charges[i].OrderID == "" {
			f.charges[i].OrderID = d.OrderID
		}
	}
}

func (f *finding) readCases(ctx context.Context, events []desk.Event) ([]cases.Case, error) {
	var orders, subjects []string
	for _, o := range f.orders {
		orders = append(orders, o.ID)
	}
	for _, c := range f.charges {
		subjects = append(subjects, "charge/"+c.ID)
	}
	for _, e := range events {
		subjects = append(subjects, "event/"+e.ID)
	}
	list, err := f.s.Store.CasesAbout(ctx, orders, subjects, casesShown)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list, f.s.Store.WithEvents(ctx, list)
}

// readActs reads what the team did about their orders, charges, events, cases and
// tickets.
func (f *finding) readActs(ctx context.Context, about []cases.Case, events []desk.Event, tickets []desk.Ticket) ([]desk.Audited, error) {
	var subjects []string
	for _, o := range f.orders {
		subjects = append(subjects, o.ID)
	}
	for _, c := range f.charges {
		subjects = append(subjects, c.ID)
	}
	for _, c := range about {
		subjects = append(subjects, "case/"+strconv.FormatInt(c.ID, 10))
	}
	for _, e := range events {
		subjects = append(subjects, e.ID)
	}
	for _, t := range tickets {
		subjects = append(subjects, t.Name())
	}
	if len(subjects) == 0 {
		return nil, nil
	}
	return f.s.Store.AuditAbout(ctx, subjects, actsShown)
}

// readTickets reads what was written from the person's addresses.
func (f *finding) readTickets(ctx context.Context, email string) ([]desk.Ticket, error) {
	addresses := []string{email}
	for _, o := range f.orders {
		addresses = append(addresses, o.Email)
	}
	list, err := f.s.Store.TicketsOf(ctx, addresses, ticketsShown)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var orders, charges []string
	for _, o := range f.orders {
		orders = append(orders, o.ID)
	}
	for _, c := range f.charges {
		if c.Owner != "FOREIGN" {
			charges = append(charges, c.ID)
		}
	}
	for i := range list {
		list[i].Link(orders, charges)
	}
	return list, nil
}

func deskCases(list []cases.Case) (out []desk.Case) {
	for _, c := range list {
		known := desk.Case{ID: c.ID, Kind: string(c.Kind), Open: c.State == cases.Open, Summary: c.Summary, OpenedAt: c.OpenedAt}
		for _, e := range c.Events {
			known.Happened = append(known.Happened, desk.CaseEvent{At: e.At, What: e.What, Actor: cmp.Or(e.Actor, cases.System), Note: e.Note})
		}
		out = append(out, known)
	}
	return out
}
