package judge

import (
	"maps"
	"slices"
	"strings"
)

// charges: each of ours gives exactly one access, or went back together with it;
// no order has two that were kept.
func (v *verdict) charges() {
	kept := map[string][]string{}
	for _, c := range v.stripe.Charges {
		if !v.stripe.ours(c) || c.Status != "succeeded" {
			continue
		}
		paid, known := v.records.byCharge[c.ID]
		order := v.stripe.orderOf(c)
		if known {
			order = paid.Order
		}
		grants := v.records.activeGrant[order]
		if order == "" {
			grants = nil
		}
		if !v.stripe.kept(c) {
			// The same order may have been paid by another charge.
			if known && len(grants) > 0 {
				v.found(KeptAccess, c.ID, "%d of %d %s went back or was lost, and order %s still gives access", c.AmountRefunded, c.Amount, c.Currency, order)
			}
			continue
		}
		kept[order] = append(kept[order], c.ID)
		switch {
		case len(grants) == 0 && (v.cameBack(c) || v.endedWith(c, order)):
		case len(grants) == 0:
			v.found(Unserved, c.ID, "%d %s of %s, order %q (%s), payment known: %v, no active grant", c.Amount, c.Currency, v.stripe.emails[c.Customer], order, v.records.ordersByID[order].State, known)
		case len(grants) > 1:
			v.found(ServedTwice, c.ID, "order %s has %d active grants", order, len(grants))
		}
	}
	for order, charges := range kept {
		if order != "" && len(charges) > 1 {
			v.found(ChargedTwice, order, "paid by %s, and none went back", strings.Join(charges, " and "))
		}
	}
}

// access: whoever has it has paid for it, with money of ours that Stripe has, or
// Stripe asked for nothing.
func (v *verdict) access() {
	charges := index(v.stripe.Charges, func(c charge) string { return c.ID })
	paidBy := map[string]charge{}
	free := map[string]bool{}
	for _, p := range v.records.payments {
		if c, ok := charges[p.Charge]; ok && v.stripe.ours(c) && v.stripe.kept(c) {
			paidBy[p.Order] = c
		}
		if p.Status == "SUCCEEDED" && p.Charge == "" && p.Received == 0 {
			free[p.Order] = true
		}
	}
	for order, grants := range v.records.activeGrant {
		if _, paid := paidBy[order]; paid || free[order] && v.stripe.freeOrder(order) {
			continue
		}
		if p := v.paymentOf(order); p.Charge != "" && charges[p.Charge].ID != "" && v.stripe.ours(charges[p.Charge]) {
			continue // its money went back: that is KeptAccess
		}
		v.found(FreeAccess, order, "account %s has access, and no charge of ours at Stripe pays for it", grants[0].Account)
	}
}

func (v *verdict) paymentOf(order string) payment {
	for _, p := range v.records.payments {
		if p.Order == order && p.Charge != "" {
			return p
		}
	}
	return payment{}
}

var paidStates = []string{"CHARGED", "COMPLETE", "RECOVERED", "ORPHANED", "REFUNDED"}

// orders: what is recorded as paid was paid, and the other way round.
func (v *verdict) orders() {
	charges := index(v.stripe.Charges, func(c charge) string { return c.ID })
	for _, o := range v.records.orders {
		if !slices.Contains(paidStates, o.State) {
			continue
		}
		c, real := charges[o.Charge]
		switch {
		case o.Charge == "" && v.stripe.freeOrder(o.ID):
		case !real || c.Status != "succeeded":
			v.found(PaidUnpaid, o.ID, "%s by charge %q, which Stripe has as %q", o.State, o.Charge, c.Status)
		case o.Amount != c.Amount || !strings.EqualFold(o.Currency, c.Currency) || o.Refunded != c.AmountRefunded:
			v.found(AmountDiffers, c.ID, "order %s has %d %s and %d back, Stripe %d %s and %d back", o.ID, o.Amount, o.Currency, o.Refunded, c.Amount, c.Currency, c.AmountRefunded)
		}
	}
	for _, p := range v.records.payments {
		if c, ok := charges[p.Charge]; ok && (p.Received != c.Amount || !strings.EqualFold(p.Currency, c.Currency) || p.Refunded != c.AmountRefunded) {
			v.found(AmountDiffers, c.ID, "the payment has %d %s and %d back, Stripe %d %s and %d back", p.Received, p.Currency, p.Refunded, c.Amount, c.Currency, c.AmountRefunded)
		}
	}
	for _, d := range v.records.dispositions {
		if c := charges[d.Charge]; d.Amount != c.Amount || d.Refunded != c.AmountRefunded {
			v.found(AmountDiffers, d.Charge, "reconciled as %d and %d back, Stripe has %d and %d back", d.Amount, d.Refunded, c.Amount, c.AmountRefunded)
		}
	}
}

// foreign: another product's money is in no record of ours and was not sent back,
// and its payer got no mail.
func (v *verdict) foreign() {
	reconciled := index(v.records.dispositions, func(d disposition) string { return d.Charge })
	buyers := map[string]bool{}
	for _, c := range v.stripe.Charges {
		if v.stripe.ours(c) {
			buyers[strings.ToLower(v.stripe.emails[c.Customer])] = true
		}
	}
	for _, c := range v.stripe.Charges {
		if v.stripe.ours(c) || c.Status != "succeeded" {
			continue
		}
		if p, ok := v.records.byCharge[c.ID]; ok {
			v.found(ForeignTouched, c.ID, "it is the payment of order %s", p.Order)
		}
		if d, ok := reconciled[c.ID]; ok && d.Kind != "FOREIGN" && d.Kind != "QUARANTINED" {
			v.found(ForeignTouched, c.ID, "reconciled as %s of order %s", d.Kind, d.Order)
		}
		for _, r := range v.stripe.Refunds {
			if r.Charge == c.ID {
				v.found(ForeignTouched, c.ID, "given back by %s", r.ID)
			}
		}
		email := strings.ToLower(v.stripe.emails[c.Customer])
		for _, m := range v.mails {
			if email != "" && !buyers[email] && slices.ContainsFunc(m.To, func(to string) bool { return strings.EqualFold(to, email) }) {
				v.found(ForeignTouched, c.ID, "its payer got a mail of kind %s", m.kind())
			}
		}
	}
}

// sums: what Stripe took for us, less what went back, is what payments and orders
// say, in each currency.
func (v *verdict) sums() {
	stripe, payments, orders := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, c := range v.stripe.Charges {
		if c.Status == "succeeded" && v.stripe.ours(c) {
			stripe[strings.ToUpper(c.Currency)] += c.Amount - c.AmountRefunded
		}
	}
	for _, p := range v.records.payments {
		if p.Status == "SUCCEEDED" {
			payments[strings.ToUpper(p.Currency)] += p.Received - p.Refunded
		}
	}
	for _, o := range v.records.orders {
		if slices.Contains(paidStates, o.State) {
			orders[strings.ToUpper(o.Currency)] += o.Amount - o.Refunded
		}
	}
	currencies := maps.Clone(stripe)
	maps.Copy(currencies, payments)
	maps.Copy(currencies, orders)
	for _, currency := range slices.Sorted(maps.Keys(currencies)) {
		if stripe[currency] != payments[currency] || stripe[currency] != orders[currency] {
			v.found(SumsDiffer, currency, "Stripe has %d, payments %d, orders %d", stripe[currency], payments[currency], orders[currency])
		}
	}
}
