package life

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"makegood.example/deploy/internal/life"
	"makegood.example/deploy/internal/oneprocess"
)

// posts are the ways in which events arrive, or do not.
var posts = map[string]oneprocess.Post{"events": oneprocess.Prompt, "only looks": oneprocess.Silent}

// each plays a story with events, and with only looks.
func each(t *testing.T, play func(t *testing.T, w *oneprocess.World)) {
	for name, post := range posts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, world(t, post, time.Time{}))
		})
	}
}

func TestAMissedRenewalIsReadFromStripeBeforeAnyoneIsLockedOut(t *testing.T) {
	t.Parallel()
	w := world(t, oneprocess.Silent, time.Time{})
	jane := life.Subscribe(t, w, "jane", monthly, visa)
	end := jane.TermEnd()
	jane.LiveUntil(end.Add(95 * time.Minute)) // judged at every moment: access was never interrupted
	if jane.Terms() != 2 {
		t.Fatalf("Stripe has %d paid terms", jane.Terms())
	}
	a := w.Access(jane.Account())
	if want := jane.TermEnd(); !a.Active || a.AccessUntil == nil || !a.AccessUntil.Equal(want) {
		t.Errorf("95 minutes after the term: %v until %v, want until %s: the renewal must have been read", a.Active, a.AccessUntil, want)
	}
	jane.Judge()
}

func TestParallelSubscribesMakeOneCustomerAndOneSubscription(t *testing.T) {
	t.Parallel()
	w := world(t, oneprocess.Prompt, time.Time{})
	jane := w.Buyer("jane")
	elsewhere := w.Buyer("jane") // the same address in another browser
	type answer struct {
		status int
		order  oneprocess.Order
		said   string
	}
	answers := make([]answer, 12)
	var all sync.WaitGroup
	for i := range answers {
		b := []*oneprocess.Buyer{jane, elsewhere}[i%2]
		all.Go(func() { answers[i].status, answers[i].order, answers[i].said = b.Place(monthly, nil) })
	}
	all.Wait()
	pages := map[string]oneprocess.Order{}
	for _, a := range answers {
		switch {
		case a.status == http.StatusOK && a.order.NextAction.Type == "REDIRECT":
			pages[a.order.NextAction.URL] = a.order
		case a.status == http.StatusOK && a.order.State == "EXPIRED": // its page was closed for the other browser's
		case a.status == http.StatusAccepted: // another request of the same browser has it in hand
		case a.status == http.StatusConflict && strings.Contains(a.said, "DUPLICATE_PURCHASE"):
		default:
			t.Errorf("answered %d %s", a.status, a.said)
		}
	}
	// They pay wherever they still can.
	var paid []oneprocess.Order
	for page, o := range pages {
		if jane.TriesToPayOn(page, visa) {
			paid = append(paid, o)
		}
	}
	if len(paid) != 1 {
		t.Fatalf("paid on %d of %d pages", len(paid), len(pages))
	}
	s := life.Of(t, w, jane, paid[0])
	for _, o := range pages {
		s.WasRefusedARepeat(o.ID)
	}
	s.Live(40 * day)
	s.Judge()
}

func TestARenewalThatWasDeclinedIsRecoveredWithAnotherCard(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.Live(10 * day)
		jane.GivesCard(declining)
		jane.LiveUntil(jane.TermEnd().Add(4 * day))
		if jane.Status() != "past_due" {
			t.Fatalf("Stripe says %s", jane.Status())
		}
		jane.PaysWith(visa)
		jane.Live(65 * day)
		jane.Judge()
	})
}

func TestARenewalThatTheBankAsksAboutIsAuthenticated(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.GivesCard(asking)
		jane.LiveUntil(jane.TermEnd().Add(2 * day))
		jane.Authenticates()
		jane.GivesCard(visa)
		jane.Live(40 * day)
		jane.Judge()
	})
}

func TestDeclinedUntilTheEndAccessEndsWithTheGraceAndIsBackWhenPaidLate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		w.Stripe.Control("/_sim/settings", map[string]any{"after_retries": "unpaid"}, nil)
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.GivesCard(declining)
		jane.LiveUntil(jane.TermEnd().Add(10 * day))
		if w.Access(jane.Account()).Active {
			t.Error("there is access ten days after a term whose renewal was declined")
		}
		jane.Live(10 * day)
		if jane.Status() != "unpaid" {
			t.Fatalf("Stripe says %s", jane.Status())
		}
		jane.PaysWith(visa)
		jane.Live(2 * day)
		if !w.Access(jane.Account()).Active {
			t.Error("the renewal was paid late, and there is no access")
		}
		jane.Live(40 * day)
		jane.Judge()
	})
}

func TestDeclinedUntilStripeCancels(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.GivesCard(declining)
		jane.LiveUntil(jane.TermEnd().Add(20 * day))
		if jane.Status() != "canceled" {
			t.Fatalf("Stripe says %s", jane.Status())
		}
		jane.Judge()
	})
}

func TestNobodyIsLockedOutWhilePaymentsIsAway(t *testing.T) {
	t.Parallel()
	w := world(t, oneprocess.Silent, time.Time{})
	jane := life.Subscribe(t, w, "jane", monthly, visa)
	end := jane.TermEnd()
	jane.LiveUntil(end.Add(-day))
	w.Stop("payments")
	for d := range 6 {
		w.AdvanceTo(end.Add(time.Duration(d)*day+time.Hour), nil)
		if a := w.Access(jane.Account()); !a.Active {
			t.Errorf("%d days after the term, of whose renewal nothing can be known, there is no access", d)
		}
	}
	w.Start("payments")
	jane.Live(30 * day)
	jane.Judge()
}

