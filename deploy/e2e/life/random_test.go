package life

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"makegood.example/deploy/internal/life"
	"makegood.example/deploy/internal/oneprocess"
)

// usualCount is how many random lives are played; the simulation plays many more, and
// shorter ones.
var usualCount = 8

func TestRandomLives(t *testing.T) {
	t.Parallel()
	first := number(t, "LIFE_SEED", 1)
	count := usualCount
	if first != 1 {
		count = 1
	}
	for seed := first; seed < first+number(t, "LIFE_COUNT", count); seed++ {
		t.Run(fmt.Sprintf("LIFE_SEED=%d", seed), func(t *testing.T) {
			t.Parallel()
			play(t, uint64(seed), 80*day, true)
		})
	}
}

func TestTwoYears(t *testing.T) {
	t.Parallel()
	t.Run("of months, with events lost, repeated and overtaken", func(t *testing.T) {
		t.Parallel()
		if s := play(t, 1_000_002, 2*366*day, false); s.Terms() < 15 {
			t.Errorf("%d terms were paid in two years", s.Terms())
		}
	})
	t.Run("of a year's terms, with only looks", func(t *testing.T) {
		t.Parallel()
		w := world(t, oneprocess.Silent, time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC))
		jane := life.Subscribe(t, w, "jane", annual, visa)
		jane.Live(2*366*day + 10*day)
		if jane.Terms() != 3 {
			t.Errorf("%d terms were paid", jane.Terms())
		}
		jane.Judge()
	})
}

// play lives a random life for a while. One that is not mortal is never over for
// good.
func play(t *testing.T, seed uint64, length time.Duration, mortal bool) *life.Subscriber {
	random := rand.New(rand.NewPCG(seed, 0))
	silent := seed%5 == 0
	post := oneprocess.Post(oneprocess.Silent)
	if !silent {
		post = refundsArrive(oneprocess.Rough(random))
	}
	begin := time.Date(2026, time.Month(1+random.IntN(12)), 1+random.IntN(31), random.IntN(24), random.IntN(60), random.IntN(60), 0, time.UTC)
	w := world(t, post, begin)
	after := []string{"unpaid", "past_due", "cancel"}
	if !mortal {
		after = after[:2]
	}
	w.Stripe.Control("/_sim/settings", map[string]any{"after_retries": after[random.IntN(len(after))]}, nil)
	s := life.Subscribe(t, w, fmt.Sprintf("seed-%d", seed), monthly, []string{visa, "pm_card_mastercard", asking}[random.IntN(3)])
	for end := w.Clock.Now().Add(length); w.Clock.Now().Before(end); {
		s.Live(time.Duration(random.Int64N(int64([]time.Duration{2 * time.Hour, 3 * day, 12 * day}[random.IntN(3)]))))
		happen(s, random, silent, mortal)
	}
	s.Judge()
	return s
}

// refundsArrive does not lose what is said of refunds: no look finds them.
func refundsArrive(post oneprocess.Post) oneprocess.Post {
	return func(e oneprocess.Event) []time.Duration {
		after := post(e)
		if len(after) == 0 && strings.HasPrefix(e.Type, "charge.refund") {
			return []time.Duration{day}
		}
		return after
	}
}

// happen does something that can be done as the subscription stands, or nothing.
func happen(s *life.Subscriber, random *rand.Rand, silent, mortal bool) {
	if random.IntN(8) == 0 {
		s.SeesRestart([]string{"orders", "payments", "provisioning", "notifications", "reconciliation"}[random.IntN(5)])
	}
	n := random.IntN(16)
	switch s.Standing() {
	case life.Renewing:
		switch {
		case n < 3:
			s.GivesCard(declining)
		case n < 5:
			s.GivesCard(asking)
		case n < 6:
			s.GivesCard(visa)
		case n < 7 && (mortal || s.TimeLeft() > 13*day):
			s.CancelsAtPeriodEnd(true)
		case n < 8:
			s.StopsCollection(true)
		case n < 9 && !silent:
			s.IsRefunded(0)
		case n < 10 && !silent:
			s.IsRefunded(500)
		case n == 15 && mortal && random.IntN(4) == 0:
			s.IsDeleted()
		}
	case life.Ending:
		if n < 6 || !mortal {
			s.CancelsAtPeriodEnd(false)
		}
	case life.Stopped:
		if n < 8 {
			s.StopsCollection(false)
		}
	case life.Asked:
		switch {
		case n < 6:
			s.Authenticates()
		case n < 10:
			s.PaysWith(visa)
		}
	case life.Unpaid:
		if n < 8 {
			s.PaysWith(visa)
		}
	}
}
