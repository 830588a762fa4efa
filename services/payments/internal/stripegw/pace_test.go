package stripegw

import (
	"context"
	"testing"
	"time"
)

// reads is how many may begin within a time, when each begins as soon as it may.
func reads(p *pace, from time.Time, within time.Duration) (n int) {
	for {
		at, ok := p.turn(context.Background(), from)
		if !ok || !at.Before(from.Add(within)) {
			return n
		}
		n++
	}
}

func TestReadingKeepsToItsShareOfStripesLimit(t *testing.T) {
	p, now := newPace(20), time.Now()
	if n := reads(p, now, 10*time.Second); n < 200 || n > 206 {
		t.Errorf("%d reads in ten seconds at 20 a second", n)
	}
	if n := reads(newPace(20), now, time.Nanosecond); n != 6 {
		t.Errorf("%d at once after a silence", n)
	}
}

func TestReadingSlowsDownWhenStripeSaysItIsTooMuch(t *testing.T) {
	p, now := newPace(20), time.Now()
	p.answered(true)
	if n := reads(p, now, 10*time.Second); n < 100 || n > 104 {
		t.Errorf("%d reads in ten seconds after one 429 at 20 a second", n)
	}
	for range 100 {
		p.answered(true)
	}
	later := now.Add(time.Hour)
	if n := reads(p, later, 10*time.Second); n < 12 || n > 14 {
		t.Errorf("%d reads in ten seconds in a storm of 429s", n)
	}
	for range 100 {
		p.answered(false)
	}
	if n := reads(p, later.Add(time.Hour), 10*time.Second); n < 200 || n > 206 {
		t.Errorf("%d reads in ten seconds when the storm is over", n)
	}
}

func TestWhoHasNoTimeLeftDoesNotWaitForATurn(t *testing.T) {
	p := newPace(1)
	for range 3 {
		p.turn(t.Context(), time.Now())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if p.wait(ctx) {
		t.Error("it waited past its deadline")
	}
	now := time.Now()
	if at, ok := newPace(0).turn(t.Context(), now); !ok || at != now {
		t.Error("without a limit somebody waits")
	}
}

// A hundred who give up, before they wait or because they need not any more, take no turn
// from those who come after them.
func TestWhoGivesUpTakesNoTurn(t *testing.T) {
	p, now := newPace(20), time.Now()
	if n := reads(p, now, 2*time.Second); n == 0 {
		t.Fatal("nothing is read")
	}
	hurried, cancel := context.WithDeadline(t.Context(), now.Add(time.Second))
	defer cancel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 100 {
		for _, ctx := range []context.Context{hurried, gone} {
			if _, ok := p.turn(ctx, now); ok {
				t.Fatal("a turn is given to somebody who cannot wait for it")
			}
		}
	}
	if at, ok := p.turn(t.Context(), now); !ok || at.After(now.Add(3*time.Second)) {
		t.Errorf("the next may read after %s", at.Sub(now))
	}
}
