package service

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/stripegw"
)

const (
	// findTimeout bounds what is read of Stripe for a person who waits: what is kept
	// here is answered then.
	findTimeout = 8 * time.Second
	// foundMax is how many charges one question finds.
	foundMax = 200
	// customersMax is how many Stripe customers of one person are read.
	customersMax = 20
	// searchSlices of a window are read at once, at most searchPages of each.
	searchSlices = 6
	searchPages  = 7
)

// Search names charges in as many ways as are known.
type Search struct {
	// Emails as they may stand at Stripe, which compares them with case.
	Emails, CustomerIDs, IntentIDs, ChargeIDs []string
	// OrderIDs are of orders whose payments are kept here.
	OrderIDs []uuid.UUID
	// Card is what a bank statement shows; nil when there is none.
	Card *payment.CardSearch
}

// Found is a charge that was looked for, and whose it is.
type Found struct {
	Seen
	payment.Around
}

// FoundCharges is what a search found.
type FoundCharges struct {
	// Charges are the newest first.
	Charges []Found
	// StripeRead: false when Stripe gave no whole answer; then the charges are what it
	// gave and what is kept here.
	StripeRead bool
	// Cut: there are more than were read.
	Cut bool
}

// FindCharges finds charges, on all Stripe customers of the addresses too, each
// with whose it is: what is not ours is labelled. It changes nothing.
func (s *Service) FindCharges(ctx context.Context, q Search) (FoundCharges, error) {
	keys := make([]string, len(q.Emails))
	for i, email := range q.Emails {
		keys[i] = strings.ToLower(strings.TrimSpace(email))
	}
	known, err := s.Store.CustomersOfPeople(ctx, keys)
	if err != nil {
		return FoundCharges{}, err
	}
	payments, err := s.Store.PaymentsOf(ctx, nil, nil, q.OrderIDs)
	if err != nil {
		return FoundCharges{}, err
	}
	q.IntentIDs = slices.Clone(q.IntentIDs)
	for _, p := range payments {
		if p.IntentID != "" {
			q.IntentIDs = append(q.IntentIDs, p.IntentID)
		}
	}
	kept, err := s.Store.PaidPayments(ctx, keys, q.CustomerIDs, q.ChargeIDs, q.IntentIDs, foundMax)
	if err != nil {
		return FoundCharges{}, err
	}
	q.CustomerIDs = append(slices.Clone(q.CustomerIDs), known...)
	r := &reading{stripe: s.Stripe, charges: map[string]payment.FoundCharge{}}
	stripe, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	r.read(stripe, q)
	out := FoundCharges{Cut: r.cut}
	if out.Charges, err = s.whose(ctx, r.newest()); err != nil {
		return FoundCharges{}, err
	}
	if r.failed != nil {
		s.reportNoAccess(context.WithoutCancel(ctx), r.failed)
	}
	out.StripeRead = r.failed == nil
	out.Charges = append(out.Charges, notSeen(kept, out.Charges, out.StripeRead)...)
	slices.SortStableFunc(out.Charges, func(a, b Found) int { return b.CreatedAt.Compare(a.CreatedAt) })
	if len(out.Charges) > foundMax {
		out.Charges, out.Cut = out.Charges[:foundMax], true
	}
	return out, nil
}

// whose adds to each charge whose it is.
func (s *Service) whose(ctx context.Context, charges []payment.FoundCharge) ([]Found, error) {
	seen, behind := make([]payment.SeenCharge, len(charges)), map[string]payment.Behind{}
	for i, c := range charges {
		seen[i], behind[c.ID] = c.SeenCharge, c.Behind
	}
	owned, err := s.owners(ctx, seen, func(context.Context) (map[string]payment.Behind, error) { return behind, nil })
	if err != nil {
		return nil, err
	}
	out := make([]Found, len(charges))
	for i := range charges {
		out[i] = Found{Seen: owned[i], Around: charges[i].Around}
	}
	return out, nil
}

