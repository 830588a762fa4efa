package oneprocess_test

import (
	"net/url"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"

	"makegood.example/deploy/internal/oneprocess"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// A dispute that was lost while nobody was reading, and so long ago that Stripe lists
// no event about it any more: the access follows, and nobody is asked to answer it.
func TestADisputeThatWasLostUnheard(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{Post: oneprocess.Silent, Settings: map[string]string{"RECONCILE_EVERY": "off"}})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+w.Credentials()["support"])
	runs := reconciliationv1.NewReconciliationServiceClient(w.Conn("reconciliation", ""))
	reconcile := func() {
		t.Helper()
		run, err := runs.StartRun(ctx, &reconciliationv1.StartRunRequest{})
		if err != nil || run.GetStatus() != reconciliationv1.Run_SUCCEEDED {
			t.Fatalf("the run: %v, %v", run, err)
		}
		w.Settle()
	}
	count := func(sql string) (n int) {
		t.Helper()
		if err := w.DB.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	o := w.Buyer("jane").Buys("annual", "pm_card_visa")
	w.Settle()
	id := account(t, w, o.ID)
	var charges struct{ Data []struct{ ID string } }
	w.Stripe.Get("/v1/charges", nil, &charges)
	var dispute struct{ ID string }
	w.Stripe.Control("/_sim/charges/"+charges.Data[0].ID+"/dispute", map[string]string{}, &dispute)
	w.Jump(time.Hour)
	reconcile()
	const open = "SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND state = 'OPEN'"
	if !w.Access(id).Active || count(open) != 1 {
		t.Errorf("while the bank decides: access %+v, cases %v", w.Access(id), w.Cases())
	}
	w.Stripe.Control("/_sim/disputes/"+dispute.ID+"/close", map[string]string{"outcome": "lost"}, nil)
	w.Jump(31 * 24 * time.Hour)
	var events struct{ Data []struct{ ID string } }
	if w.Stripe.Get("/v1/events", url.Values{"type": {"charge.dispute.closed"}}, &events); len(events.Data) != 0 {
		t.Fatalf("Stripe still lists %v", events.Data)
	}
	reconcile()
	if w.Access(id).Active || count(open) != 0 || count("SELECT count(*) FROM reconciliation.cases WHERE kind = 'DISPUTE' AND resolved_by = 'system'") != 1 {
		t.Errorf("after it was lost: access %+v, %d cases open", w.Access(id), count(open))
	}
}
