package reconciliation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	pb "makegood.example/proto/gen/reconciliation/v1"
)

// later lets the clock go on until a condition holds: reports come by the clock.
func (s *scene) later(what string, holds func() bool) {
	s.t.Helper()
	await(s.t, what, func() bool {
		s.clock.Advance(6 * time.Second)
		return holds()
	})
}

func TestAThousandOrphansAreOneIncidentWhoseCountGrows(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	d.set(func() { d.mailDown = true })
	dial := s.instance(d.env())
	payments := s.client(dial, "payments")
	const storm = 1000
	for n := range storm {
		if _, err := payments.OpenCase(t.Context(), &pb.OpenCaseRequest{
			Kind: pb.Case_UNIDENTIFIED_CHARGE, Subject: fmt.Sprintf("charge/ch_%04d", n), Summary: fmt.Sprintf("nobody is known for ch_%04d", n),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.owner.Exec(t.Context(), `INSERT INTO reconciliation.charge_dispositions
		(charge_id, disposition, reason, evidence, owner, status, captured, payment_intent_id, balance_transaction_id, amount_minor, refunded_minor,
			disputed_minor, currency, created_at, recovered_by, case_kind, case_summary, first_seen_at, seen_at, decided_at)
		VALUES ('ch_0000', 'QUARANTINED', 'nobody is known', '{}', 'OURS', 'SUCCEEDED', true, '', '', 24900, 0, 0, 'USD', $1, '', '', '', $1, $1, $1)`,
		s.clock.Now()); err != nil {
		t.Fatal(err)
	}
	// Whatever was lost meanwhile is in the next report.
	d.set(func() { d.mailDown = false })
	s.later("the whole storm is told", func() bool { return d.incident("unidentified-charge").GetCount() == storm })
	r := d.incident("unidentified-charge")
	if r.GetTier() != notificationsv1.Incident_SAME_DAY || r.GetTitle() != "1000 charges have no order" || r.GetNextStep() == "" || len(r.GetItems()) != 3 {
		t.Errorf("told: %v", r)
	}
	s.later("the first is told with its amount", func() bool { // once it is known who waits longest
		first := d.incident("unidentified-charge").GetItems()[0]
		return strings.Contains(first.GetText(), "ch_0000: $249.00 on") && first.GetPath() == "/cases/1"
	})
	d.set(func() {
		for _, report := range d.reports {
			if len(report.GetIncidents()) > 1 {
				t.Errorf("%d incidents", len(report.GetIncidents()))
			}
		}
	})
}

func TestAnIncidentIsNotNamedWhenItsCasesAreClosed(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_DISPUTE, Subject: "order/x", Summary: "answer it"}); err != nil {
		t.Fatal(err)
	}
	s.later("it is told", func() bool { return d.incident("dispute") != nil })
	desk := s.desk(dial)
	if _, err := desk.SnoozeCase(s.support(), &pb.SnoozeCaseRequest{CaseId: 1, Until: timestamppb.New(s.clock.Now().Add(48 * time.Hour)), Reason: "later"}); err != nil {
		t.Fatal(err)
	}
	s.later("that it sleeps is told, and not that it is over", func() bool {
		return strings.Contains(d.incident("dispute").GetMeaning(), "1 of them sleep")
	})
	if _, err := desk.ResolveCase(s.support(), &pb.ResolveCaseRequest{CaseId: 1, Resolution: "won"}); err != nil {
		t.Fatal(err)
	}
	s.later("it is over", func() bool { return d.incident("dispute") == nil })
}

// Paid, and past what was promised: that is for any hour. Before, it is not.
func TestACustomerWhoPaidAndIsKeptWaitingPages(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	s.orders.add(orderID(1), ordersv1.Order_PENDING, s.clock.Now(), nil)
	report := func(summary string) {
		t.Helper()
		req := stuck(1)
		req.Summary = summary
		if _, err := s.client(dial, "orders").OpenCase(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	report("the order is PENDING; 5 looks could not finish it")
	s.later("it is told", func() bool { return d.incident("stuck-order") != nil })
	if tier := d.incident("stuck-order").GetTier(); tier != notificationsv1.Incident_SAME_DAY {
		t.Errorf("of an order whose money is not known, the tier is %s", tier)
	}
	s.orders.add(orderID(1), ordersv1.Order_CHARGED, s.clock.Now(), nil)
	report("the order is CHARGED; 6 looks could not finish it")
	s.later("it pages", func() bool { return d.incident("stuck-order").GetTier() == notificationsv1.Incident_PAGE_NOW })
	if title := d.incident("stuck-order").GetTitle(); title != "A customer paid and has no access" {
		t.Errorf("told %q", title)
	}
}

func TestEveryKindOfCaseIsToldInWords(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	dial := s.instance(d.env())
	var pages []string
	for kind, name := range pb.Case_Kind_name {
		if kind == 0 {
			continue
		}
		for _, subject := range []string{"a", "b"} {
			if _, err := s.client(dial, "payments").OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_Kind(kind), Subject: subject, Summary: "what is known"}); err != nil {
				t.Fatal(err)
			}
		}
		key := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		s.later(key, func() bool { return d.incident(key).GetCount() == 2 })
		r := d.incident(key)
		if r.GetMeaning() == "" || r.GetNextStep() == "" || strings.Contains(r.GetTitle(), "%!") || strings.HasPrefix(r.GetTitle(), "2 cases of") {
			t.Errorf("%s is told as %q: %q %q", key, r.GetTitle(), r.GetMeaning(), r.GetNextStep())
		}
		if r.GetTier() == notificationsv1.Incident_PAGE_NOW {
			pages = append(pages, key)
		}
	}
	slices.Sort(pages)
	if want := []string{"failed-refund", "stripe-access"}; !slices.Equal(pages, want) {
		t.Errorf("%q page, want %q", pages, want)
	}
}

// Twice a run found events that had not come, and nothing was delivered between: the
// way is closed. Once is an outage that is over.
func TestWebhooksThatDoNotArrivePage(t *testing.T) {
	s, d := newScene(t), startDesk(t)
	s.instance(d.env())
	ran := func(ago time.Duration, added int, dry bool) {
		t.Helper()
		s.exec(`INSERT INTO reconciliation.runs (started_at, finished_at, status, events_added, dry_run, details) VALUES ($1, $1, 'SUCCEEDED', $2, $3, '[]')`,
			s.clock.Now().Add(-ago), added, dry)
	}
	health := func(h *paymentsv1.LedgerHealth) {
		d.set(func() { d.ledger, d.reports = h, nil })
		s.later("the ledger is told", func() bool {
			told := 0
			d.set(func() {
				for _, r := range d.reports {
					if r.GetSource() == "ledger" {
						told++
					}
				}
			})
			return told >= 2 // the first may have been asked before
		})
	}
	delivered := timestamppb.New(s.clock.Now().Add(-time.Hour))
	ran(2*time.Hour, 5, false) // before the last delivery
	ran(30*time.Minute, 3, false)
	ran(20*time.Minute, 7, true)
	ran(10*time.Minute, 0, false)
	health(&paymentsv1.LedgerHealth{DeliveredAt: delivered, LastHourEvents: 100, LastHourOrphaned: 1})
	for _, key := range []string{"webhooks-refused", "orphan-rate", "struggling-events"} {
		if r := d.incident(key); r != nil {
			t.Errorf("told without need: %v", r)
		}
	}
	ran(5*time.Minute, 2, false)
	health(&paymentsv1.LedgerHealth{
		DeliveredAt: delivered, LastHourEvents: 100, LastHourOrphaned: 2, StrugglingEvents: 4, StrugglingSince: delivered,
	})
	if r := d.incident("webhooks-refused"); r.GetTier() != notificationsv1.Incident_PAGE_NOW || r.GetCount() != 5 {
		t.Errorf("webhooks: %v", r)
	}
	if r := d.incident("orphan-rate"); r.GetTier() != notificationsv1.Incident_SAME_DAY || r.GetCount() != 2 {
		t.Errorf("orphans: %v", r)
	}
	if r := d.incident("struggling-events"); r.GetTier() != notificationsv1.Incident_SAME_DAY || r.GetCount() != 4 {
		t.Errorf("struggling: %v", r)
	}
	health(&paymentsv1.LedgerHealth{DeliveredAt: timestamppb.New(s.clock.Now())})
	if r := d.incident("webhooks-refused"); r != nil {
		t.Errorf("after a delivery: %v", r)
	}
}