// notSeen are the charges of recorded payments that Stripe did not show.
func notSeen(kept []payment.Payment, shown []Found, stripeRead bool) (out []Found) {
	why := "it is recorded here as paid; Stripe could not be asked"
	if stripeRead {
		why = "it is recorded here as paid, and Stripe did not show it"
	}
	for _, p := range kept {
		if slices.ContainsFunc(shown, func(f Found) bool { return f.ID == p.ChargeID }) {
			continue
		}
		c := payment.SeenCharge{
			ID: p.ChargeID, IntentID: p.IntentID, CustomerID: p.CustomerID, Status: payment.ChargeSucceeded, Captured: true,
			AmountMinor: p.ReceivedMinor, Currency: p.ReceivedCurrency, RefundedMinor: p.RefundedMinor,
			Disputed: p.Dispute == payment.DisputeOpen || p.Dispute == payment.DisputeLost, CreatedAt: *p.ChargedAt,
		}
		out = append(out, Found{
			Seen:   Seen{SeenCharge: c, Owner: Ours, Why: why, OrderID: p.OrderID, Recorded: true},
			Around: payment.Around{Email: p.EmailKey},
		})
	}
	return out
}

// reading reads Stripe for one search, several things at once.
type reading struct {
	stripe *stripegw.Gateway

	mu      sync.Mutex
	charges map[string]payment.FoundCharge
	cut     bool
	failed  error
}

func (r *reading) read(ctx context.Context, q Search) {
	customers := r.customers(ctx, q)
	var steps []func()
	for _, id := range customers {
		steps = append(steps, func() { r.keep(r.stripe.ChargesOfCustomer(ctx, id)) })
	}
	for _, id := range q.IntentIDs {
		steps = append(steps, func() { r.all(r.stripe.ChargesOfIntent(ctx, id)) })
	}
	for _, id := range q.ChargeIDs {
		steps = append(steps, func() { r.all(r.stripe.FindCharge(ctx, id)) })
	}
	if q.Card != nil {
		for _, slice := range sliced(*q.Card) {
			steps = append(steps, func() { r.search(ctx, slice) })
		}
	}
	atOnce(steps)
	steps = nil
	for _, c := range r.newest() {
		if c.Disputed {
			steps = append(steps, func() { r.disputes(ctx, c) })
		}
	}
	atOnce(steps)
}

// customers are those that were named, and all at Stripe that have one of the
// addresses.
func (r *reading) customers(ctx context.Context, q Search) []string {
	ids := slices.Clone(q.CustomerIDs)
	var steps []func()
	for _, email := range q.Emails {
		steps = append(steps, func() {
			found, more, err := r.stripe.CustomersOf(ctx, email)
			r.mu.Lock()
			defer r.mu.Unlock()
			ids, r.cut, r.failed = append(ids, found...), r.cut || more, errors.Join(r.failed, err)
		})
	}
	atOnce(steps)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > customersMax {
		ids, r.cut = ids[:customersMax], true
	}
	return ids
}

// search reads a stretch of the account's charges for what is on a statement.
func (r *reading) search(ctx context.Context, s payment.CardSearch) {
	after := ""
	for range searchPages {
		charges, next, err := r.stripe.SearchCharges(ctx, s, after)
		r.keep(charges, false, err)
		if after = next; err != nil || next == "" {
			return
		}
	}
	r.keep(nil, true, nil)
}

func (r *reading) disputes(ctx context.Context, c payment.FoundCharge) {
	disputes, err := r.stripe.DisputesOf(ctx, c.ID)
	c.Disputes = disputes
	r.keep([]payment.FoundCharge{c}, false, err)
}

func (r *reading) all(charges []payment.FoundCharge, err error) { r.keep(charges, false, err) }

func (r *reading) keep(charges []payment.FoundCharge, more bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range charges {
		r.charges[c.ID] = c
	}
	r.cut, r.failed = r.cut || more, errors.Join(r.failed, err)
}

// newest are the charges that were read, the newest first, and no more than are
// answered.
func (r *reading) newest() []payment.FoundCharge {
	list := make([]payment.FoundCharge, 0, len(r.charges))
	for _, c := range r.charges {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b payment.FoundCharge) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	if len(list) > foundMax {
		list, r.cut = list[:foundMax], true
	}
	return list
}

// sliced is a search in parts of its window.
func sliced(s payment.CardSearch) (parts []payment.CardSearch) {
	length := s.Window.Before.Sub(s.Window.From) / searchSlices
	for i := range searchSlices {
		part := s
		part.Window.From = s.Window.From.Add(time.Duration(i) * length)
		if i < searchSlices-1 {
			part.Window.Before = part.Window.From.Add(length)
		}
		parts = append(parts, part)
	}
	return parts
}

// atOnce runs steps, a few at a time, and returns when all have ended.
func atOnce(steps []func()) {
	var all sync.WaitGroup
	slots := make(chan struct{}, readsAtOnce)
	for _, step := range steps {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			step()
		})
	}
	all.Wait()
}
