package disposition_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"makegood.example/services/reconciliation/internal/disposition"
)

var (
	chargedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later     = chargedAt.Add(time.Minute)
)

// paid is a charge of $249.00 of ours, whose order is complete with access.
func paid(change ...func(*disposition.Facts)) disposition.Facts {
	f := disposition.Facts{
		Charge: disposition.Charge{
			ID: "ch_1", IntentID: "pi_1", CustomerID: "cus_1", Status: disposition.Succeeded, Captured: true,
			AmountMinor: 24900, Currency: "USD", CreatedAt: chargedAt, Owner: disposition.Ours, OwnerReason: "its mark",
			OrderID: "order-1", Recorded: true,
		},
		Order: &disposition.Order{
			ID: "order-1", State: "COMPLETE", PaidBy: "ch_1", CustomerID: "cus_1", AmountMinor: 24900, Currency: "USD", CompletedAt: later,
		},
		Grant: &disposition.Grant{},
	}
	for _, do := range change {
		do(&f)
	}
	return f
}

type facts = disposition.Facts

func state(name string) func(*facts) {
	return func(f *facts) {
		f.Order.State, f.Order.CompletedAt, f.Grant = name, time.Time{}, nil
		if name == "PENDING" || name == "FAILED" || name == "EXPIRED" {
			f.Order.PaidBy, f.Order.CustomerID = "", ""
		}
	}
}

func noOrder(f *facts)  { f.Order, f.Grant = nil, nil }
func noGrant(f *facts)  { f.Grant = nil }
func revoked(f *facts)  { f.Grant = &disposition.Grant{Revoked: true} }
func ended(f *facts)    { f.Grant = &disposition.Grant{Revoked: true, Ended: true} }
func refunded(f *facts) { f.Charge.RefundedMinor = f.Charge.AmountMinor }
func pending(f *facts)  { f.Charge.Status, f.Charge.Captured = disposition.Pending, false }
func reserved(f *facts) { f.Charge.Captured = false }
func lost(f *facts)     { f.Charge.Disputed, f.Order.Dispute = true, "LOST" }
func unknown(f *facts)  { f.Charge.Recorded = false }
func inFlight(f *facts) { f.InFlight = true }

func owner(o disposition.Owner) func(*facts) { return func(f *facts) { f.Charge.Owner = o } }

