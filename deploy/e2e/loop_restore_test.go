package e2e

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRestoredFromADump: Orders' schema comes back from a dump that is older
// than three purchases and a refund, then Provisioning's, then both at once, then Payments',
// and then Reconciliation's own.
// Nobody tells the sweep.
func TestRestoredFromADump(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY=1s", "STUCK_AFTER=1h", "APOLOGY_AFTER=1s")
	s.pauseWebhooks(t, true)
	kept, leaves := s.buyer("before the dump"), s.buyer("refunded after the dump")
	for _, b := range []*buyer{kept, leaves} {
		b.pays(t, card)
		b.judgeFulfilled(t, outcome{})
	}
	stays := kept.record(t)
	ordersDump, accessDump, paymentsDump, loopDump := s.dump(t, "orders"), s.dump(t, "provisioning"), s.dump(t, "payments"), s.dump(t, "reconciliation")

	lost := make([]*purchased, 3)
	for i := range lost {
		b := s.buyer(fmt.Sprintf("after the dump %d", i))
		if got := b.pays(t, card); !got.fulfilled() {
			t.Fatalf("the purchase: %d %s", got.Status, got.Body)
		}
		b.judgeFulfilled(t, outcome{})
		lost[i] = b.purchased(t)
	}
	withdrawn := func() {
		t.Helper()
		leaves.awaitRest(t, "REFUNDED")
		await(t, "the access of "+leaves.email+" to be withdrawn", func() bool {
			return s.count(t, `SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NOT NULL`, leaves.record(t).ID) == 1
		})
	}
	s.refundAtStripe(t, leaves.atStripe(t).charges[0].ID, "")
	withdrawn()
	// Another product takes our exact amount from an address that we know.
	foreign := s.foreignCharge(t, "24900", url.Values{"receipt_email": {lost[0].email}})
	s.awaitDisposition(t, foreign, "FOREIGN")
	for _, p := range lost {
		s.awaitDisposition(t, p.charge, "MATCHED")
	}
	s.awaitDisposition(t, leaves.atStripe(t).charges[0].ID, "REFUNDED")

	s.restore(t, map[string]string{"orders": ordersDump})
	for _, p := range lost {
		s.awaitDisposition(t, p.charge, "RECOVERED")
		p.judgeBack(t, "RECOVERED")
	}
	s.judgeNoticed(t, 1)
	if r := kept.record(t); r == nil || r.State != stays.State {
		t.Errorf("the order from before the dump is %+v", r)
	}

	withdrawn()
	s.restore(t, map[string]string{"provisioning": accessDump})
	for _, p := range lost {
		await(t, "the access of "+p.email, func() bool {
			return s.count(t, `SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL`, p.ID) == 1
		})
		p.judgeBack(t, "RECOVERED")
	}
	withdrawn()
	s.judgeNoticed(t, 2)

	// What is rebuilt from nothing but Stripe ends when it did, not a term from now.
	s.restore(t, map[string]string{"orders": ordersDump, "provisioning": accessDump})
	for _, p := range lost {
		p.awaitRest(t, "RECOVERED")
		s.awaitDisposition(t, p.charge, "RECOVERED")
		p.judgeBack(t, "RECOVERED")
	}
	s.judgeNoticed(t, 3)

	s.restore(t, map[string]string{"payments": paymentsDump})
	for _, p := range lost {
		await(t, "the payment of "+p.email, func() bool {
			return s.count(t, `SELECT count(*) FROM payments.payments WHERE order_id = $1 AND charge_id = $2 AND status = 'SUCCEEDED'`, p.ID, p.charge) == 1
		})
	}
	s.judgeNoticed(t, 4)

	// What Reconciliation lost itself it reads again from where it then was, and nobody
	// else hears of it.
	s.restore(t, map[string]string{"reconciliation": loopDump})
	for _, p := range lost {
		s.awaitDisposition(t, p.charge, "RECOVERED")
		p.judgeBack(t, "RECOVERED")
	}
	s.awaitDisposition(t, leaves.atStripe(t).charges[0].ID, "REFUNDED")
	withdrawn()

	// The foreign charge made nothing of anything.
	s.awaitDisposition(t, foreign, "FOREIGN")
	for what, sql := range map[string]string{
		"orders":   `SELECT count(*) FROM orders.orders`,
		"grants":   `SELECT count(*) FROM provisioning.grants`,
		"messages": `SELECT count(*) FROM notifications.messages`,
		"payments": `SELECT count(*) FROM payments.payments`,
	} {
		want := 2 + len(lost)
		if what == "messages" {
			want++ // about the refund
		}
		if n := s.count(t, sql); n != want {
			t.Errorf("%d %s, want %d", n, what, want)
		}
	}
	if n := s.count(t, `SELECT count(*) FROM reconciliation.cases`); n != 0 {
		t.Errorf("%d cases, want none", n)
	}
	s.judgeSums(t, 24900*(3+len(lost)))
}

// purchased is a finished purchase, as it must come back.
type purchased struct {
	*buyer
	*record
	charge       string
	starts, ends time.Time
}

