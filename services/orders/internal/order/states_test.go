package order_test

import (
	"slices"
	"strings"
	"testing"

	"makegood.example/services/orders/internal/order"
)

// machine is the specification of the states, written out by hand. A dash
// means: old news, nothing changes.
const machine = `
            paid     declined  canceled  resubmitted  fulfilled  fulfilled-late  refunded
PENDING     CHARGED  FAILED    EXPIRED   -            -          -               REFUNDED
CHARGED     -        -         -         -            COMPLETE   RECOVERED       REFUNDED
COMPLETE    -        -         -         -            -          -               REFUNDED
RECOVERED   -        -         -         -            -          -               REFUNDED
FAILED      CHARGED  -         EXPIRED   PENDING      -          -               -
EXPIRED     CHARGED  -         -         -            -          -               -
ORPHANED    -        -         -         -            -          RECOVERED       REFUNDED
REFUNDED    -        -         -         -            -          -               -
`

func TestEveryStateAndEvent(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(machine), "\n")
	var events []order.Event
	for _, e := range strings.Fields(lines[0]) {
		events = append(events, order.Event(strings.ReplaceAll(e, "-", " ")))
	}
	if len(events) != len(order.Events) {
		t.Fatalf("the specification has %d events, the code %d", len(events), len(order.Events))
	}
	seen := map[order.State]bool{}
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		from := order.State(cells[0])
		seen[from] = true
		if !slices.Contains(order.States, from) {
			t.Errorf("%s is specified but is no state", from)
		}
		for i, event := range events {
			if !slices.Contains(order.Events, event) {
				t.Errorf("%q is specified but is no event", event)
			}
			got, follows := from.After(event)
			switch want := cells[i+1]; {
			case want == "-" && follows:
				t.Errorf("%s when %s: became %s, want nothing to follow", from, event, got)
			case want != "-" && (!follows || string(got) != want):
				t.Errorf("%s when %s: %q (%t), want %s", from, event, got, follows, want)
			}
		}
	}
	for _, s := range order.States {
		if !seen[s] {
			t.Errorf("%s is not specified", s)
		}
	}
}

func TestAtRestAndFulfilled(t *testing.T) {
	atRest := map[order.State]bool{
		order.Complete: true, order.Recovered: true, order.Failed: true, order.Expired: true, order.Refunded: true,
		order.Pending: false, order.Charged: false, order.Orphaned: false,
	}
	for _, s := range order.States {
		want, specified := atRest[s]
		if !specified || s.AtRest() != want {
			t.Errorf("%s at rest: %t, want %t (specified: %t)", s, s.AtRest(), want, specified)
		}
		if want := s == order.Complete || s == order.Recovered; s.Fulfilled() != want {
			t.Errorf("%s fulfilled: %t", s, s.Fulfilled())
		}
	}
}

func TestRefundedIsNeverRevived(t *testing.T) {
	for _, e := range order.Events {
		if next, follows := order.Refunded.After(e); follows {
			t.Errorf("REFUNDED when %s became %s", e, next)
		}
	}
}

func TestOnlyMoneyLeadsToAccess(t *testing.T) {
	// From a state that is not known to be paid, no single event but Paid may
	// lead to one that is, unless all of that money is gone again.
	unpaid := []order.State{order.Pending, order.Failed, order.Expired}
	for _, s := range unpaid {
		for _, e := range order.Events {
			if next, follows := s.After(e); follows && e != order.Paid && next != order.Refunded && !slices.Contains(unpaid, next) {
				t.Errorf("%s when %s became %s without money", s, e, next)
			}
		}
	}
}