func TestDecide(t *testing.T) {
	const nothing, advance, tell = disposition.Nothing, disposition.Advance, disposition.Tell
	for _, c := range []struct {
		name   string
		facts  disposition.Facts
		kind   disposition.Kind
		step   disposition.Step
		asked  disposition.CaseKind
		reason string
	}{
		{"an undisturbed purchase", paid(), "MATCHED", nothing, "", "order-1 is COMPLETE"},
		{"finished late", paid(func(f *facts) { f.Order.State = "RECOVERED" }), "RECOVERED", nothing, "", "its own request"},
		{"finished by the webhook", paid(func(f *facts) { f.Order.RecoveredBy = "webhook" }), "RECOVERED", nothing, "", "by webhook"},
		{"finished by support", paid(func(f *facts) { f.Order.RecoveredBy = "support:sam" }), "RECOVERED", nothing, "", "support:sam"},
		{"of a customer that Orders does not know", paid(func(f *facts) { f.Order.CustomerID = "" }), "MATCHED", nothing, "", ""},
		{"a charge without a customer", paid(func(f *facts) { f.Charge.CustomerID = "" }), "MATCHED", nothing, "", ""},
		{"a partial refund", paid(func(f *facts) { f.Charge.RefundedMinor, f.Order.RefundedMinor = 900, 900 }), "MATCHED", nothing, "", ""},
		{"disputed", paid(func(f *facts) { f.Charge.Disputed, f.Order.Dispute = true, "OPEN" }), "MATCHED", nothing, "", ""},
		{"dispute won", paid(func(f *facts) { f.Charge.Disputed, f.Order.Dispute = true, "WON" }), "MATCHED", nothing, "", ""},
		{"dispute lost", paid(lost, revoked, func(f *facts) { f.Order.AccessWithdrawnAt = later }), "MATCHED", nothing, "", "lost"},
		{"dispute lost about a part", paid(lost, revoked, func(f *facts) { f.Order.AccessWithdrawnAt, f.Charge.LostMinor = later, 1000 }), "QUARANTINED", nothing, disposition.LostInPart, "$239.00 is still with us"},
		{"dispute lost about a part, and the rest refunded", paid(lost, revoked, func(f *facts) {
			f.Order.AccessWithdrawnAt, f.Charge.LostMinor, f.Charge.RefundedMinor, f.Order.RefundedMinor = later, 1000, 23900, 23900
		}), "MATCHED", nothing, "", "lost"},
		{"dispute lost about all", paid(lost, revoked, func(f *facts) { f.Order.AccessWithdrawnAt, f.Charge.LostMinor = later, 24900 }), "MATCHED", nothing, "", "lost"},
		{"dispute lost about a part, access still there", paid(lost, func(f *facts) { f.Charge.LostMinor = 1000 }), "OPEN", advance, "", "not withdrawn yet"},
		{"dispute lost, access still there", paid(lost), "OPEN", advance, "", "not withdrawn yet"},
		{"a renewal that names the first order", paid(func(f *facts) { f.Charge.OrderID = "order-0" }), "MATCHED", nothing, "", ""},

		{"another product's", paid(owner(disposition.NotOurs)), "FOREIGN", nothing, "", "its mark"},
		{"another product's, refunded", paid(owner(disposition.NotOurs), refunded), "FOREIGN", nothing, "", ""},
		{"another product's, of our amount and customer, without an order", paid(owner(disposition.NotOurs), noOrder), "FOREIGN", nothing, "", ""},
		{"another product's, pending", paid(owner(disposition.NotOurs), pending), "FOREIGN", nothing, "", ""},

		{"hints that do not agree", paid(owner(disposition.Unclear)), "QUARANTINED", nothing, disposition.UnclearEvent, "do not agree"},
		{"an owner that is not said", paid(owner("OWNER_UNSPECIFIED")), "QUARANTINED", nothing, disposition.UnclearEvent, ""},
		{"of the old checkout", paid(owner(disposition.Claimed), noOrder), "QUARANTINED", nothing, disposition.ClaimedCharge, "adopts"},
		{"of the old checkout, refunded", paid(owner(disposition.Claimed), noOrder, refunded), "QUARANTINED", nothing, "", ""},
		{"one cent too little", paid(state("PENDING"), func(f *facts) { f.Charge.AmountMinor-- }), "QUARANTINED", nothing, disposition.WrongCharge, "$249.00"},
		{"another amount on Stripe's page, and Orders has not heard", paid(state("PENDING"), func(f *facts) { f.Charge.AmountMinor, f.Order.AmountOpen = 19900, true }), "OPEN", advance, "", "PENDING"},
		{"another currency on Stripe's page", paid(state("PENDING"), func(f *facts) { f.Charge.Currency, f.Order.AmountOpen = "JPY", true }), "QUARANTINED", nothing, disposition.WrongCharge, ""},
		{"another currency", paid(state("PENDING"), func(f *facts) { f.Charge.Currency = "JPY" }), "QUARANTINED", nothing, disposition.WrongCharge, ""},
		{"another customer", paid(func(f *facts) { f.Charge.CustomerID = "cus_2" }), "QUARANTINED", nothing, disposition.WrongCharge, "cus_2"},
		{"wrong and not taken yet", paid(state("PENDING"), pending, func(f *facts) { f.Charge.AmountMinor-- }), "QUARANTINED", nothing, "", ""},
		{"wrong and refunded", paid(func(f *facts) { f.Charge.CustomerID = "cus_2" }, refunded), "QUARANTINED", nothing, "", ""},
		{"wrong and a duplicate", paid(func(f *facts) { f.Order.PaidBy, f.Charge.AmountMinor = "ch_0", 1 }), "QUARANTINED", nothing, disposition.WrongCharge, ""},
		{"it names one order and another has its intent", paid(func(f *facts) { f.Charge.OrderID, f.Order.PaidBy = "order-2", "" }), "QUARANTINED", nothing, disposition.UnclearEvent, "order-2"},
		{"nobody identifiable", paid(noOrder, func(f *facts) { f.CannotAdopt = "no address" }), "QUARANTINED", nothing, disposition.UnidentifiedCharge, "no address"},
		{"refunded here and not at Stripe", paid(state("REFUNDED"), func(f *facts) { f.Order.RefundedMinor, f.Told = 24900, true }), "QUARANTINED", nothing, disposition.FailedRefund, "$0.00 of $249.00"},

		{"refunded", paid(state("REFUNDED"), refunded, func(f *facts) { f.Order.RefundedMinor, f.Order.AccessWithdrawnAt = 24900, later }), "REFUNDED", nothing, "", "in full"},
		{"refunded, and Orders does not know", paid(refunded), "REFUNDED", tell, "", "not withdrawn"},
		{"refunded, and access is not withdrawn yet", paid(state("REFUNDED"), refunded, func(f *facts) { f.Order.RefundedMinor = 24900 }), "REFUNDED", tell, "", "not withdrawn"},
		{"refunded, and Provisioning has lost the withdrawal", paid(refunded, func(f *facts) {
			f.Order.State, f.Order.RefundedMinor, f.Order.AccessWithdrawnAt = "REFUNDED", 24900, later
		}), "REFUNDED", advance, "", "does not know"},
		{"refunded, and Provisioning shows the withdrawal", paid(refunded, revoked, func(f *facts) {
			f.Order.State, f.Order.RefundedMinor, f.Order.AccessWithdrawnAt = "REFUNDED", 24900, later
		}), "REFUNDED", nothing, "", "in full"},
		{"dispute lost, and Provisioning has lost the withdrawal", paid(lost, func(f *facts) { f.Order.AccessWithdrawnAt = later }), "OPEN", advance, "", "does not know"},
		{"refunded, without an order", paid(refunded, noOrder), "REFUNDED", nothing, "", ""},
		{"the second of two, refunded", paid(refunded, func(f *facts) { f.Order.PaidBy = "ch_0" }), "REFUNDED", nothing, "", ""},
		{"reserved and released", paid(noOrder, reserved, refunded), "REFUNDED", nothing, "", "released"},

		{"two charges for one order", paid(func(f *facts) { f.Order.PaidBy = "ch_0" }), "DUPLICATE", nothing, disposition.DuplicateCharge, "ch_0"},
		{"the same person paid before", paid(func(f *facts) { f.Order.DuplicateOf = "order-0" }), "DUPLICATE", nothing, disposition.DuplicateCharge, "order-0"},
		{"the same person paid before, not fulfilled", paid(state("CHARGED"), func(f *facts) { f.Order.DuplicateOf = "order-0" }), "DUPLICATE", advance, disposition.DuplicateCharge, ""},
		{"finished by the rescue, and a duplicate", paid(func(f *facts) { f.Order.RecoveredBy, f.Order.DuplicateOf = "rescue", "order-0" }), "DUPLICATE", nothing, disposition.DuplicateCharge, ""},
		{"the same person paid before, and the bank gave this back", paid(lost, revoked, func(f *facts) { f.Order.DuplicateOf, f.Order.AccessWithdrawnAt = "order-0", later }), "MATCHED", nothing, "", "lost"},
		{"the same person paid before, and the bank is asked for this", paid(func(f *facts) { f.Charge.Disputed, f.Order.Dispute, f.Order.DuplicateOf = true, "OPEN", "order-0" }), "DUPLICATE", nothing, disposition.DuplicateCharge, ""},
		{"the same person paid before, an orphan that is not through", paid(state("ORPHANED"), func(f *facts) { f.Order.DuplicateOf = "order-0" }), "DUPLICATE", advance, disposition.DuplicateCharge, ""},
		{"the same person paid before, this was lost and never fulfilled", paid(state("CHARGED"), func(f *facts) { f.Charge.Disputed, f.Order.Dispute, f.Order.DuplicateOf = true, "LOST", "order-0" }), "DUPLICATE", advance, disposition.DuplicateCharge, "order-0"},
		{"given up, and the same person paid again", paid(state("EXPIRED"), func(f *facts) { f.Order.DuplicateOf = "order-2" }), "DUPLICATE", nothing, disposition.DuplicateCharge, "given up as EXPIRED"},
		{"given up, paid again, and Payments has no record", paid(state("FAILED"), unknown, func(f *facts) { f.Order.DuplicateOf = "order-2" }), "DUPLICATE", tell, disposition.DuplicateCharge, "order-2"},
		{"the first of two went back, and the second stands", paid(state("REFUNDED"), func(f *facts) { f.Order.PaidBy = "ch_0" }), "QUARANTINED", nothing, disposition.DuplicateCharge, "still stands"},
		{"it names an order that has another intent", paid(state("PENDING"), unknown, func(f *facts) { f.CannotAdopt = "order of its own" }), "QUARANTINED", nothing, disposition.UnclearEvent, "order of its own"},
		{"a second one that is pending", paid(pending, func(f *facts) { f.Order.PaidBy = "ch_0" }), "OPEN", nothing, "", "bank"},

		{"pending", paid(noOrder, pending), "OPEN", nothing, "", "bank"},
		{"reserved", paid(state("PENDING"), reserved), "OPEN", nothing, "", "reserved"},
		{"without an order", paid(noOrder), "OPEN", tell, "", "no order"},
		{"without an order, and new", paid(noOrder, inFlight), "OPEN", nothing, "", "new"},
		{"it names no order and has the intent of one", paid(state("PENDING"), func(f *facts) { f.Charge.OrderID = "" }), "OPEN", advance, "", "PENDING"},
		{"one cent more than its order", paid(func(f *facts) { f.Charge.AmountMinor++ }), "QUARANTINED", nothing, disposition.WrongCharge, "$249.00"},
		{"Orders cannot take what it is told of one that is written down", paid(state("PENDING"), func(f *facts) { f.CannotAdopt = "plan" }), "OPEN", advance, "", "PENDING"},
		{"Orders has not heard", paid(state("PENDING")), "OPEN", advance, "", "PENDING"},
		{"Orders has not heard, and it is new", paid(state("PENDING"), inFlight), "OPEN", nothing, "", "new"},
		{"Orders gave it up", paid(state("EXPIRED")), "OPEN", advance, "", "EXPIRED"},
		{"given up, paid, and Orders does not fulfil it", paid(state("EXPIRED"), func(f *facts) { f.Advanced = true }), "QUARANTINED", nothing, "", "a person"},
		{"declined, and paid after all", paid(state("FAILED")), "OPEN", advance, "", "FAILED"},
		{"Payments has lost it, too", paid(state("PENDING"), unknown), "OPEN", tell, "", "no record"},
		{"Payments has lost it", paid(unknown), "OPEN", tell, "", "no record"},
		{"charged, without access", paid(state("CHARGED")), "OPEN", advance, "", "CHARGED"},
		{"an orphan that is not through", paid(state("ORPHANED")), "OPEN", advance, "", "ORPHANED"},
		{"complete, without access", paid(noGrant), "OPEN", advance, "", "without access"},
		{"recovered, without access", paid(noGrant, func(f *facts) { f.Order.State = "RECOVERED" }), "OPEN", advance, "", "without access"},
		{"complete, access withdrawn", paid(revoked), "OPEN", advance, "", "withdrawn"},
		{"complete, its subscription was ended", paid(ended), "MATCHED", nothing, "", "ended before the term"},
		{"a partial refund that Orders does not know", paid(func(f *facts) { f.Charge.RefundedMinor = 900 }), "OPEN", tell, "", "$9.00"},
		{"a refund that came back", paid(func(f *facts) { f.Order.RefundedMinor = 900 }), "OPEN", tell, "", "$9.00"},
		{"a dispute that Orders does not know", paid(func(f *facts) { f.Charge.Disputed = true }), "OPEN", tell, "", "disputed"},
		{"refunded here, Stripe not asked again yet", paid(state("REFUNDED"), func(f *facts) { f.Order.RefundedMinor = 24900 }), "OPEN", tell, "", ""},

		{"failed", paid(func(f *facts) { f.Charge.Status = disposition.Failed }), "", nothing, "", ""},
		{"failed, of another product", paid(owner(disposition.NotOurs), func(f *facts) { f.Charge.Status = disposition.Failed }), "", nothing, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := disposition.Decide(c.facts)
			if d.Kind != c.kind || d.Step != c.step || !strings.Contains(d.Reason, c.reason) {
				t.Errorf("it is %s (%s), to do: %q; want %s, %q", d.Kind, d.Reason, d.Step, c.kind, c.step)
			}
			asked := disposition.CaseKind("")
			if d.Case != nil {
				asked = d.Case.Kind
				if !strings.Contains(d.Case.Summary, "ch_1") || !strings.Contains(d.Case.Summary, "$") && c.facts.Charge.Currency == "USD" {
					t.Errorf("the case does not name the charge and its amount: %s", d.Case.Summary)
				}
			}
			if asked != c.asked {
				t.Errorf("case %q, want %q", asked, c.asked)
			}
		})
	}
}

