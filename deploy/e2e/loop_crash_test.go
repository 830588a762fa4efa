package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// crashes are ten of the kill points after which the money moves or has moved. Points
// that leave an intent unconfirmed are not among them: the sweep only looks at
// such an order, which stays PENDING until CHARGE_WITHIN has passed.
var crashes = []string{
	"after the order commits",
	"after payments recorded the success",
	"after charged, orders",
	"after the confirm, orders",
	"after the confirm, payments",
	"after the confirm, both",
	"before payments records the success",
	"after payments recorded the success, both",
	"after charged, both",
	"after the grant",
}

const (
	sweepEvery = 2 * time.Second
	purchases  = 30
)

// TestStripeAloneIsEnough: no webhook ever comes and no order looks after
// itself. Of thirty purchases ten crash at different steps; the sweep brings each
// to its end, says what every charge is, and its report adds up.
func TestStripeAloneIsEnough(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY="+sweepEvery.String(), "STUCK_AFTER=1s", "APOLOGY_AFTER=1s")
	s.pauseWebhooks(t, true)
	for i := range purchases - 2*len(crashes) {
		b := s.buyer(fmt.Sprintf("undisturbed %d", i))
		if got := b.pays(t, card); !got.fulfilled() {
			t.Fatalf("an undisturbed purchase: %d %s", got.Status, got.Body)
		}
	}
	var crashed []*buyer
	for _, p := range killPoints {
		if slices.Contains(crashes, p.name) {
			t.Run(p.name, func(t *testing.T) { crashed = append(crashed, p.playSwept(t, s)) })
		}
	}
	if len(crashed) != len(crashes) {
		t.Fatalf("%d purchases crashed, want %d", len(crashed), len(crashes))
	}
	for table, sql := range map[string]string{
		"charges with a disposition at rest": `SELECT count(*) FROM reconciliation.charge_dispositions WHERE disposition IN ('MATCHED', 'RECOVERED') AND order_id IS NOT NULL AND reason <> ''`,
		"orders":                             `SELECT count(*) FROM orders.orders WHERE state IN ('COMPLETE', 'RECOVERED')`,
		"grants":                             `SELECT count(*) FROM provisioning.grants WHERE revoked_at IS NULL`,
		"messages":                           `SELECT count(*) FROM notifications.messages WHERE state = 'SENT'`,
	} {
		await(t, fmt.Sprintf("%d %s", purchases, table), func() bool { return s.count(t, sql) == purchases })
	}
	if n := s.count(t, `SELECT count(*) FROM reconciliation.cases`); n != 0 {
		t.Errorf("%d cases about purchases that ended right:", n)
		for _, kind := range []string{"STUCK_ORDER", "DISCREPANCY", "UNKNOWN_PAYMENT", "FAILED_EVENT", "DUPLICATE_CHARGE", "UNIDENTIFIED_CHARGE"} {
			for _, c := range s.cases(t, kind) {
				t.Errorf("%+v", c)
			}
		}
	}
	s.judgeRuns(t)
	s.judgeSums(t, 24900*purchases)
}

