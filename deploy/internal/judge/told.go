package judge

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// told: whoever got access was told so in one mail, which may have come again
// under its own Message-ID when an answer of the mail server was lost.
func (v *verdict) told() {
	v.addressed()
	copies := map[string]int{}
	kinds := map[string]map[string][]string{} // order → kind → Message-IDs
	for _, m := range v.mails {
		if m.order() == "" {
			continue
		}
		if copies[m.MessageID]++; copies[m.MessageID] == 1 {
			if kinds[m.order()] == nil {
				kinds[m.order()] = map[string][]string{}
			}
			kinds[m.order()][m.kind()] = append(kinds[m.order()][m.kind()], m.MessageID)
		}
	}
	for id, n := range copies {
		if tried := v.records.messages[id]; n > 1 && n > tried.Attempts {
			v.found(ToldTwice, "mail "+id, "it arrived %d times and was tried %d times", n, tried.Attempts)
		}
	}
	for _, o := range v.records.orders {
		mails := kinds[o.ID]
		begin := slices.Concat(mails["confirmation"], mails["recovery"], mails["renewed"])
		if len(begin) > 1 {
			v.found(ToldTwice, o.ID, "%d different mails say that it gives access: %s", len(begin), strings.Join(begin, ", "))
		}
		if len(begin) == 0 && len(v.records.activeGrant[o.ID]) > 0 && o.State != "REFUNDED" && !v.gaveUp(o.ID, "CONFIRMATION", "RECOVERY", "RENEWED") {
			v.found(NotTold, o.ID, "it gives access, and no mail says so; mails about it: %s", strings.Join(slices.Sorted(maps.Keys(mails)), ", "))
		}
		if len(begin) > 0 && !slices.Contains(paidStates, o.State) {
			v.found(ToldUntrue, o.ID, "a mail confirms it, and it is %s", o.State)
		}
	}
	for order, mails := range kinds {
		if _, ok := v.records.ordersByID[order]; !ok && (len(mails["confirmation"]) > 0 || len(mails["recovery"]) > 0) {
			v.found(ToldUntrue, order, "a mail confirms an order that does not exist")
		}
	}
}

// triedFor is how long a mail is tried before a person must know: nothing here refuses
// one for good.
const triedFor = 72 * time.Hour

// undelivered: of a mail to a customer that is tried no more a person knows, and not
// sooner than it was tried for. That the mail server fails may be a case, too, until one
// is sent again.
func (v *verdict) undelivered() (all []wanted) {
	var last time.Time // when one was sent last
	for _, m := range v.records.messages {
		if m.SentAt != nil && m.SentAt.After(last) {
			last = *m.SentAt
		}
	}
	for _, m := range v.records.messages {
		if m.State == "FAILED" && m.Kind != "ALERT" && m.Kind != "DIGEST" {
			all = append(all, wanted{kind: "UNDELIVERED_MESSAGE", subject: "message/" + m.Key, charge: m.Key, after: m.CreatedAt.Add(triedFor), must: true,
				why: "a mail was given up"})
		}
	}
	if len(all) > 0 {
		all = append(all, wanted{kind: "UNDELIVERED_MESSAGE", subject: "mail-server", charge: "mail-server", after: last, why: "nothing was sent since"})
	}
	slices.SortFunc(all, func(a, b wanted) int { return strings.Compare(a.subject, b.subject) })
	return all
}

// gaveUp says whether a mail about an order was given up, of one of these kinds: its
// customer was not told, and a person is.
func (v *verdict) gaveUp(order string, kinds ...string) bool {
	for _, m := range v.records.messages {
		if m.Order == order && m.State == "FAILED" && slices.Contains(kinds, m.Kind) {
			return true
		}
	}
	return false
}

// acknowledged are the ledger's statuses at which Stripe may be told 2xx.
var acknowledged = []string{"PROCESSED", "IGNORED", "ORPHANED", "QUARANTINED"}

// tellsOfMoney are the events whose effect is a paid order.
var tellsOfMoney = []string{"payment_intent.succeeded", "charge.succeeded", "invoice.paid", "invoice.payment_succeeded", "checkout.session.completed"}

// events: what Stripe was told is settled is in the ledger, settled, and when it
// was about money of ours, that money is recorded.
func (v *verdict) events() {
	events := index(v.stripe.Events, func(e event) string { return e.ID })
	seen := map[string]bool{}
	deliveries := slices.Clone(v.stripe.Deliveries)
	for _, id := range v.heard {
		deliveries = append(deliveries, delivery{EventID: id, EventType: events[id].Type, LastStatus: http.StatusOK})
	}
	for _, d := range deliveries {
		if d.LastStatus < 200 || d.LastStatus >= 300 || seen[d.EventID] {
			continue
		}
		seen[d.EventID] = true
		row, ok := v.records.events[d.EventID]
		switch {
		case !ok:
			v.found(EventLost, d.EventID, "%s was answered with %d, and the ledger does not have it", d.EventType, d.LastStatus)
		case !slices.Contains(acknowledged, row.Status):
			v.found(EventLost, d.EventID, "%s was answered with %d, and is %s: %s", d.EventType, d.LastStatus, row.Status, row.Error)
		default:
			for _, c := range v.chargesOf(events[d.EventID]) {
				if _, known := v.records.byCharge[c.ID]; !known && c.Status == "succeeded" && v.stripe.ours(c) {
					v.found(EventLost, d.EventID, "%s of charge %s was answered with %d and is %s, and no payment has the charge", d.EventType, c.ID, d.LastStatus, row.Status)
				}
			}
		}
	}
}

// chargesOf are the charges that an event says were paid.
func (v *verdict) chargesOf(e event) (charges []charge) {
	if !slices.Contains(tellsOfMoney, e.Type) {
		return nil
	}
	var about struct {
		ID            string
		PaymentIntent string `json:"payment_intent"`
	}
	if json.Unmarshal(e.Data.Object, &about) != nil {
		return nil
	}
	for _, c := range v.stripe.Charges {
		if c.ID == about.ID || c.PaymentIntent != "" && (c.PaymentIntent == about.ID || c.PaymentIntent == about.PaymentIntent) || c.Invoice != "" && c.Invoice == about.ID {
			charges = append(charges, c)
		}
	}
	return charges
}
