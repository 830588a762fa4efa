package desk

import (
	"cmp"
	"strings"
	"time"
)

// Candidate is one of several that a customer's words may be about.
type Candidate struct {
	OrderID, ReferenceShort, ChargeID string
	EmailMasked, AmountDisplay        string
	CreatedAt                         time.Time
	// Query is what to look up to see this one, Why how it fits the words.
	Query, Why string
}

// Candidates are those whom the words may be about when that is not certain, and
// none when it is. An address and another one of its mailbox are told apart, and
// never mixed; a short reference may be of several orders; and a card, an amount and
// a day may fit several people. orders and charges are what the words found, the
// newest first.
func Candidates(q Query, orders []Order, charges []Charge) (list []Candidate) {
	switch q.Kind {
	case ByEmail:
		return addresses(q, orders, charges)
	case ByReference:
		if len(orders) < 2 {
			return nil
		}
		for _, o := range orders {
			list = append(list, candidate(o, "its reference begins with "+q.Text))
		}
	case ByCard:
		return people(orders, charges)
	}
	return list
}

func candidate(o Order, why string) Candidate {
	return Candidate{
		OrderID: o.ID, ReferenceShort: o.ReferenceShort, EmailMasked: o.EmailMasked, AmountDisplay: o.AmountDisplay, CreatedAt: o.CreatedAt,
		Query: o.ID, Why: why,
	}
}

// addresses are the addresses of one mailbox, each by its newest order.
func addresses(q Query, orders []Order, charges []Charge) (list []Candidate) {
	asked, aliases := AddressKey(q.Text), false
	seen := map[string]bool{}
	for _, o := range orders {
		key := AddressKey(o.Email)
		if seen[key] {
			continue
		}
		seen[key] = true
		if key == asked {
			list = append(list, candidate(o, "this very address"))
			continue
		}
		aliases = true
		list = append(list, candidate(o, "another address of the same mailbox"))
	}
	if !aliases {
		return nil
	}
	for _, c := range charges {
		if !seen[asked] && c.Paid && c.Owner != "FOREIGN" {
			return append(list, charged(c, "a charge of this very address, without an order"))
		}
	}
	return list
}

// people are those whose charges fit what a statement shows.
func people(orders []Order, charges []Charge) (list []Candidate) {
	seen := map[string]bool{}
	for _, c := range charges {
		o, ordered := Person{Orders: orders}.order(c.OrderID)
		key := cmp.Or(AddressKey(o.Email), AddressKey(c.Email), c.CustomerID, c.ID)
		if seen[key] {
			continue
		}
		seen[key] = true
		why := "charged on " + minute(c.CreatedAt)
		if c.Owner == "FOREIGN" {
			why += ", not for this product"
		}
		if c.Status == "FAILED" {
			why += ", refused by the bank"
		}
		if ordered {
			list = append(list, candidate(o, why))
			continue
		}
		list = append(list, charged(c, why))
	}
	if len(list) < 2 {
		return nil
	}
	return list
}

func charged(c Charge, why string) Candidate {
	return Candidate{ChargeID: c.ID, EmailMasked: mask(c.Email), AmountDisplay: c.AmountDisplay, CreatedAt: c.CreatedAt, Query: c.ID, Why: why}
}

// AddressKey is an address as it is compared: trimmed, without case.
func AddressKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// mask shows enough of an address for its owner to be recognised, and no more.
func mask(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 1 {
		return ""
	}
	return string([]rune(email[:at])[0]) + "***" + email[at:]
}
