package service

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/ownership"
	"makegood.example/services/payments/internal/payment"
)

// Owner is whose a charge is.
type Owner string

// The owners.
const (
	// Foreign: never granted, mailed or refunded.
	Foreign Owner = "FOREIGN"
	// Ours by our mark or by a saved id.
	Ours Owner = "OURS"
	// Claimed by a rule, for a person to adopt.
	Claimed Owner = "CLAIMED"
	// Unclear: ours, and what is known of it does not agree.
	Unclear Owner = "UNCLEAR"
)

// Seen is a charge, and whose it is.
type Seen struct {
	payment.SeenCharge
	Owner Owner
	// Why is how that is known, in plain words.
	Why string
	// OrderID is the order that it is for; nil when it names none.
	OrderID uuid.UUID
	// Recorded: a succeeded payment with this charge is saved here.
	Recorded bool
	// Behind is known of charges that were looked at twice.
	Behind payment.Behind
}

// owners finds whose each charge of a page is: by what is saved here, then by
// our mark, and for what is left by what stands behind it, which behind reads at
// most once. Never by an amount or an address.
func (s *Service) owners(ctx context.Context, charges []payment.SeenCharge, behind func(context.Context) (map[string]payment.Behind, error)) ([]Seen, error) {
	seen := make([]Seen, len(charges))
	for i, c := range charges {
		seen[i] = Seen{SeenCharge: c}
	}
	if err := s.bySavedNames(ctx, seen); err != nil {
		return nil, err
	}
	if err := s.byMark(ctx, undecided(seen), func(c *Seen) map[string]string { return c.Metadata }, "the charge carries our mark"); err != nil {
		return nil, err
	}
	if err := s.byWhatIsBehind(ctx, undecided(seen), behind); err != nil {
		return nil, err
	}
	for _, c := range undecided(seen) {
		c.Owner, c.Why = Foreign, "it carries no mark of ours, and nothing of it is saved here"
		if rule, claimed := s.claims(c); claimed {
			c.Owner, c.Why = Claimed, "claimed by the ownership file: "+rule
		}
	}
	return seen, nil
}

// claims asks the ownership file about a charge.
func (s *Service) claims(c *Seen) (rule string, claimed bool) {
	return s.Settings.Ownership.Claims(ownership.Seen{
		Metadata: []map[string]string{c.Metadata, c.Behind.IntentMetadata, c.Behind.SubscriptionMetadata},
		Prices:   c.Behind.Prices, Products: c.Behind.Products,
	})
}

func undecided(seen []Seen) (left []*Seen) {
	for i := range seen {
		if seen[i].Owner == "" {
			left = append(left, &seen[i])
		}
	}
	return left
}

// bySavedNames finds the charges whose own id, or whose intent's, is saved here.
func (s *Service) bySavedNames(ctx context.Context, seen []Seen) error {
	charges, intents := make([]string, 0, len(seen)), make([]string, 0, len(seen))
	for _, c := range seen {
		charges = append(charges, c.ID)
		if c.IntentID != "" {
			intents = append(intents, c.IntentID)
		}
	}
	saved, err := s.Store.PaymentsOf(ctx, charges, intents, nil)
	if err != nil {
		return err
	}
	byCharge, byIntent := map[string]*payment.Payment{}, map[string]*payment.Payment{}
	for i := range saved {
		p := &saved[i]
		byCharge[p.ChargeID], byIntent[p.IntentID] = p, p
	}
	for i := range seen {
		c := &seen[i]
		ofCharge, ofIntent := byCharge[c.ID], byIntent[c.IntentID]
		if c.IntentID == "" {
			ofIntent = nil
		}
		switch {
		case ofCharge != nil && ofIntent != nil && ofCharge.ID != ofIntent.ID:
			c.Owner, c.OrderID = Unclear, ofCharge.OrderID
			c.Why = fmt.Sprintf("the charge is saved for order %s, and its payment intent for order %s", ofCharge.OrderID, ofIntent.OrderID)
		case ofCharge != nil:
			c.settle(*ofCharge, "the charge is saved here", s.Stripe.IsOurs(c.Metadata))
		case ofIntent != nil:
			c.settle(*ofIntent, "its payment intent is saved here", s.Stripe.IsOurs(c.Metadata))
		}
	}
	return nil
}

// settle makes it ours for a saved payment, unless what it says does not fit.
func (c *Seen) settle(p payment.Payment, why string, marked bool) {
	c.Owner, c.Why, c.OrderID = Ours, why, p.OrderID
	c.Recorded = p.Status == payment.Succeeded && p.ChargeID == c.ID
	if p.AdoptedBy != "" && c.Recorded {
		c.Why = p.AdoptedBy + " has said whose it is" // whatever else it says
		return
	}
	named, _ := uuid.Parse(c.Metadata["order_id"])
	account := c.Metadata["account_id"]
	switch {
	case marked && named != uuid.Nil && named != p.OrderID:
		c.doubt("it is saved for order %s, and its metadata name order %s", p.OrderID, named)
	case marked && account != "" && p.AccountID != "" && account != p.AccountID:
		c.doubt("it is saved for an order of one account, and its metadata name another")
	case c.CustomerID != "" && p.CustomerID != "" && c.CustomerID != p.CustomerID:
		c.doubt("it is saved for customer %s, and at Stripe it belongs to %s", p.CustomerID, c.CustomerID)
	case c.Status != payment.ChargeFailed && (c.AmountMinor != p.Asked() && !p.MayAskOther() || c.Currency != p.Currency):
		c.doubt("%d %s was asked for, in minor units, and it is %d %s", p.Asked(), p.Currency, c.AmountMinor, c.Currency)
	}
}

