package stripegw

import (
	"context"
	"sync"
	"time"
)

const (
	// atOnce is how much of a second's reads may begin at the same moment.
	atOnce = 0.25
	// slowest is the least share of the limit to which 429s bring reading down, and
	// faster what each answer after that gives back.
	slowest = 1.0 / 16
	faster  = 1.0 / 50
)

// pace spaces out what is read for nobody who waits: whole lists are read by
// several at once, and buyers' payments must find room under Stripe's limit. When
// Stripe says that it is too much, reading goes half as fast, and then faster again
// by and by.
type pace struct {
	mu      sync.Mutex
	most    float64 // reads a second; 0 is no limit
	present float64
	next    time.Time // when the next read may begin, if none may at once
}

func newPace(perSecond int) *pace {
	return &pace{most: float64(perSecond), present: float64(perSecond)}
}

// wait returns when a read may begin; false says that the context leaves no time
// for it.
func (p *pace) wait(ctx context.Context) bool {
	at, ok := p.turn(ctx, time.Now())
	if !ok {
		return false
	}
	d := time.Until(at)
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// turn takes the next moment at which a read may begin. Who has no time to wait for it
// takes none: else those who give up would push it ever further away from all others.
func (p *pace) turn(ctx context.Context, now time.Time) (at time.Time, ok bool) {
	if ctx.Err() != nil {
		return now, false
	}
	if p.most == 0 {
		return now, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if saved := now.Add(-time.Duration(atOnce * float64(time.Second))); p.next.Before(saved) {
		p.next = saved
	}
	at = p.next
	if deadline, has := ctx.Deadline(); has && deadline.Before(at) {
		return at, false
	}
	p.next = at.Add(time.Duration(float64(time.Second) / p.present))
	return at, true
}

// answered says what Stripe made of a read.
func (p *pace) answered(tooMuch bool) {
	if p.most == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if tooMuch {
		p.present = max(p.present/2, p.most*slowest)
	} else {
		p.present = min(p.present+p.most*faster, p.most)
	}
}