// playSwept crashes a purchase and judges that the next sweeps have finished it.
func (p killPoint) playSwept(t *testing.T, s *shop) *buyer {
	s.settle(t)
	b := s.buyer(p.name)
	hold := p.at(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	s.down(t, p.kill...)
	hold.letGo(t, p.kill)
	p.judgeAnswer(t, b, <-answered)
	if p.charged {
		b.waitsForAnApology(t)
	}
	s.up(t, p.kill...)
	up := time.Now()
	r, _ := b.judgeEffects(t, outcome{late: p.charged})
	// The sweep reads charges and events, and either may tell Orders first.
	if r.RecoveredBy != "reconciliation" {
		t.Errorf("recovered by %q, want the sweep", r.RecoveredBy)
	}
	// A run under way may have failed to reach the killed; then two periods are enough.
	begun := s.count(t, `SELECT count(*) FROM reconciliation.runs WHERE started_at > $1 AND started_at < $2`, up, *r.CompletedAt)
	if begun > 2 {
		t.Errorf("%d runs began before the order was finished, want at most 2", begun)
	}
	t.Logf("finished %s after everything was up again, in run %d", r.CompletedAt.Sub(up).Round(time.Millisecond), begun)
	return b
}

// judgeRuns: the runs are recorded, with what they found and did.
func (s *shop) judgeRuns(t *testing.T) {
	t.Helper()
	var list struct {
		Runs []struct {
			Status         string         `json:"status"`
			FinishedAt     *time.Time     `json:"finished_at"`
			StuckFound     int            `json:"stuck_found"`
			StuckRecovered int            `json:"stuck_recovered"`
			Orphans        int            `json:"orphans_found"`
			Checked        int            `json:"charges_checked"`
			Details        []string       `json:"details"`
			Dispositions   map[string]any `json:"dispositions"`
		} `json:"runs"`
	}
	s.admin(t, "/admin/v1/reconciliation/runs?page_size=200", &list)
	var stuck, checked, orphans, failed int
	for _, r := range list.Runs {
		stuck, checked, orphans = stuck+r.StuckRecovered, checked+r.Checked, orphans+r.Orphans
		if r.Status == "FAILED" {
			failed++
		}
		if r.StuckRecovered > 0 && !strings.Contains(strings.Join(r.Details, "\n"), "order") {
			t.Errorf("a run that finished orders names none: %+v", r)
		}
	}
	t.Logf("%d runs, %d failed (a peer was killed), %d stuck orders finished, %d charges checked", len(list.Runs), failed, stuck, checked)
	if stuck < 1 || checked < purchases || orphans != 0 {
		t.Errorf("the runs say: %d stuck orders finished, %d charges checked, %d orphans", stuck, checked, orphans)
	}
}

// judgeSums awaits a report without differences and compares its sums,
// in cents.
func (s *shop) judgeSums(t *testing.T, want int) {
	t.Helper()
	var report struct {
		DifferenceCount string `json:"difference_count"`
		Complete        bool
		Charges         []struct {
			Disposition string
			ChargeCount string `json:"charge_count"`
			AmountMinor string `json:"amount_minor"`
		}
		Balance []struct {
			Category    string
			AmountMinor string `json:"amount_minor"`
		}
	}
	await(t, "a complete report without differences", func() bool {
		s.admin(t, "/admin/v1/integrity", &report)
		return report.DifferenceCount == "" || report.DifferenceCount == "0"
	})
	var disposed, booked int
	for _, c := range report.Charges {
		disposed += atoi(t, c.AmountMinor)
	}
	for _, b := range report.Balance {
		if b.Category == "charges" {
			booked += atoi(t, b.AmountMinor)
		}
	}
	if disposed != want || booked != want {
		t.Errorf("dispositions of %d, movements of %d, want %d: %+v", disposed, booked, want, report)
	}
}

func atoi(t *testing.T, n string) (i int) {
	t.Helper()
	if _, err := fmt.Sscan(n, &i); err != nil {
		t.Fatalf("%q: %v", n, err)
	}
	return i
}

// TestTheSweepEndsWhatMayNotBeChargedAnyMore: an order that is killed before its
// intent is confirmed belongs to a buyer who has left. With no look and no webhook,
// the sweep alone ends it once CHARGE_WITHIN has passed: canceled at Stripe, and
// one mail that says that nothing was charged.
func TestTheSweepEndsWhatMayNotBeChargedAnyMore(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY="+sweepEvery.String(), "STUCK_AFTER=1s", "CHARGE_WITHIN="+chargeWithin.String())
	s.pauseWebhooks(t, true)
	for _, c := range []struct {
		name    string
		at      moment
		intents int // at Stripe, which must be canceled
	}{
		{"before the attempt", write("INSERT", "payments.attempts", ""), 0},
		{"with an intent of unknown id", stripe("hang_after", "POST", pathIntents), 1},
		{"before the confirm arrives", stripe("hang_before", "POST", pathConfirm), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.buyer("swept " + c.name)
			b.leaves(t, c.at)
			b.judgeNotCharged(t, b.awaitRest(t, "EXPIRED"), c.intents)
		})
	}
	// What was swept stays as it ended, run after run.
	mails, runs := s.count(t, "SELECT count(*) FROM notifications.messages"), s.count(t, "SELECT count(*) FROM reconciliation.runs WHERE finished_at IS NOT NULL")
	await(t, "two more runs", func() bool {
		return s.count(t, "SELECT count(*) FROM reconciliation.runs WHERE finished_at IS NOT NULL") >= runs+2
	})
	if n := s.count(t, "SELECT count(*) FROM notifications.messages"); n != mails {
		t.Errorf("%d mails more", n-mails)
	}
	if n := s.count(t, "SELECT count(*) FROM reconciliation.cases"); n != 0 {
		t.Errorf("%d cases about buyers who left", n)
	}
}
