package life

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Judge lets everything that is under way arrive and compares all that the
// product has with what Stripe has.
func (s *Subscriber) Judge() {
	s.t.Helper()
	for s.Live(lookAtLatest + 2*time.Hour); s.w.OnTheirWay().After(s.w.Clock.Now()); {
		s.LiveUntil(s.w.OnTheirWay())
	}
	s.judgeStripe()
	s.judgeOrders()
	s.judgeGrants()
	s.judgeMails()
	s.judgeCases()
}

// judgeStripe: one customer, one subscription, and no charge beside the invoices.
func (s *Subscriber) judgeStripe() {
	s.t.Helper()
	if c := s.w.Stripe.Customers(s.Email); len(c) != 1 {
		s.failf("customers %v at Stripe, want one", c)
	}
	if subs := s.w.Stripe.Subscriptions(s.truth.sub.Customer); len(subs) != 1 {
		s.failf("%d subscriptions at Stripe, want one", len(subs))
	}
	var paid []string
	for _, x := range s.truth.latest().terms {
		paid = append(paid, x.charge)
	}
	for _, c := range s.w.Stripe.Charges(s.truth.sub.Customer) {
		if c.Status == "succeeded" && !slices.Contains(paid, c.ID) {
			s.failf("charge %s pays no term", c.ID)
		}
	}
}

// record is an order with its payment.
type record struct {
	ID, Kind, State, Plan, Charge string
	Amount                        int64
	NotAtRest                     bool
}

// judgeOrders: one order for each paid term, of the money that Stripe took. Beside
// them there may be those that were never paid and are over.
func (s *Subscriber) judgeOrders() {
	s.t.Helper()
	rows, err := s.w.DB.Query(s.t.Context(), `SELECT o.id::text, o.kind, o.state, o.plan_id, coalesce(p.charge_id, ''), o.amount_minor, o.next_look_at IS NOT NULL
		FROM orders.orders o LEFT JOIN payments.payments p ON p.order_id = o.id AND p.status = 'SUCCEEDED' WHERE o.email_key = lower($1)
			AND (o.state <> 'EXPIRED' OR p.charge_id IS NOT NULL) ORDER BY o.created_at`, s.Email)
	if err != nil {
		s.t.Fatal(err)
	}
	orders, err := pgx.CollectRows(rows, pgx.RowToStructByPos[record])
	if err != nil {
		s.t.Fatal(err)
	}
	terms := s.truth.latest().terms
	if len(orders) != len(terms) {
		s.failf("%d orders for %d paid terms: %+v, %s", len(orders), len(terms), orders, s.truth.latest())
	}
	charges := s.charges()
	for _, x := range terms {
		i := slices.IndexFunc(orders, func(o record) bool { return o.Charge == x.charge })
		if i < 0 {
			s.failf("no order for %s: %+v", x.charge, orders)
		}
		o, kind, states := orders[i], "RENEWAL", []string{"COMPLETE", "RECOVERED"}
		if x.reason == "subscription_create" {
			kind = "PURCHASE"
		}
		if !x.refundedAt.IsZero() {
			states = []string{"REFUNDED"}
		}
		if o.Kind != kind || !slices.Contains(states, o.State) || o.NotAtRest || o.Amount != charges[x.charge] || (kind == "PURCHASE") != (o.ID == s.First.ID) {
			s.failf("the order of %s is %+v, want a %s that is one of %v and of %d", x.invoice, o, kind, states, charges[x.charge])
		}
	}
	if n := s.count(`SELECT count(*) FROM orders.history h JOIN orders.orders o ON o.id = h.order_id WHERE o.email_key = lower($1) AND h.to_state = 'ORPHANED'`, s.Email); n != 0 {
		s.failf("%d orders were orphans", n)
	}
}

func (s *Subscriber) charges() map[string]int64 {
	s.t.Helper()
	amounts := map[string]int64{}
	for _, c := range s.w.Stripe.Charges(s.truth.sub.Customer) {
		if c.Status == "succeeded" {
			amounts[c.ID] = c.Amount
		}
	}
	return amounts
}