func (b *buyer) purchased(t *testing.T) *purchased {
	t.Helper()
	p := &purchased{buyer: b, record: b.record(t), charge: b.atStripe(t).charges[0].ID}
	p.starts, p.ends = p.period(t)
	return p
}

func (p *purchased) period(t *testing.T) (starts, ends time.Time) {
	t.Helper()
	if err := p.shop.DB().QueryRow(t.Context(), `SELECT starts_at, ends_at FROM provisioning.grants WHERE order_id = $1`, p.ID).Scan(&starts, &ends); err != nil {
		t.Fatalf("the grant of %s: %v", p.email, err)
	}
	return starts, ends
}

// judgeBack: the same order under the same reference, the access it had, one
// charge and one mail, and the explanation of its charge names it.
func (p *purchased) judgeBack(t *testing.T, disposition string) {
	t.Helper()
	r := p.awaitRest(t, "RECOVERED")
	// The sweep reads charges and events, and either may tell Orders first.
	if r.ID != p.ID || r.RecoveredBy != "reconciliation" {
		t.Errorf("the order of %s came back as %+v, was %s", p.email, r, p.ID)
	}
	if seen := p.looks(t); seen.Status != 200 || seen.ID != p.ID || seen.Reference != p.reference || seen.State != "RECOVERED" ||
		seen.AccessUntil == nil || !seen.AccessUntil.Equal(p.ends) {
		t.Errorf("the buyer sees %d %s, want access until %s", seen.Status, seen.Body, p.ends)
	}
	// An order that was adopted does not know when the lost access began, only that
	// it has what was paid for: to the same instant.
	if starts, ends := p.period(t); !ends.Equal(p.ends) || starts.After(*r.CompletedAt) {
		t.Errorf("the access is from %s to %s, was from %s to %s", starts, ends, p.starts, p.ends)
	}
	p.judgeMails(t, p.ID, tells(p.State), 1) // it was sent before
	if charges := p.atStripe(t).charges; len(charges) != 1 || charges[0].AmountRefunded != 0 {
		t.Errorf("Stripe has %+v", charges)
	}
	var told struct {
		Recorded, Now struct {
			Kind    string
			OrderID string `json:"order_id"`
			Reason  string
		}
		Evidence []string
	}
	p.shop.admin(t, "/admin/v1/charges/"+p.charge, &told)
	if told.Now.Kind != disposition || told.Now.OrderID != p.ID || told.Now.Reason == "" || len(told.Evidence) == 0 || told.Recorded.Kind != disposition {
		t.Errorf("charge %s is explained as %+v", p.charge, told)
	}
}

// judgeNoticed: so many times a run said that a backup was restored, and a deep
// pass over everything was made because of it.
func (s *shop) judgeNoticed(t *testing.T, times int) {
	t.Helper()
	await(t, fmt.Sprintf("%d runs that say what was lost", times), func() bool {
		return s.count(t, `SELECT count(*) FROM reconciliation.runs WHERE details::text LIKE '%was restored from a backup%'`) >= times
	})
	await(t, fmt.Sprintf("%d deep passes because of it", times), func() bool {
		return s.count(t, `SELECT count(*) FROM reconciliation.deep_passes WHERE why LIKE 'records were lost%' AND finished_at IS NOT NULL`) >= times
	})
}

func (s *shop) awaitDisposition(t *testing.T, charge, kind string) {
	t.Helper()
	await(t, "charge "+charge+" to be "+kind, func() bool {
		return s.count(t, `SELECT count(*) FROM reconciliation.charge_dispositions WHERE charge_id = $1 AND disposition = $2`, charge, kind) == 1
	})
}

// dump is a backup of a schema, made as an operator makes it.
func (s *shop) dump(t *testing.T, schema string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), schema+".dump")
	s.pgTool(t, "pg_dump", "--format=custom", "--schema="+schema, "--file="+file)
	return file
}

// restore puts backups in the place of the schemas while their services are down.
func (s *shop) restore(t *testing.T, files map[string]string) {
	t.Helper()
	schemas := slices.Sorted(maps.Keys(files))
	s.down(t, schemas...)
	for _, schema := range schemas {
		if _, err := s.DB().Exec(t.Context(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			t.Fatal(err)
		}
		s.pgTool(t, "pg_restore", "--exit-on-error", "--single-transaction", files[schema])
	}
	s.up(t, schemas...)
}

// pgTool runs a program of PostgreSQL's on the shop's database.
func (s *shop) pgTool(t *testing.T, name string, args ...string) {
	t.Helper()
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(installed) == 0 {
		t.Fatalf("%s is not installed: %v", name, err)
	}
	args = append([]string{"--dbname=" + s.DB().Config().ConnString()}, args...)
	command := exec.CommandContext(t.Context(), installed[len(installed)-1], args...)
	command.Env = append(os.Environ(), "PGCONNECT_TIMEOUT=5")
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, strings.TrimSpace(string(said)))
	}
}
