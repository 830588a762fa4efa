package e2e

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
)

// acted is what the desk answers to an action.
type acted struct {
	Steps []struct{ What, Outcome, Note string }
	Order struct {
		State       string `json:"state"`
		RecoveredBy string `json:"recovered_by"`
	}
	Done    bool
	AuditID string `json:"audit_id"`
	Message string
}

// TestSupportAloneIsEnough is the fifth way: no look, webhook or sweep comes, and one
// step by a person mends whatever was killed.
func TestSupportAloneIsEnough(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY=off", "APOLOGY_AFTER=1s")
	s.pauseWebhooks(t, true)
	for _, p := range fromTheConfirmOn {
		t.Run(p.name, func(t *testing.T) {
			s.settle(t)
			b := s.buyer(p.name)
			hold := p.at(t, s)
			answered := b.startsToPay(t, card)
			hold.reached(t)
			s.down(t, p.kill...)
			hold.letGo(t, p.kill)
			p.judgeAnswer(t, b, <-answered)
			b.waitsForAnApology(t)
			s.up(t, p.kill...)
			r := b.record(t)
			if r.State != "PENDING" && r.State != "CHARGED" {
				t.Fatalf("the order is %s, by %q, before anybody did anything", r.State, r.RecoveredBy)
			}
			wish := map[string]any{"order_id": r.ID, "act": map[string]any{"idempotency_key": uuid.NewString(), "reason": "they wrote to us", "dry_run": true}}
			var dry, done acted
			// Orders can be placed again; the desk finds those that were killed a moment later.
			await(t, "a dry run", func() bool {
				return s.posts(t, "/admin/v1/support:recover", wish, &dry) == http.StatusOK
			})
			if now := b.record(t).State; now != r.State {
				t.Errorf("after the dry run %+v the order is %s", dry, now)
			}
			wish["act"].(map[string]any)["dry_run"] = false
			if status := s.posts(t, "/admin/v1/support:recover", wish, &done); status != http.StatusOK || !done.Done || len(done.Steps) != 5 {
				t.Errorf("the recovery: %d %+v", status, done)
			}
			if n := s.count(t, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL", r.ID); n != 1 {
				t.Errorf("%d grants when it was said to be done", n)
			}
			if now, _ := b.judgeEffects(t, outcome{late: true}); now.RecoveredBy != "support:developer" {
				t.Errorf("recovered by %q", now.RecoveredBy)
			}
		})
	}
}

// TestTheDeskIsKilledBetweenAskingAndDone: Reconciliation is killed while Stripe makes a
// refund that a person asked for. The same key ends it, and money goes back once.
func TestTheDeskIsKilledBetweenAskingAndDone(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY=off")
	b := s.buyer("wants it back")
	if a := b.pays(t, card); !a.fulfilled() {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	r := b.record(t)
	key := uuid.NewString()
	wish := map[string]any{"order_id": r.ID, "act": map[string]any{"idempotency_key": key, "reason": "they do not want it"}}
	hold := stripe("hang_after", http.MethodPost, "/v1/refunds")(t, s)
	answered := make(chan int, 1)
	go func() {
		var cut acted
		answered <- s.posts(t, "/admin/v1/support:refund", wish, &cut)
	}()
	hold.reached(t)
	s.down(t, "reconciliation")
	hold.letGo(t, nil)
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Errorf("while it was killed: %d", status)
	}
	rows := func(what string) int {
		return s.count(t, "SELECT count(*) FROM reconciliation.audit WHERE idempotency_key = $1 AND what = $2", key, what)
	}
	if rows("ASKED") != 1 || rows("DONE") != 0 {
		t.Errorf("%d asked and %d done", rows("ASKED"), rows("DONE"))
	}
	s.up(t, "reconciliation")
	var first, second acted
	for _, into := range []*acted{&first, &second} {
		if status := s.posts(t, "/admin/v1/support:refund", wish, into); status != http.StatusOK || !into.Done || into.Order.State != "REFUNDED" {
			t.Errorf("the same key again: %d %+v", status, into)
		}
	}
	if first.AuditID != second.AuditID || rows("ASKED") != 1 || rows("DONE") != 1 {
		t.Errorf("audit %s and %s; %d asked and %d done", first.AuditID, second.AuditID, rows("ASKED"), rows("DONE"))
	}
	if c := b.atStripe(t).charges; len(c) != 1 || c[0].AmountRefunded != 24900 {
		t.Errorf("at Stripe: %+v", c)
	}
	if n := s.count(t, "SELECT count(*) FROM payments.refunds WHERE order_id = $1", r.ID); n != 1 {
		t.Errorf("%d refunds", n)
	}
}
