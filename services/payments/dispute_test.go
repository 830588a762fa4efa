package payments_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	pb "makegood.example/proto/gen/payments/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/access"
)

// disputed is what the customer's bank does to a charge.
func (s *scene) disputed(p *pb.Payment) (disputeID string) {
	s.t.Helper()
	var d struct{ ID string }
	s.control(http.MethodPost, "charges/"+p.GetChargeId()+"/dispute", map[string]string{"reason": "fraudulent"}, &d)
	return d.ID
}

func (s *scene) closed(disputeID, outcome string) {
	s.t.Helper()
	s.control(http.MethodPost, "disputes/"+disputeID+"/close", map[string]string{"outcome": outcome}, nil)
}

func TestADisputeFromItsOpeningToItsEnd(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]pb.Payment_Dispute{"won": pb.Payment_WON, "lost": pb.Payment_LOST} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, nil)
			p := s.bought("pm_card_visa")
			d := s.disputed(p)
			s.delivered(s.event("charge.dispute.created"), "PROCESSED")
			s.delivered(s.event("charge.dispute.funds_withdrawn"), "PROCESSED")
			if told := s.lastTold(p.GetOrderId()); told.GetDispute() != pb.Payment_OPEN || told.GetStatus() != pb.Payment_SUCCEEDED {
				t.Errorf("Orders was told %v", told)
			}
			if n := s.caseCount(reconciliationv1.Case_DISPUTE, p.GetOrderId()); n != 1 {
				t.Errorf("%d cases", n)
			}
			s.cases.set(func() {
				said := s.cases.opened[len(s.cases.opened)-1].GetSummary()
				if !strings.HasPrefix(said, "$249.00 of charge "+p.GetChargeId()+" is disputed (fraudulent): answer it at Stripe by ") || !strings.Contains(said, " UTC, do not refund") {
					t.Errorf("the case says %q", said)
				}
			})
			_, err := s.desk.RefundPayment(s.as(access.Support), wish(p, 1000))
			wantError(t, "a refund while it is open", err, codes.Aborted, "REFUND_DISPUTED")

			s.closed(d, outcome)
			s.delivered(s.event("charge.dispute.closed"), "PROCESSED")
			if told := s.lastTold(p.GetOrderId()); told.GetDispute() != want {
				t.Errorf("Orders was told %v", told)
			}
			if got := s.look(&pb.Purchase{OrderId: p.GetOrderId(), Reference: p.GetOrderId(), PlanId: "annual", AmountMinor: price, Currency: "USD",
				Email: "jane@example.com", OrderedAt: p.GetChargedAt()}, pb.Payment_SUCCEEDED); got.GetDispute() != want {
				t.Errorf("a look says %v", got)
			}
			if outcome == "won" {
				s.refunded(wish(p, 0), pb.Refund_SUCCEEDED)
			} else {
				_, err = s.desk.RefundPayment(s.as(access.Support), wish(p, 0))
				wantError(t, "a refund of what is lost", err, codes.Aborted, "REFUND_DISPUTED")
			}
		})
	}
}

// Whatever order the events come in, and how often: Orders ends up knowing how
// the dispute ended, and what was over when it was heard of is nobody's task.
func TestDisputeEventsInAnyOrder(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	for _, types := range permutations([]string{"charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.closed"}) {
		p := s.bought("pm_card_visa")
		s.closed(s.disputed(p), "lost")
		var events [][]byte
		for _, eventType := range types {
			events = append(events, s.event(eventType))
		}
		for _, e := range slices.Concat(events, events) {
			s.delivered(e, "PROCESSED")
		}
		for _, told := range s.orders.calls(p.GetOrderId()) {
			if told.GetPayment().GetDispute() != pb.Payment_LOST {
				t.Errorf("%v: Orders was told %v", types, told.GetPayment())
			}
		}
		if n := s.caseCount(reconciliationv1.Case_DISPUTE, p.GetOrderId()); n != 0 {
			t.Errorf("%v: %d cases", types, n)
		}
	}
}

// A case that cannot be opened is not forgotten.
func TestADisputeIsNotRecordedBeforeItIsACase(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	s.disputed(p)
	s.cases.set(func() { s.cases.down = true })
	s.notYet(s.event("charge.dispute.created"))
	if got := s.text(`SELECT dispute FROM payments.payments`); got != "" {
		t.Errorf("recorded as %s", got)
	}
	s.cases.set(func() { s.cases.down = false })
	s.delivered(s.event("charge.dispute.created"), "PROCESSED")
	if n := s.caseCount(reconciliationv1.Case_DISPUTE, p.GetOrderId()); n != 1 {
		t.Errorf("%d cases", n)
	}
}

func TestAnEarlyFraudWarningIsACase(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.bought("pm_card_visa")
	told := len(s.orders.calls(""))
	s.control(http.MethodPost, "charges/"+p.GetChargeId()+"/early_fraud_warning", map[string]string{"fraud_type": "misc"}, nil)
	warning := s.event("radar.early_fraud_warning.created")
	s.cases.set(func() { s.cases.down = true })
	s.notYet(warning)
	s.cases.set(func() { s.cases.down = false })
	s.delivered(warning, "PROCESSED")
	s.delivered(warning, "PROCESSED")
	if n := s.caseCount(reconciliationv1.Case_FRAUD_WARNING, p.GetOrderId()); n != 1 || len(s.orders.calls("")) != told {
		t.Errorf("%d cases, Orders was told %d times", n, len(s.orders.calls(""))-told)
	}
}

// permutations of a few things.
func permutations[T any](all []T) (out [][]T) {
	if len(all) == 0 {
		return [][]T{nil}
	}
	for i := range all {
		rest := slices.Concat(all[:i], all[i+1:])
		for _, p := range permutations(rest) {
			out = append(out, append([]T{all[i]}, p...))
		}
	}
	return out
}
