package due

import (
	"context"
	"fmt"
	"sync"
)

// Pulse decides when due rows are looked for, in place of real time: for a test
// whose clock jumps by days, and which must know when nothing is left to do.
type Pulse struct {
	mu    sync.Mutex
	works map[*pulsed]struct{}
}

type pulseKey struct{}

// pulsed is one Work that waits for the next beat.
type pulsed struct {
	beat chan chan<- result
	gone chan struct{}
}

type result struct {
	rows int
	err  error
}

// WithPulse returns a context under which every Work claims only when p beats.
func WithPulse(ctx context.Context, p *Pulse) context.Context {
	return context.WithValue(ctx, pulseKey{}, p)
}

func pulseOf(ctx context.Context) *Pulse {
	p, _ := ctx.Value(pulseKey{}).(*Pulse)
	return p
}

// Beat has every Work handle what is due, and answers with the number of rows
// that were handled once all of them are done. Rows that became due meanwhile
// may be left for the next beat; after one that handled none, nothing is due.
func (p *Pulse) Beat() (rows int, err error) {
	p.mu.Lock()
	works := make([]*pulsed, 0, len(p.works))
	for w := range p.works {
		works = append(works, w)
	}
	p.mu.Unlock()
	results := make(chan result, len(works))
	var all sync.WaitGroup
	for _, w := range works {
		all.Go(func() {
			select {
			case w.beat <- results:
			case <-w.gone: // ended meanwhile
				results <- result{}
			}
		})
	}
	all.Wait()
	for range works {
		r := <-results
		rows += r.rows
		if err == nil {
			err = r.err
		}
	}
	return rows, err
}

// Works is how many Works wait for its beats.
func (p *Pulse) Works() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.works)
}

// claimsMax bounds what one Work may claim in one beat: rows that are due again
// at once would never let it rest.
const claimsMax = 1000

// runPulsed is Run by the beats of p.
func (w Work[T]) runPulsed(ctx context.Context, p *Pulse) {
	me := &pulsed{beat: make(chan chan<- result), gone: make(chan struct{})}
	defer close(me.gone)
	p.mu.Lock()
	if p.works == nil {
		p.works = map[*pulsed]struct{}{}
	}
	p.works[me] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.works, me)
		p.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case answer := <-me.beat:
			answer <- w.workAll(ctx)
		}
	}
}

// workAll claims and handles until nothing is due.
func (w Work[T]) workAll(ctx context.Context) (r result) {
	for range claimsMax {
		rows, err := w.Claim(ctx, w.Workers)
		if err != nil {
			return result{r.rows, fmt.Errorf("claim %s: %w", w.Name, err)}
		}
		if len(rows) == 0 {
			return r
		}
		r.rows += len(rows)
		var inHand sync.WaitGroup
		for _, row := range rows {
			inHand.Go(func() { w.handleLogged(ctx, row) })
		}
		inHand.Wait()
	}
	r.err = fmt.Errorf("%s never rest: %d rows in one beat", w.Name, r.rows)
	return r
}
