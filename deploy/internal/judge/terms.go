package judge

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// terms: access is for whoever ordered it, for as long as was paid, and no two terms
// that were bought for one account run at the same time.
func (v *verdict) terms() {
	byAccount := map[string][]grant{}
	for _, grants := range v.records.activeGrant {
		for _, g := range grants {
			v.directed(g)
			if g.Length == "MONTHS" {
				if least := g.Starts.AddDate(0, g.Months, -monthsDiffer); g.Ends.Before(least) {
					v.found(Shortened, g.Order, "%d months from %s end on %s", g.Months, g.Starts.Format(time.DateOnly), g.Ends.Format(time.DateOnly))
				}
			}
			if g.Length != "PERIOD" { // Stripe's periods are where they are
				byAccount[g.Account] = append(byAccount[g.Account], g)
			}
		}
	}
	for _, account := range slices.Sorted(maps.Keys(byAccount)) {
		grants := byAccount[account]
		slices.SortFunc(grants, func(a, b grant) int {
			return cmp.Or(a.Starts.Compare(b.Starts), strings.Compare(a.Order, b.Order))
		})
		for i := 1; i < len(grants); i++ {
			if before, g := grants[i-1], grants[i]; g.Order != before.Order && g.Starts.Before(before.Ends) {
				v.found(Shortened, g.Order, "account %s has it from %s on, and until %s by order %s", account,
					g.Starts.Format(time.DateOnly), before.Ends.Format(time.DateOnly), before.Order)
			}
		}
	}
}

// monthsDiffer is by how many days ways to count months differ: of a January's last day
// and a month, one makes February's last, and another a day in March.
const monthsDiffer = 3

// directed: the account is the one that the order names, or the one of its address; a
// later term of a subscription is for the account of the first, whatever became of the
// address.
func (v *verdict) directed(g grant) {
	o, known := v.records.ordersByID[g.Order]
	switch {
	case !known:
	case o.Account != "":
		if g.Account != o.Account {
			v.found(Misdirected, g.Order, "it is for account %s, and account %s has the access", o.Account, g.Account)
		}
	case o.Renews != "":
		for _, first := range v.records.grants {
			if first.Order == o.Renews && first.Account != g.Account {
				v.found(Misdirected, g.Order, "the subscription began for account %s, and account %s has the access", first.Account, g.Account)
			}
		}
	case o.Subscription == "" && strings.Contains(o.Email, "@") && g.Email != o.Email: // an erased buyer has no address
		v.found(Misdirected, g.Order, "account %s, which has the access, is of another address than the order", g.Account)
	}
}

// toTheTeam are the kinds of mails that are not about the buyer's own order, or that a
// colleague addresses.
var toTheTeam = []string{"alert", "digest", "support_reply"}

// addressed: what is said about an order is said to its own address.
func (v *verdict) addressed() {
	for _, m := range v.mails {
		o, known := v.records.ordersByID[m.order()]
		if !known || !strings.Contains(o.Email, "@") || slices.Contains(toTheTeam, m.kind()) {
			continue
		}
		if len(m.To) != 1 || !strings.EqualFold(strings.TrimSpace(m.To[0]), o.Email) {
			v.found(Misdirected, "mail "+m.MessageID, "the %s of order %s went to %s", m.kind(), o.ID, strings.Join(m.To, ", "))
		}
	}
}
