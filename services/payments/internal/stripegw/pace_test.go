package stripegw

import (
	"context"
	"testing"
	"time"
)

// reads is how many may begin within a time, when each begins as soon as it may.
func reads(p *pace, from time.Time, within time.Duration) (n int) {
	for p.turn(from).Before(from.Add(within)) {
		n++
	}
	return n
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
		p.turn(time.Now())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if p.wait(ctx) {
		t.Error("it waited past its deadline")
	}
	if now := time.Now(); newPace(0).turn(now) != now {
		t.Error("without a limit somebody waits")
	}
}
