package simulation

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"makegood.example/deploy/internal/oneprocess"
)

// history is one plan being played.
type history struct {
	t      testing.TB
	w      *oneprocess.World
	plan   Plan
	tally  *Tally
	post   *postman
	faults *breaker

	buyers map[int]*buyer
	wishes []wish // refunds that support asked for

	mu    sync.Mutex
	story []string
}

// Stage is where histories of one batch are played, one after the other.
type Stage struct {
	// Plans is the shop's file of plans.
	Plans string
	Tally *Tally

	life   testing.TB
	w      *oneprocess.World // nil before the first, and after one that failed
	faults *breaker
}

// NewStage ends with the test.
func NewStage(life testing.TB, plans string, tally *Tally) *Stage {
	return &Stage{Plans: plans, Tally: tally, life: life}
}

// Play plays one history and judges it.
func (s *Stage) Play(t testing.TB, plan Plan) {
	t.Helper()
	h := &history{t: t, plan: plan, tally: s.Tally, buyers: map[int]*buyer{}}
	ended := false
	defer func() { // a failed test unwinds
		well := ended && !t.Failed()
		s.Tally.played(plan.Seed, well)
		if !ended {
			fmt.Printf("SEED=%d was not played to its end\n", plan.Seed)
		}
		if !well {
			s.faults.end()
			s.w = nil // who knows what is still under way in it
		}
		if !well || testing.Verbose() {
			t.Logf("%s\nwhat happened:\n  %s", plan, strings.Join(h.told(), "\n  "))
		}
	}()
	h.post = &postman{Post: plan.Post, struck: h.struck, seen: map[string]int{}}
	if s.w == nil {
		s.open(plan)
	}
	h.w, h.faults = s.w, s.faults
	h.faults.begin(h.struck)
	h.w.Again(t, plan.Begin, plan.Rested, h.post.deliver)
	h.w.Stripe.Control("/_sim/settings", map[string]any{"after_retries": plan.After, "async_settle_hours": 5, "refund_hours": 4}, nil)
	for _, s := range plan.Steps {
		h.step(s)
	}
	h.rest()
	h.judge()
	ended = true
}

// open starts the product, and lets it sweep until it has read all that there was
// before it.
func (s *Stage) open(plan Plan) {
	s.faults = &breaker{}
	settings := map[string]string{"PLANS_FILE": s.Plans}
	maps.Copy(settings, plan.Settings)
	sweeps := 2*plan.every() + time.Second
	s.w = oneprocess.New(s.life, oneprocess.Options{Begin: plan.Begin.Add(-sweeps - time.Hour), Settings: settings, Between: s.faults.between, Sparing: true})
	s.faults.begin(func(Kind, string) {})
	s.w.Advance(sweeps, nil)
}

// step lets time pass and somebody do something, while what is ordered goes wrong.
func (h *history) step(s Step) {
	h.t.Helper()
	if s.Jump {
		h.struck(ClockJumps, s.Wait.String())
		h.w.Jump(s.Wait)
	} else if s.Wait > 0 {
		h.w.Advance(s.Wait, nil)
	}
	h.faults.mailBack()
	for _, f := range s.Faults {
		h.tally.ordered(f.Kind)
		h.faults.order(f)
	}
	h.tell("buyer %d %s %s", s.Buyer, s.Do, s.Card)
	h.tally.step()
	h.act(s)
	h.w.Settle()
}

// restMost bounds how long everything may take to come to rest, which is looked at
// each restStep: what waits for its buyer expires, what a bank still answers is
// answered, what Stripe delivers again arrives.
const (
	restFirst = 6 * time.Minute // most is at rest then: each order had its own look
	restStep  = 30 * time.Minute
	restMost  = 60 * time.Hour
)

// rest ends the disturbances and waits until nothing is under way. Then two sweeps
// pass, so that what is reconciled, and which cases are open, is judged as it stands
// after the last thing that happened.
func (h *history) rest() {
	h.t.Helper()
	h.post.mu.Lock()
	h.post.quiet = true
	h.post.mu.Unlock()
	h.faults.leave()
	h.tell("nothing goes wrong any more")
	h.w.AwaitReady()
	h.w.Settle()
	h.repeatWishes()
	every := h.plan.every()
	for rested, step := time.Duration(0), restFirst; rested < restMost; step = max(restStep, every) {
		if last := h.w.OnTheirWay(); !last.IsZero() {
			step = max(step, last.Sub(h.w.Clock.Now()))
		}
		h.w.Advance(step, nil)
		if rested += step; !h.atRest() {
			continue
		}
		sweeps := 2*every + time.Minute
		h.w.Advance(sweeps, nil)
		if rested += sweeps; h.atRest() {
			return
		}
	}
}

func (h *history) atRest() bool { return h.w.OnTheirWay().IsZero() && len(h.unfinished()) == 0 }

func (h *history) tell(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := ""
	if h.w != nil {
		at = h.w.Clock.Now().Format("2006-01-02 15:04:05.000 ")
	}
	h.story = append(h.story, at+fmt.Sprintf(format, args...))
}

func (h *history) told() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.story
}

func (h *history) struck(k Kind, where string) {
	h.tally.struck(k)
	h.tell("! %s %s", k, where)
}

// id makes references and wishes of the seed, so that they are the same again.
func (h *history) id(what string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d", h.plan.Seed, what, n))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // as a browser's random ones
	return id.String()
}
