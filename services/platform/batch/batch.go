// Package batch lets concurrent callers share one piece of work, such as a
// commit, without ever waiting for company: a caller who finds a free hand
// works at once, alone; those who come while all hands are busy are taken
// together by the next hand that is free.
package batch

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Group is the callers of one kind of work. Set its fields before the first Run.
type Group[In, Out any] struct {
	// Do works for all items, or for none, and answers in their order.
	Do func(ctx context.Context, items []In) ([]Out, error)
	// Hands is how many Do run at a time, Most how many items one of them takes.
	Hands, Most int
	// Timeout bounds a Do for several: none of them cancels it.
	Timeout time.Duration

	mu      sync.Mutex
	busy    int
	waiting []*call[In, Out]
}

// errLost is what sharers are told when Do panicked.
var errLost = errors.New("the shared work was lost")

// call is one caller. Its turn comes as a hand to work with, or as an answer.
type call[In, Out any] struct {
	item In
	out  Out
	err  error
	turn chan bool // true: the hand is yours; false: it is done
}

// Run has the item done and returns when it is. A caller whose ctx ends while
// the item still waits leaves with that error and nothing is done; once it was
// taken, its answer is waited for.
func (g *Group[In, Out]) Run(ctx context.Context, item In) (Out, error) {
	c := &call[In, Out]{item: item}
	g.mu.Lock()
	if g.busy < g.Hands {
		g.busy++
		g.mu.Unlock()
	} else {
		c.turn = make(chan bool, 1)
		g.waiting = append(g.waiting, c)
		g.mu.Unlock()
		if hand, err := g.await(ctx, c); err != nil || !hand {
			return c.out, errors.Join(err, c.err)
		}
	}
	g.lead(ctx, c)
	return c.out, c.err
}

// await returns true when c is to work, false when its answer is there.
func (g *Group[In, Out]) await(ctx context.Context, c *call[In, Out]) (bool, error) {
	select {
	case hand := <-c.turn:
		return hand, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	for i, w := range g.waiting {
		if w == c {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			g.mu.Unlock()
			return false, ctx.Err()
		}
	}
	g.mu.Unlock()
	return <-c.turn, nil // taken already, or given the hand
}

// lead works for c and for all who wait now, and passes the hand on.
func (g *Group[In, Out]) lead(ctx context.Context, c *call[In, Out]) {
	g.mu.Lock()
	taken := min(len(g.waiting), g.Most-1)
	calls := append([]*call[In, Out]{c}, g.waiting[:taken]...)
	g.waiting = append(g.waiting[:0], g.waiting[taken:]...)
	g.mu.Unlock()

	for _, other := range calls {
		other.err = errLost // unless work says otherwise
	}
	defer func() {
		for _, other := range calls[1:] {
			other.turn <- false
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.waiting) == 0 {
			g.busy--
			return
		}
		next := g.waiting[0]
		g.waiting = append(g.waiting[:0], g.waiting[1:]...)
		next.turn <- true
	}()
	if len(calls) == 1 {
		var outs []Out
		if outs, c.err = g.Do(ctx, []In{c.item}); c.err == nil {
			c.out = outs[0]
		}
		return
	}
	g.work(context.WithoutCancel(ctx), calls)
}

func (g *Group[In, Out]) work(ctx context.Context, calls []*call[In, Out]) {
	items := make([]In, len(calls))
	for i, c := range calls {
		items[i] = c.item
	}
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	outs, err := g.Do(ctx, items)
	for i, c := range calls {
		if c.err = err; err == nil {
			c.out = outs[i]
		}
	}
}
