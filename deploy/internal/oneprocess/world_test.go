package oneprocess_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"makegood.example/deploy/inbox"
	"makegood.example/deploy/internal/oneprocess"
	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, stack.Schemas...) }

// account is who holds the access that an order bought.
func account(t testing.TB, w *oneprocess.World, order string) (id string) {
	t.Helper()
	if err := w.DB.QueryRow(t.Context(), "SELECT account_id::text FROM provisioning.grants WHERE order_id = $1", order).Scan(&id); err != nil {
		t.Fatalf("the grant of order %s: %v", order, err)
	}
	return id
}

func kinds(mails []oneprocess.Mail) (kinds []string) {
	for _, m := range mails {
		kinds = append(kinds, m.Kind())
	}
	return kinds
}

func TestAPurchaseLastsItsYearOnTheWorldsClock(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{})
	jane := w.Buyer("jane")
	o := jane.Buys("annual", "pm_card_visa")
	w.Settle()
	id, begin := account(t, w, o.ID), w.Clock.Now()
	if a := w.Access(id); !a.Active {
		t.Errorf("after the purchase: %+v", a)
	}
	end := begin.AddDate(1, 0, 0)
	w.AdvanceTo(end.Add(-time.Minute), nil)
	if a := w.Access(id); !a.Active {
		t.Errorf("a minute before the year is over: %+v", a)
	}
	w.AdvanceTo(end.Add(time.Minute), nil)
	if a := w.Access(id); a.Active || a.AccessUntil == nil || begin.AddDate(1, 0, 0).Sub(*a.AccessUntil).Abs() > time.Minute {
		t.Errorf("when the year is over: %+v", a)
	}
	if got := kinds(w.Mails(jane.Email)); !slices.Equal(got, []string{"confirmation"}) {
		t.Errorf("mails: %v", got)
	}
}

func TestAHostedPurchaseIsFoundWithoutBrowserAndWebhooks(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{Post: oneprocess.Silent})
	jane := w.Buyer("jane")
	o := jane.Orders("annual", "HOSTED")
	jane.PaysOn(o.NextAction.URL, "pm_card_visa")
	paid := w.Clock.Now()
	w.AdvanceTo(paid.Add(2*time.Hour), nil)
	if now := jane.Looks(); now.State != "RECOVERED" || now.RecoveredBy != "rescue" {
		t.Errorf("two hours later the order is %+v", now)
	}
}

func TestEventsThatAreLostRepeatedAndOvertakenChangeNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		w := oneprocess.New(t, oneprocess.Options{Post: oneprocess.Rough(rand.New(rand.NewPCG(seed, 0)))})
		jane := w.Buyer("jane")
		jane.Buys("annual", "pm_card_visa")
		w.Advance(100*time.Hour, nil)
		if now := jane.Looks(); now.State != "COMPLETE" || now.RecoveredBy != "" {
			t.Errorf("seed %d: the order is %+v", seed, now)
		}
		if got := kinds(w.Mails(jane.Email)); !slices.Equal(got, []string{"confirmation"}) {
			t.Errorf("seed %d: mails: %v", seed, got)
		}
	}
}

func TestAServiceThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{})
	w.Stop("provisioning")
	jane := w.Buyer("jane")
	if status, o, said := jane.Place("annual", map[string]any{"payment_method": "pm_card_visa"}); o.State != "CHARGED" {
		t.Fatalf("without Provisioning: %d %s", status, said)
	}
	w.Start("provisioning")
	w.Advance(time.Hour, nil)
	if now := jane.Looks(); now.State != "RECOVERED" {
		t.Errorf("an hour later the order is %+v", now)
	}
}

func TestAMailThatIsRefusedForAWhileIsTriedAgainOnTheWorldsClock(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{})
	w.MailFaults(inbox.Faults{Refuse: "temporary", Times: 3})
	jane := w.Buyer("jane")
	jane.Buys("annual", "pm_card_visa")
	w.Settle()
	if got := kinds(w.Mails(jane.Email)); len(got) != 0 {
		t.Errorf("mails while the server refuses: %v", got)
	}
	w.Advance(time.Hour, nil)
	if got := kinds(w.Mails(jane.Email)); !slices.Equal(got, []string{"confirmation"}) {
		t.Errorf("mails: %v", got)
	}
}
