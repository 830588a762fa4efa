package notifications_test

import (
	"testing"
	"time"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// tomorrow moves the clock to the next day, a while after the morning began.
func (w *world) tomorrow(hour time.Duration) {
	now := w.now()
	w.later.Add(int64(time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC).Add(hour).Sub(now)))
}

func goodDay() *reconciliationv1.IntegrityReport {
	return &reconciliationv1.IntegrityReport{
		Complete: true,
		Charges: []*reconciliationv1.DispositionSum{
			{Disposition: reconciliationv1.Disposition_MATCHED, Currency: "USD", ChargeCount: 212, AmountMinor: 212 * 24900},
			{Disposition: reconciliationv1.Disposition_RECOVERED, Currency: "USD", ChargeCount: 2, AmountMinor: 2 * 24900},
		},
		CompletedBy: []*reconciliationv1.CompletedBy{{OrderCount: 212}, {RecoveredBy: "rescue", OrderCount: 2, SlowestMs: 8400}},
	}
}

func (w *world) digests() int { return w.mailsWith("X-Makegood-Kind: digest") }

func (w *world) covered() (at *time.Time) {
	w.t.Helper()
	if err := w.owner.QueryRow(w.t.Context(), `SELECT covered_before FROM notifications.digest`).Scan(&at); err != nil {
		w.t.Fatal(err)
	}
	return at
}

func newDigested(t *testing.T) *world {
	w := newAlerted(t, map[string]string{"RECONCILE_EVERY": "2m"})
	w.peers.set(func(p *peers) { p.integrity = goodDay() })
	w.until("the first look", func() bool { return w.covered() != nil })
	return w
}

func TestEachMorningThereIsOneDigest(t *testing.T) {
	w := newDigested(t)
	other := &world{t: t, db: w.db, mail: w.mail, log: w.log, owner: w.owner, peers: w.peers, tokens: w.tokens, settings: w.settings}
	other.start()
	defer other.stop()
	day := w.now().Format("Monday, 2 January")
	w.tomorrow(6*time.Hour + 59*time.Minute)
	other.later.Store(w.later.Load())
	w.settle()
	if w.digests() != 0 {
		t.Error("told before the morning")
	}
	w.later.Add(int64(2 * time.Minute))
	other.later.Store(w.later.Load())
	w.until("the digest", func() bool { return w.digests() == 1 })
	if w.mailsWith("214 charges on "+day+", all made good; 2 recovered, the slowest in 9 s; nothing needs you") == 0 ||
		w.mailsWith("USD: 214 charged $53,286.00") != 1 || w.mailsWith("X-Makegood-Kind: digest") != 1 {
		t.Errorf("the mail is\n%s", w.mail.mails()[0])
	}
	w.peers.set(func(p *peers) {
		from, before := p.asked.GetFrom().AsTime(), p.asked.GetBefore().AsTime()
		if before.Sub(from) != 24*time.Hour || before.Format("15:04:05") != "00:00:00" || before.Format(time.DateOnly) != w.now().Format(time.DateOnly) {
			t.Errorf("asked from %s to %s", from, before)
		}
	})
	for range 3 {
		w.later.Add(int64(3 * time.Hour))
		other.later.Store(w.later.Load())
		w.settle()
	}
	w.report(orphans(3))
	w.tomorrow(8 * time.Hour)
	other.later.Store(w.later.Load())
	w.until("the next digest", func() bool { return w.digests() == 2 })
	if w.mailsWith("one thing needs you") == 0 || w.mailsWith("https://admin.example.com/incidents/unidentified-charge") == 0 {
		t.Errorf("the mails are %q", w.heads())
	}
}

func TestAfterASilenceTheDigestIsAboutAllOfIt(t *testing.T) {
	w := newDigested(t)
	w.stop()
	w.later.Add(int64(72 * time.Hour))
	w.tomorrow(15 * time.Hour)
	w.start()
	w.until("the digest", func() bool { return w.mailsWith("214 charges from") > 0 })
	w.settle()
	w.peers.set(func(p *peers) {
		if took := p.asked.GetBefore().AsTime().Sub(p.asked.GetFrom().AsTime()); took != 4*24*time.Hour {
			t.Errorf("asked about %s", took)
		}
	})
	if len(w.mail.mails()) != 1 {
		t.Errorf("the mails are %q", w.heads())
	}
}

func TestADigestWaitsForItsProofAndThenSaysWhatIsMissing(t *testing.T) {
	w := newDigested(t)
	w.peers.set(func(p *peers) {
		p.integrity.Complete, p.integrity.IncompleteReason = false, "charges have been read up to noon only"
	})
	w.tomorrow(7 * time.Hour)
	w.until("it is asked for", func() bool {
		var asked bool
		w.peers.set(func(p *peers) { asked = p.asked != nil })
		return asked
	})
	w.settle()
	if w.digests() != 0 {
		t.Error("told without its proof")
	}
	w.later.Add(int64(time.Hour + time.Minute))
	w.until("the digest", func() bool { return w.mailsWith("This is no proof yet: charges have been read up to noon only.") == 1 })
	w.peers.set(func(p *peers) { p.reconciliationDown = true })
	w.tomorrow(7 * time.Hour)
	w.later.Add(int64(time.Hour + time.Minute))
	w.until("the digest without an answer", func() bool { return w.mailsWith("Reconciliation could not be asked") == 1 })
}