// judgeGrants: one grant for each paid term, of exactly its period.
func (s *Subscriber) judgeGrants() {
	s.t.Helper()
	for _, x := range s.truth.latest().terms {
		n := s.count(`SELECT count(*) FROM provisioning.grants g JOIN payments.payments p ON p.order_id = g.order_id WHERE p.charge_id = $1`, x.charge)
		exact := s.count(`SELECT count(*) FROM provisioning.grants g JOIN payments.payments p ON p.order_id = g.order_id
			WHERE p.charge_id = $1 AND g.account_id = $2 AND g.starts_at = $3 AND g.ends_at = $4 AND (g.withdrawn_at IS NOT NULL) = $5`,
			x.charge, s.account, x.starts, x.ends, !x.refundedAt.IsZero())
		if n == 0 && !x.refundedAt.IsZero() {
			continue // refunded before anybody heard of it
		}
		if n != 1 || exact != 1 {
			s.failf("%d grants for %s, and %d of them from %s to %s", n, x.invoice, exact, x.starts.Format(stamp), x.ends.Format(stamp))
		}
	}
	if n, most := s.count("SELECT count(*) FROM provisioning.grants WHERE account_id = $1", s.account), len(s.truth.latest().terms); n > most {
		s.failf("%d grants for %d paid terms", n, most)
	}
}

// judgeMails: no mail twice, and each kind as often as there were causes.
func (s *Subscriber) judgeMails() {
	s.t.Helper()
	got := map[string]int{}
	ids := map[string]bool{}
	for _, m := range s.w.Mails(s.Email) {
		if ids[m.MessageID] {
			s.failf("the mail %q came twice", m.Subject)
		}
		ids[m.MessageID] = true
		got[m.Kind()]++
	}
	least, most := map[string]int{}, map[string]int{}
	for _, kind := range []string{"payment_failed", "action_required", "access_ending", "repeat_refused"} {
		least[kind], most[kind] = s.causes.least(kind), s.causes.most(kind)
	}
	for _, x := range s.truth.latest().terms {
		if x.reason == "subscription_create" {
			continue
		}
		most["renewed"]++
		if x.refundedAt.IsZero() && !s.endedAround(x.paidAt) {
			least["renewed"]++
		}
	}
	most["refund"] = s.refunds
	begin := got["confirmation"] + got["recovery"]
	delete(got, "confirmation")
	delete(got, "recovery")
	if begin != 1 {
		s.failf("%d mails say that it began: %v", begin, got)
	}
	for kind := range most {
		if got[kind] < least[kind] || got[kind] > most[kind] {
			s.failf("%d mails of kind %s, want %d to %d: %+v", got[kind], kind, least[kind], most[kind], s.causes)
		}
		delete(got, kind)
	}
	if len(got) > 0 {
		s.failf("mails without a cause: %v", got)
	}
}

// endedAround says whether the subscription ended about when a term was paid:
// then nobody is told of access that is gone.
func (s *Subscriber) endedAround(at time.Time) bool {
	for _, v := range s.truth.views {
		if v.ended() && v.since.Before(at.Add(lookAtLatest+slack)) {
			return true
		}
	}
	return false
}

// judgeCases: nobody was bothered, but about a term that was given back while its
// subscription was to go on, and about that once.
func (s *Subscriber) judgeCases() {
	s.t.Helper()
	may := map[string]bool{}
	for _, x := range s.truth.latest().terms {
		if !x.refundedAt.IsZero() {
			var order string
			if err := s.w.DB.QueryRow(s.t.Context(), `SELECT order_id::text FROM payments.payments WHERE charge_id = $1`, x.charge).Scan(&order); err != nil {
				s.t.Fatalf("the order of %s: %v", x.charge, err)
			}
			may["SUBSCRIPTION order/"+order] = true
		}
	}
	for _, c := range s.w.Cases() {
		about, _, _ := strings.Cut(c, ":")
		if !may[about] {
			s.failf("a case without a cause: %q", c)
		}
		delete(may, about)
	}
}

func (s *Subscriber) count(sql string, args ...any) (n int) {
	s.t.Helper()
	if err := s.w.DB.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return n
}