func TestADuplicateShowsBothCharges(t *testing.T) {
	one := disposition.Decide(paid(func(f *facts) { f.Order.PaidBy = "ch_0" })).Case.Summary
	two := disposition.Decide(paid(func(f *facts) {
		f.Order.DuplicateOf, f.Order.DuplicateDescription = "order-0", "order order-0 by ch_0 ($249.00)"
	})).Case.Summary
	for _, summary := range []string{one, two} {
		if !strings.Contains(summary, `RefundPayment {"order_id": "order-1", "charge_id": "ch_1"`) || !strings.Contains(summary, "pi_1") || !strings.Contains(summary, "ch_0") || !strings.Contains(summary, "ch_1") || strings.Count(summary, "$249.00") != 2 {
			t.Errorf("summary: %s", summary)
		}
	}
}

// What the bank gives back must not be refunded as well.
func TestADisputedDuplicateNamesNoRefund(t *testing.T) {
	for dispute, refundable := range map[string]bool{"": false, "OPEN": false, "WON": true} {
		for _, d := range []disposition.Decision{
			disposition.Decide(paid(func(f *facts) { f.Charge.Disputed, f.Order.Dispute, f.Order.DuplicateOf = true, dispute, "order-0" })),
			// An order says how the dispute of its own charge stands, and not of this one.
			disposition.Decide(paid(func(f *facts) { f.Charge.Disputed, f.Order.Dispute, f.Order.PaidBy = true, dispute, "ch_0" })),
		} {
			if strings.Contains(d.Case.Summary, "RefundPayment") != refundable || strings.Contains(d.Case.Summary, "the bank disputes") == refundable {
				t.Errorf("dispute %q: %s", dispute, d.Case.Summary)
			}
			refundable = false
		}
	}
}

