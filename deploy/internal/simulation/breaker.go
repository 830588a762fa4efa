package simulation

import (
	"slices"
	"strings"
	"sync"
	"time"

	"makegood.example/deploy/inbox"
	"makegood.example/deploy/internal/crashlab"
	"makegood.example/deploy/internal/oneprocess"
)

// breaker has the ordered faults happen. Services write from many connections at
// once, so that it is locked.
type breaker struct {
	w      *oneprocess.World
	struck func(Kind, string)

	mu     sync.Mutex
	writes []*ordered // that wait for a write of their service
	down   map[string]time.Duration
	stripe map[string]Fault // by the simulator's id
	mail   inbox.Faults     // as they were set last
	left   chan struct{}    // closed when the history is to come to rest
	watch  sync.WaitGroup
}

type ordered struct {
	Fault
	passed int
}

// strikes are the faults at writes.
var strikes = map[Kind]crashlab.Strike{
	WriteRefused: crashlab.Refuse, WriteSerialized: crashlab.RefuseSerialization, ConnectionLost: crashlab.LoseBefore,
	ConfirmationLost: crashlab.LoseAfter, KilledBefore: crashlab.KillBefore, KilledAfter: crashlab.KillAfter,
}

// begin makes it ready for the next history.
func (b *breaker) begin(struck func(Kind, string)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.struck, b.writes, b.down = struck, nil, map[string]time.Duration{}
	b.stripe, b.left = map[string]Fault{}, make(chan struct{})
}

// between is for oneprocess.Options.
func (b *breaker) between(w *oneprocess.World, service, database string) (string, oneprocess.Line, error) {
	if b.w == nil {
		b.w = w
	}
	l, err := crashlab.NewLine(service, database, b)
	if err != nil {
		return "", nil, err
	}
	return l.URL, l, nil
}

// order has a fault wait for its place.
func (b *breaker) order(f Fault) {
	switch {
	case strikes[f.Kind] != "":
		b.mu.Lock()
		b.writes = append(b.writes, &ordered{Fault: f})
		b.mu.Unlock()
	case stripeModes[f.Kind] != "":
		b.orderAtStripe(f)
	case f.Kind == CallLost || f.Kind == AnswerLost:
		b.w.Lose(f.Nth-1, f.Kind == AnswerLost, func() { b.struck(f.Kind, "") })
	case f.Kind == ClockOff:
		b.w.Skew(f.Service, f.Off)
		b.struck(ClockOff, f.Service+" by "+f.Off.String())
	case f.Kind == MailDown:
		b.w.MailAway(true)
	case f.Kind == MailRefused:
		b.setMail(inbox.Faults{Refuse: "temporary", Times: 3})
	case f.Kind == MailAnswerLost:
		b.setMail(inbox.Faults{DropAfterData: true, Times: 1})
	}
}

func (b *breaker) orderAtStripe(f Fault) {
	var made struct{ ID string }
	wish := map[string]any{"path": f.Path, "mode": stripeModes[f.Kind], "skip": f.Nth - 1, "times": 1}
	if status := stripeStatus[f.Kind]; status != 0 {
		wish["status"] = status
	}
	b.w.Stripe.Control("/_sim/faults", wish, &made)
	b.stripe[made.ID] = f
	if f.Kind != KilledWhileStripe {
		return
	}
	left, struck := b.left, b.struck
	b.watch.Go(func() {
		for {
			select {
			case <-left:
				return
			case <-time.After(4 * time.Millisecond):
			}
			for _, at := range b.stripeFaults() {
				if at.ID != made.ID || at.Held == 0 {
					continue
				}
				if b.w.Kill("payments", f.Down) {
					struck(f.Kind, f.Path)
				}
				return
			}
		}
	})
}

// stripeFault is one as the simulator tells it.
type stripeFault struct {
	ID         string
	Hits, Held int
}

func (b *breaker) stripeFaults() []stripeFault {
	var told struct{ Faults []stripeFault }
	b.w.Stripe.Control("/_sim/faults", nil, &told)
	return told.Faults
}

func (b *breaker) setMail(f inbox.Faults) {
	b.countMail()
	b.w.MailFaults(f)
	b.mail = f
}

// countMail says which of the mail's faults has struck.
func (b *breaker) countMail() {
	now := b.w.MailFaultsNow()
	switch {
	case b.mail.Refuse != "" && now.Times < b.mail.Times:
		b.struck(MailRefused, "")
	case b.mail.DropAfterData && !now.DropAfterData:
		b.struck(MailAnswerLost, "")
	}
	b.mail = inbox.Faults{}
}

// between two steps the mail server is back.
func (b *breaker) mailBack() {
	if b.w.MailAway(false) > 0 {
		b.struck(MailDown, "")
	}
}

// end has nothing strike any more.
func (b *breaker) end() {
	b.mu.Lock()
	if b.left != nil {
		close(b.left)
	}
	b.left, b.writes = nil, nil
	b.mu.Unlock()
	b.watch.Wait()
}

// leave takes back what has not struck, and lets everything heal.
func (b *breaker) leave() {
	b.end()
	b.w.LoseNothing()
	for _, at := range b.stripeFaults() {
		if f := b.stripe[at.ID]; at.Hits > 0 && f.Kind != KilledWhileStripe {
			b.struck(f.Kind, f.Path)
		}
		b.w.Stripe.Remove("/_sim/faults/" + at.ID)
	}
	b.setMail(inbox.Faults{})
	b.mailBack()
	for _, s := range serviceNames {
		b.w.Skew(s, 0)
	}
	b.w.RaiseAll()
}

// Armed, Reached and Die make it a chooser of what becomes of writes.
func (b *breaker) Armed(service string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.writes, func(o *ordered) bool { return o.Service == service })
}

// Reached counts a write and strikes the one that was ordered. What River writes in
// real time by itself is not counted, so that a history counts the same again.
func (b *breaker) Reached(service string, tables []string, durable bool) crashlab.Strike {
	if !slices.ContainsFunc(tables, func(table string) bool { return !strings.Contains(table, ".river_") }) {
		return ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, o := range b.writes {
		after := o.Kind == ConfirmationLost || o.Kind == KilledAfter
		if o.Service != service || after && !durable {
			continue
		}
		if o.passed++; o.passed < o.Nth {
			continue
		}
		b.writes = slices.Delete(b.writes, i, i+1)
		b.down[service] = o.Down
		b.struck(o.Kind, service+" "+strings.Join(tables, ", "))
		return strikes[o.Kind]
	}
	return ""
}

// Die ends a service in the middle of a write.
func (b *breaker) Die(service string) {
	b.mu.Lock()
	down := b.down[service]
	b.mu.Unlock()
	b.w.Kill(service, down)
}
