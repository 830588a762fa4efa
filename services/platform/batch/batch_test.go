package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"makegood.example/services/platform/batch"
)

// gate is work that shows what it was given and waits to be let through.
type gate struct {
	batch.Group[int, int]
	began chan []int
	let   chan error
}

func newGate(hands, most int) *gate {
	g := &gate{began: make(chan []int), let: make(chan error)}
	g.Hands, g.Most, g.Timeout = hands, most, 10*time.Second
	g.Do = func(ctx context.Context, items []int) ([]int, error) {
		g.began <- slices.Clone(items)
		if err := <-g.let; err != nil {
			return nil, err
		}
		out := make([]int, len(items))
		for i, n := range items {
			out[i] = 10 * n
		}
		return out, nil
	}
	return g
}

type answer struct {
	item, out int
	err       error
}

// ask runs items one after the other into the group, each having reached it.
func (g *gate) ask(ctx context.Context, answers chan<- answer, items ...int) {
	for _, n := range items {
		go func() {
			out, err := g.Run(ctx, n)
			answers <- answer{n, out, err}
		}()
		time.Sleep(5 * time.Millisecond) // the order in which they come is the test's own
	}
}

func TestWhoFindsAHandWorksAloneAndWhoWaitsGoesTogether(t *testing.T) {
	g, answers := newGate(2, 3), make(chan answer, 10)
	g.ask(t.Context(), answers, 1)
	if got := <-g.began; !slices.Equal(got, []int{1}) {
		t.Fatal(got)
	}
	g.ask(t.Context(), answers, 2)
	if got := <-g.began; !slices.Equal(got, []int{2}) {
		t.Fatal(got)
	}
	g.ask(t.Context(), answers, 3, 4, 5, 6)
	select {
	case got := <-g.began:
		t.Fatal("a third hand", got)
	case <-answers:
		t.Fatal("answered before it was done")
	case <-time.After(20 * time.Millisecond):
	}
	g.let <- nil
	if got := <-g.began; !slices.Equal(got, []int{3, 4, 5}) {
		t.Fatal(got)
	}
	g.let <- nil
	if got := <-g.began; !slices.Equal(got, []int{6}) {
		t.Fatal(got)
	}
	g.let <- nil
	g.let <- nil
	for range 6 {
		if a := <-answers; a.err != nil || a.out != 10*a.item {
			t.Errorf("%+v", a)
		}
	}
}

func TestAnErrorIsEverybodys(t *testing.T) {
	away := errors.New("nobody there")
	g, answers := newGate(1, 10), make(chan answer, 10)
	g.ask(t.Context(), answers, 4)
	<-g.began
	g.ask(t.Context(), answers, 5, 6)
	g.let <- nil
	<-g.began
	g.let <- away
	for range 3 {
		if a := <-answers; (a.item == 4) != (a.err == nil) || a.item != 4 && !errors.Is(a.err, away) {
			t.Errorf("%+v", a)
		}
	}
}

func TestWhoLeavesWhileWaitingLeavesNothingBehind(t *testing.T) {
	g, answers := newGate(1, 10), make(chan answer, 10)
	g.ask(t.Context(), answers, 1)
	<-g.began
	ctx, leave := context.WithCancel(t.Context())
	g.ask(ctx, answers, 2)
	g.ask(t.Context(), answers, 3)
	leave()
	if a := <-answers; a.item != 2 || !errors.Is(a.err, context.Canceled) {
		t.Errorf("%+v", a)
	}
	g.let <- nil
	if got := <-g.began; !slices.Equal(got, []int{3}) {
		t.Fatal(got)
	}
	g.let <- nil
	<-answers
	<-answers
}

func TestWhoLeadsAndLeavesStillWorksForTheOthers(t *testing.T) {
	g, answers := newGate(1, 10), make(chan answer, 10)
	working := make(chan error, 1)
	do := g.Do
	g.Do = func(ctx context.Context, items []int) ([]int, error) {
		out, err := do(ctx, items)
		working <- ctx.Err()
		return out, err
	}
	g.ask(t.Context(), answers, 1)
	<-g.began
	ctx, leave := context.WithCancel(t.Context())
	g.ask(ctx, answers, 2)
	g.ask(t.Context(), answers, 3)
	g.let <- nil
	<-working
	<-answers
	if got := <-g.began; !slices.Equal(got, []int{2, 3}) {
		t.Fatal(got)
	}
	leave()
	g.let <- nil
	if err := <-working; err != nil {
		t.Errorf("the work ended with its leader: %v", err)
	}
	for range 2 {
		if a := <-answers; a.err != nil || a.out != 10*a.item {
			t.Errorf("%+v", a)
		}
	}
}

func TestAPanicAnswersEverybody(t *testing.T) {
	g := batch.Group[int, int]{Hands: 1, Most: 10, Timeout: time.Second}
	first := make(chan bool)
	g.Do = func(_ context.Context, items []int) ([]int, error) {
		if len(items) == 1 && items[0] == 1 {
			<-first
			return items, nil
		}
		panic("a bug")
	}
	var failed atomic.Int64
	var done sync.WaitGroup
	for n := range 4 {
		done.Go(func() {
			defer func() {
				if recover() != nil {
					failed.Add(1)
				}
			}()
			if _, err := g.Run(t.Context(), n+1); err != nil {
				failed.Add(1)
			}
		})
		time.Sleep(5 * time.Millisecond)
	}
	close(first)
	done.Wait()
	if failed.Load() != 3 {
		t.Errorf("%d failed", failed.Load())
	}
	if _, err := g.Run(t.Context(), 1); err != nil {
		t.Errorf("after the panic: %v", err)
	}
}

func TestManyAtOnceAreEachDoneOnce(t *testing.T) {
	var running, most atomic.Int64
	counts := make([]atomic.Int64, 2000)
	g := batch.Group[int, int]{Hands: 3, Most: 7, Timeout: time.Second}
	g.Do = func(_ context.Context, items []int) ([]int, error) {
		if now := running.Add(1); now > 3 || len(items) > 7 {
			t.Errorf("%d hands, %d items", now, len(items))
		}
		defer running.Add(-1)
		most.Store(max(most.Load(), int64(len(items))))
		for _, n := range items {
			counts[n].Add(1)
		}
		time.Sleep(50 * time.Microsecond)
		return items, nil
	}
	var done sync.WaitGroup
	for w := range 50 {
		done.Go(func() {
			for n := w; n < len(counts); n += 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%5+1)*200*time.Microsecond)
				if out, err := g.Run(ctx, n); err == nil && out != n || err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d: %d, %v", n, out, err)
				} else if err != nil {
					counts[n].Add(1) // left before it was taken
				}
				cancel()
			}
		})
	}
	done.Wait()
	for n := range counts {
		if c := counts[n].Load(); c != 1 {
			t.Fatalf("%d was done %d times", n, c)
		}
	}
}
