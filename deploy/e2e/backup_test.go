package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"makegood.example/deploy/internal/backup"
	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/postgres"
)

// TestAWholeBackupIsRestored: all schemas at once come back from a dump that is older
// than two purchases and a refund, as an operator restores them. Nobody tells the
// sweep, no webhook comes again, and nothing is lost.
func TestAWholeBackupIsRestored(t *testing.T) {
	t.Parallel()
	s := open(t, "RECONCILE_EVERY=1s", "STUCK_AFTER=1h", "APOLOGY_AFTER=1s", "RESCUE_AFTER=2s")
	kept, leaves := s.buyer("before the backup"), s.buyer("refunded after the backup")
	for _, b := range []*buyer{kept, leaves} {
		b.pays(t, card)
		b.judgeFulfilled(t, outcome{})
	}
	stays := kept.record(t)
	bin, err := postgres.Locate()
	if err != nil {
		t.Fatal(err)
	}
	tools := backup.Tools{Bin: bin, URL: s.Env("DATABASE_URL")}
	for _, schema := range stack.Schemas {
		tools.Schemas = append(tools.Schemas, schema.Name)
	}
	dir := filepath.Join(t.TempDir(), "backups")
	old, err := tools.Save(t.Context(), dir, time.Now().Add(-time.Hour), 1)
	if err != nil {
		t.Fatal(err)
	}
	dump, err := tools.Save(t.Context(), dir, time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("more dumps are kept than was asked for: %v", err)
	}

	lost := make([]*purchased, 2)
	for i := range lost {
		b := s.buyer("after the backup " + string(rune('a'+i)))
		b.pays(t, card)
		b.judgeFulfilled(t, outcome{})
		lost[i] = b.purchased(t)
	}
	s.refundAtStripe(t, leaves.atStripe(t).charges[0].ID, "")
	leaves.awaitRest(t, "REFUNDED")
	s.awaitDeliveries(t)

	s.down(t, s.all()...)
	cut := filepath.Join(dir, "cut.dump")
	whole, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tools.Restore(t.Context(), cut); err == nil {
		t.Error("half a dump was restored")
	}
	if n := s.count(t, "SELECT count(*) FROM orders.orders"); n != 4 {
		t.Fatalf("%d orders are left after half a dump", n)
	}
	if err := tools.Restore(t.Context(), dump); err != nil {
		t.Fatal(err)
	}
	if n := s.count(t, "SELECT count(*) FROM orders.orders"); n != 2 {
		t.Fatalf("%d orders are in the dump", n)
	}
	s.up(t, s.all()...)

	for _, p := range lost {
		s.awaitDisposition(t, p.charge, "RECOVERED")
		if r := p.awaitRest(t, "RECOVERED"); r.ID != p.ID {
			t.Errorf("the order of %s came back as %s, was %s", p.email, r.ID, p.ID)
		}
		if seen := p.looks(t); seen.Status != 200 || seen.Reference != p.reference || seen.State != "RECOVERED" {
			t.Errorf("the buyer sees %d %s", seen.Status, seen.Body)
		}
		// Nothing but Stripe knows of it any more: the access begins anew, and so does the mail.
		if _, ends := p.period(t); ends.Before(p.ends) {
			t.Errorf("the access of %s ends %s, was %s", p.email, ends, p.ends)
		}
		if n := s.count(t, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL", p.ID); n != 1 {
			t.Errorf("%d grants of %s", n, p.email)
		}
		if charges := p.atStripe(t).charges; len(charges) != 1 || charges[0].AmountRefunded != 0 {
			t.Errorf("Stripe has %+v", charges)
		}
	}
	leaves.awaitRest(t, "REFUNDED")
	if r := kept.record(t); r == nil || r.State != stays.State {
		t.Errorf("the order from before the backup is %+v", r)
	}
	if n := s.count(t, "SELECT count(*) FROM reconciliation.cases WHERE state = 'OPEN'"); n != 0 {
		t.Errorf("%d cases are open", n)
	}
}

// all are the five services.
func (s *shop) all() (names []string) {
	for _, schema := range stack.Schemas {
		names = append(names, schema.Name)
	}
	return names
}