func TestTheEventsOfAWholeLifeAtOnceAndTwiceAndLate(t *testing.T) {
	t.Parallel()
	var held []oneprocess.Event
	w := world(t, func(e oneprocess.Event) []time.Duration { held = append(held, e); return nil }, time.Time{})
	jane := life.Subscribe(t, w, "jane", monthly, visa)
	jane.LiveUntil(jane.TermEnd().Add(61 * time.Minute)) // renewed, and nobody has looked yet
	w.DeliverAllAtOnce(append(slices.Clone(held), held...))
	jane.Live(time.Minute)
	if a := w.Access(jane.Account()); !a.Active || !a.AccessUntil.Equal(jane.TermEnd()) {
		t.Errorf("access is %v until %v, want until %s", a.Active, a.AccessUntil, jane.TermEnd())
	}
	jane.Live(3 * day)
	jane.IsDeleted()
	jane.Live(2 * time.Hour)
	slices.Reverse(held) // the deletion first, the beginning last
	w.DeliverAllAtOnce(append(slices.Clone(held), held...))
	jane.Live(time.Minute)
	if w.Access(jane.Account()).Active {
		t.Error("it was deleted, and there is access")
	}
	jane.Judge()
}

func TestPausedByStripeAndResumed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		end := jane.TermEnd()
		jane.Live(10 * day)
		jane.WillPauseAt(end)
		jane.LiveUntil(end.Add(5 * day))
		if jane.Status() != "paused" {
			t.Fatalf("Stripe says %s", jane.Status())
		}
		if w.Access(jane.Account()).Active {
			t.Error("it is paused, and there is access")
		}
		jane.ResumesWith(visa)
		jane.Live(2 * day)
		if !w.Access(jane.Account()).Active {
			t.Error("it was resumed, and there is no access")
		}
		jane.Live(40 * day)
		jane.Judge()
	})
}

func TestPaidAfterStripeCanceledTheTermIsGiven(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.GivesCard(declining)
		jane.LiveUntil(jane.TermEnd().Add(20 * day))
		jane.PaysWith(visa)
		jane.Live(3 * day)
		if a := w.Access(jane.Account()); !a.Active {
			t.Errorf("the last invoice was paid, and the access is %v", a)
		}
		if cases := w.Cases(); len(cases) != 0 {
			t.Errorf("cases: %q", cases)
		}
		jane.Live(20 * day)
		if a := w.Access(jane.Account()); a.Active {
			t.Errorf("the term is over, and the access is %v", a)
		}
	})
}

func TestCanceledAtTheEndOfTheTermItRunsOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.Live(35 * day)
		jane.CancelsAtPeriodEnd(true)
		jane.LiveUntil(jane.TermEnd().Add(10 * day))
		jane.Judge()
		if kinds := kinds(w, jane); slices.Contains(kinds, "payment_failed") {
			t.Errorf("mails: %v", kinds)
		}
	})
}

func TestACancellationThatIsTakenBackRenews(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.CancelsAtPeriodEnd(true)
		jane.Live(20 * day)
		jane.CancelsAtPeriodEnd(false)
		jane.Live(40 * day)
		jane.Judge()
	})
}

func TestDeletedItEndsAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.Live(40 * day)
		jane.IsDeleted()
		jane.Live(2 * day)
		if w.Access(jane.Account()).Active {
			t.Error("there is access to a subscription that was deleted two days ago")
		}
		jane.Judge()
	})
}

func TestACollectionThatIsStoppedRunsOutAndResumes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *oneprocess.World) {
		jane := life.Subscribe(t, w, "jane", monthly, visa)
		jane.Live(10 * day)
		jane.StopsCollection(true)
		jane.LiveUntil(jane.TermEnd().Add(10 * day))
		if w.Access(jane.Account()).Active {
			t.Error("there is access after a term that was not renewed")
		}
		jane.StopsCollection(false)
		jane.Live(40 * day)
		if !w.Access(jane.Account()).Active {
			t.Error("there is no access although it renews again")
		}
		jane.Judge()
	})
}

func TestARefundOfOneRenewalTakesThatTerm(t *testing.T) {
	t.Parallel()
	w := world(t, oneprocess.Prompt, time.Time{})
	jane := life.Subscribe(t, w, "jane", monthly, visa)
	jane.Live(35 * day)
	jane.IsRefunded(1000)
	if !w.Access(jane.Account()).Active {
		t.Error("a part went back, and there is no access")
	}
	jane.Live(2 * day)
	jane.IsRefunded(0)
	if w.Access(jane.Account()).Active {
		t.Error("all of the term went back, and there is access")
	}
	jane.Live(40 * day)
	if !w.Access(jane.Account()).Active {
		t.Error("the next term was paid, and there is no access")
	}
	jane.Judge()
}

func kinds(w *oneprocess.World, s *life.Subscriber) (kinds []string) {
	for _, m := range w.Mails(s.Email) {
		kinds = append(kinds, m.Kind())
	}
	return kinds
}
