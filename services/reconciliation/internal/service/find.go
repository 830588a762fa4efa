package service

import (
	"context"
	"slices"
	"sync"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

// ordersOfCharges is how many orders are read that only charges name.
const ordersOfCharges = 20

// finding is what a person's words have found so far. Whoever does not answer is
// named in unread, and the others go on.
type finding struct {
	s *Service
	q desk.Query
	// named: the words named the first order. chargeNamed is the charge that they named;
	// empty for none.
	named       bool
	chargeNamed string

	mu      sync.Mutex
	orders  []clients.FoundOrder
	charges []clients.FoundCharge
	// stripeUnread: Stripe gave no whole answer to one of the questions.
	stripeUnread bool
	unread       []string
}

// find reads what the words themselves name; nothing yet of the person behind.
func (s *Service) find(ctx context.Context, q desk.Query) *finding {
	f := &finding{s: s, q: q, named: true}
	switch q.Kind {
	case desk.ByEmail:
		f.named = false
		f.ordersBy(ctx, clients.OrdersBy{Email: q.Text})
		if len(f.orders) > 0 && f.orders[0].Alias { // none of this very address, which may have been charged all the same
			f.chargesBy(ctx, clients.ChargesBy{Emails: []string{q.Text, desk.AddressKey(q.Text)}})
		}
	case desk.ByReference:
		f.ordersBy(ctx, clients.OrdersBy{Reference: q.Text})
	case desk.ByID:
		for _, by := range []clients.OrdersBy{{OrderID: q.Text}, {Reference: q.Text}, {AccountID: q.Text}} {
			if f.ordersBy(ctx, by); len(f.orders) > 0 {
				f.named = by.AccountID == ""
				break
			}
		}
		if len(f.orders) == 0 { // lost, or Orders is away: what was paid for it is kept by Payments
			f.chargesBy(ctx, clients.ChargesBy{OrderIDs: []string{q.Text}})
		}
	case desk.ByIntent:
		together(func() { f.ordersBy(ctx, clients.OrdersBy{IntentID: q.Text}) }, func() { f.chargesBy(ctx, clients.ChargesBy{IntentIDs: []string{q.Text}}) })
	case desk.ByCharge:
		together(func() { f.ordersBy(ctx, clients.OrdersBy{ChargeID: q.Text}) }, func() { f.chargesBy(ctx, clients.ChargesBy{ChargeIDs: []string{q.Text}}) })
	case desk.ByCustomer:
		f.named = false
		together(func() { f.ordersBy(ctx, clients.OrdersBy{CustomerID: q.Text}) }, func() { f.chargesBy(ctx, clients.ChargesBy{CustomerIDs: []string{q.Text}}) })
	case desk.ByCard:
		f.chargesBy(ctx, clients.ChargesBy{Card: &q.Card})
	}
	f.ordersOfCharges(ctx)
	if f.named = f.named && len(f.orders) > 0; q.Kind != desk.ByCustomer && len(f.charges) > 0 {
		f.chargeNamed = f.charges[0].ID
	}
	return f
}

// ordersBy adds the orders that are not known yet.
func (f *finding) ordersBy(ctx context.Context, by clients.OrdersBy) {
	found, cut, err := f.s.Finder.Orders(ctx, by)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.missed(desk.UnreadOrders)
	}
	if cut {
		f.missed(desk.CutOrders)
	}
	for _, o := range found {
		if !slices.ContainsFunc(f.orders, func(known clients.FoundOrder) bool { return known.ID == o.ID }) {
			f.orders = append(f.orders, o)
		}
	}
}

// chargesBy adds the charges that are not known yet; what is read later counts.
func (f *finding) chargesBy(ctx context.Context, by clients.ChargesBy) {
	if by.Empty() {
		return // there is nothing that Stripe could be asked
	}
	found, err := f.s.Finder.Charges(ctx, by)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.missed(desk.UnreadCharges)
	}
	if found.Cut {
		f.missed(desk.CutCharges)
	}
	f.stripeUnread = f.stripeUnread || !found.StripeRead || err != nil
	for _, c := range found.Charges {
		i := slices.IndexFunc(f.charges, func(known clients.FoundCharge) bool { return known.ID == c.ID })
		if i < 0 {
			f.charges = append(f.charges, c)
		} else if found.StripeRead {
			f.charges[i] = c
		}
	}
}

// ordersOfCharges reads the orders that charges name and that are not known yet.
func (f *finding) ordersOfCharges(ctx context.Context) {
	var steps []func()
	for _, c := range f.charges {
		known := func(o clients.FoundOrder) bool { return o.ID == c.OrderID }
		if c.OrderID == "" || slices.ContainsFunc(f.orders, known) {
			continue
		}
		if len(steps) == ordersOfCharges {
			f.missed(desk.CutOrders)
			break
		}
		steps = append(steps, func() { f.ordersBy(ctx, clients.OrdersBy{OrderID: c.OrderID}) })
	}
	together(steps...)
}

// missed says that something could not be read; f.mu is held, or nothing else runs.
func (f *finding) missed(what string) {
	if !slices.Contains(f.unread, what) {
		f.unread = append(f.unread, what)
	}
}

// candidates are those whom the words may be about when that is not certain.
func (f *finding) candidates() []desk.Candidate {
	return desk.Candidates(f.q, f.deskOrders(), f.deskCharges())
}

func (f *finding) deskOrders() []desk.Order {
	out := make([]desk.Order, len(f.orders))
	for i, o := range f.orders {
		out[i] = o.Order
	}
	return out
}

func (f *finding) deskCharges() []desk.Charge {
	out := make([]desk.Charge, len(f.charges))
	for i, c := range f.charges {
		out[i] = c.Charge
	}
	return out
}

// askedAtOnce bounds how many questions one lookup asks at the same moment.
const askedAtOnce = 8

// together runs steps, a few at a time, and returns when all have ended.
func together(steps ...func()) {
	var all sync.WaitGroup
	slots := make(chan struct{}, askedAtOnce)
	for _, step := range steps {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			step()
		})
	}
	all.Wait()
}