func (c *Seen) doubt(format string, args ...any) {
	c.Owner, c.Why = Unclear, fmt.Sprintf(format, args...)
}

// byMark finds the charges that carry our mark, and whether all the names on
// them are of one person.
func (s *Service) byMark(ctx context.Context, left []*Seen, metadataOf func(*Seen) map[string]string, why string) error {
	var marked []*Seen
	orders, accounts, customers := map[uuid.UUID]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range left {
		m := metadataOf(c)
		if !s.Stripe.IsOurs(m) {
			continue
		}
		marked = append(marked, c)
		if id, err := uuid.Parse(m["order_id"]); err == nil {
			c.OrderID = id
			orders[id] = true
		}
		if name := m["account_id"]; name != "" {
			accounts[name] = true
		}
		if c.CustomerID != "" {
			customers[c.CustomerID] = true
		}
	}
	if len(marked) == 0 {
		return nil
	}
	saved, err := s.Store.PaymentsOf(ctx, nil, nil, keys(orders))
	if err != nil {
		return err
	}
	last := map[uuid.UUID]payment.Payment{}
	for _, p := range saved {
		last[p.OrderID] = p
	}
	byAccount, err := s.Store.ByAccounts(ctx, keys(accounts))
	if err != nil {
		return err
	}
	people, err := s.Store.PeopleOf(ctx, keys(customers))
	if err != nil {
		return err
	}
	for _, c := range marked {
		c.Owner, c.Why = Ours, why
		var found []payment.Payment
		var names []string
		account := metadataOf(c)["account_id"]
		if p, ok := last[c.OrderID]; ok {
			if account != "" && p.AccountID != "" && account != p.AccountID {
				c.doubt("its metadata name order %s of one account, and another account", p.OrderID)
				continue
			}
			found, names = append(found, p), append(names, "its order")
		}
		if p, ok := byAccount[account]; ok {
			found, names = append(found, p), append(names, "its account")
		}
		if email, ok := people[c.CustomerID]; ok {
			found, names = append(found, payment.Payment{EmailKey: email}), append(names, "its customer")
		}
		for i := 1; i < len(found); i++ {
			if !samePerson(found[0], found[i]) {
				c.doubt("%s and %s are of different people", names[0], names[i])
				break
			}
		}
	}
	return nil
}

// byWhatIsBehind looks a second time at charges that carry no mark themselves:
// at their intents, and at the subscriptions whose invoices they paid, from which
// they inherit. Stripe is asked only when there is such an invoice or the
// customer is one of ours.
func (s *Service) byWhatIsBehind(ctx context.Context, left []*Seen, behind func(context.Context) (map[string]payment.Behind, error)) error {
	customers, ask := map[string]bool{}, false
	for _, c := range left {
		if c.CustomerID != "" {
			customers[c.CustomerID] = true
		}
		ask = ask || c.InvoiceID != ""
	}
	people, err := s.Store.PeopleOf(ctx, keys(customers))
	if err != nil || !ask && len(people) == 0 {
		return err
	}
	all, err := behind(ctx)
	if err != nil {
		return err
	}
	subscriptions := map[string]bool{}
	var rest []*Seen
	for _, c := range left {
		if c.InvoiceID == "" && people[c.CustomerID] == "" {
			continue
		}
		known := false
		if c.Behind, known = all[c.ID]; !known {
			if _, c.Behind, err = s.Stripe.SeeCharge(ctx, c.ID); err != nil {
				return err
			}
		}
		rest = append(rest, c)
		if c.Behind.SubscriptionID != "" {
			subscriptions[c.Behind.SubscriptionID] = true
		}
	}
	if err := s.byMark(ctx, rest, func(c *Seen) map[string]string { return c.Behind.IntentMetadata }, "its payment intent carries our mark"); err != nil {
		return err
	}
	saved, err := s.Store.Subscriptions(ctx, keys(subscriptions))
	if err != nil {
		return err
	}
	for _, c := range rest {
		if c.Owner == "" && c.Behind.SubscriptionID != "" {
			s.ownedBySubscription(c, saved, people)
		}
	}
	return nil
}

// ownedBySubscription makes a charge ours that a subscription of ours took.
func (s *Service) ownedBySubscription(c *Seen, saved map[string]payment.Subscription, people map[string]string) {
	sub, known := saved[c.Behind.SubscriptionID]
	marked := s.Stripe.IsOurs(c.Behind.SubscriptionMetadata)
	_, claimed := s.claims(c)
	switch {
	case known:
		c.Owner, c.Why = Ours, "it paid an invoice of a subscription that is saved here"
	case marked:
		c.Owner, c.Why = Ours, "it paid an invoice of a subscription that carries our mark"
	case people[c.CustomerID] != "" && !claimed:
		c.Owner, c.Why = Ours, "it paid an invoice of a subscription of a customer of ours"
	default:
		return
	}
	c.OrderID, _ = payment.OrderOf(c.InvoiceID)
	if first, err := uuid.Parse(c.Behind.SubscriptionMetadata["order_id"]); c.Behind.Began && marked && err == nil {
		c.OrderID = first
	}
	if known && sub.CustomerID != "" && c.CustomerID != "" && sub.CustomerID != c.CustomerID {
		c.doubt("its subscription is saved for customer %s, and at Stripe it belongs to %s", sub.CustomerID, c.CustomerID)
	}
}

func keys[K comparable](set map[K]bool) []K { return slices.Collect(maps.Keys(set)) }