// TestEveryCombination walks everything that can be known of a charge, also what
// should not occur together, and holds what must hold for each.
func TestEveryCombination(t *testing.T) {
	kinds := []disposition.Kind{"FOREIGN", "QUARANTINED", "REFUNDED", "DUPLICATE", "RECOVERED", "MATCHED", "OPEN"}
	seen := map[disposition.Kind]int{}
	each := func(f disposition.Facts) {
		d := disposition.Decide(f)
		c, o := f.Charge, f.Order
		complain := func(what string) { t.Fatalf("%s: %+v of %+v, order %+v, grant %+v", what, d, c, o, f.Grant) }
		if c.Status == disposition.Failed {
			if d.Kind != "" || d.Step != "" || d.Case != nil {
				complain("a failed charge is something")
			}
			return
		}
		seen[d.Kind]++
		switch {
		case !slices.Contains(kinds, d.Kind):
			complain("no disposition")
		case (d.Kind == disposition.Foreign) != (c.Owner == disposition.NotOurs):
			complain("foreign")
		case c.Owner != disposition.Ours && d.Step != "":
			complain("what is not surely ours is touched")
		case c.Owner == disposition.NotOurs && (d.Case != nil || d.OrderID != ""):
			complain("a foreign charge has a case or an order")
		case d.Kind == disposition.Quarantined && d.Step != "":
			complain("something is done before a person has looked")
		case d.Case != nil && (!c.Taken() || c.FullyRefunded()):
			complain("a case about no money")
		case d.HasAccess() && (o == nil || !c.Taken() || o.State != "COMPLETE" && o.State != "RECOVERED"):
			complain("access without a fulfilled order")
		case d.HasAccess() && o.Dispute != "LOST" && (f.Grant == nil || f.Grant.Revoked):
			complain("access without a grant")
		case d.HasAccess() && (o.AmountMinor != c.AmountMinor || o.PaidBy != "" && o.PaidBy != c.ID || d.Step != "" || d.Again):
			complain("access for the wrong money, or not at rest")
		case d.Kind == disposition.Open && !d.Again:
			complain("open and never read again")
		case c.Status == disposition.Pending && c.Owner != disposition.NotOurs && !d.Again:
			complain("pending and never read again")
		case f.InFlight && d.Kind == disposition.Open && d.Step != "":
			complain("the buyer's own request is overtaken")
		case d.Kind == disposition.Duplicate && d.Case == nil:
			complain("a duplicate that nobody is asked about")
		case c.Owner == disposition.Ours && c.FullyRefunded() && d.Kind != disposition.Refunded && d.Kind != disposition.Quarantined:
			complain("refunded money is counted as ours")
		case d.Reason == "" || len(d.Evidence) == 0:
			complain("no reason")
		}
	}
	n := 0
	for _, own := range []disposition.Owner{disposition.NotOurs, disposition.Ours, disposition.Claimed, disposition.Unclear} {
		for _, status := range []disposition.Status{disposition.Succeeded, disposition.Pending, disposition.Failed} {
			for bits := range 1 << 9 {
				bit := func(i int) bool { return bits>>i&1 == 1 }
				for _, refund := range []int64{0, 900, 24900} {
					for _, st := range []string{"", "PENDING", "CHARGED", "COMPLETE", "RECOVERED", "FAILED", "EXPIRED", "ORPHANED", "REFUNDED"} {
						f := paid(owner(own))
						f.Charge.Status, f.Charge.RefundedMinor = status, refund
						f.Charge.Captured, f.Charge.Recorded, f.Charge.Disputed, f.InFlight = bit(0), bit(1), bit(2), bit(3)
						f.Order.State = st
						if bit(4) {
							f.Order.PaidBy = "ch_0"
						}
						if bit(5) {
							f.Order.AmountMinor = 24901
						}
						if bit(6) {
							f.Order.DuplicateOf = "order-0"
						}
						if bit(7) {
							f.Grant = nil
						}
						if f.Told = bit(8); f.Told {
							f.Order.Dispute = "LOST"
							f.Grant = &disposition.Grant{Revoked: true}
						}
						if st == "" {
							noOrder(&f)
						}
						each(f)
						n++
					}
				}
			}
		}
	}
	for _, k := range kinds {
		if seen[k] == 0 {
			t.Errorf("of %d combinations none is %s", n, k)
		}
	}
}
