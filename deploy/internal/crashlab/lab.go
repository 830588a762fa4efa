package crashlab

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// lab hears of every write of every service and orders the faults.
type lab struct {
	mu    sync.Mutex
	runs  []*run          // of the wave, and those before that are not judged yet
	shots map[*run]*shot  // ordered of this wave
	loose map[point]*shot // ordered, about nobody
	arms  map[string]int  // faults that are still to strike, by service
	found map[point]int   // by how many customers each point was passed while recording
	met   map[passing]bool
	seen  map[string]bool   // "orders INSERT orders.orders": what went through the proxies
	order []point           // as found
	rec   bool              // recording
	stop  map[string]*group // of the wave, by service
	kill  func(service string)
}

// shot is one fault at one point.
type shot struct {
	point point
	kind  kind
	run   *run // nil when the point is about nobody
	tries int

	hit bool
	at  time.Time // when it struck
}

func newLab() *lab {
	l := &lab{found: map[point]int{}, met: map[passing]bool{}, seen: map[string]bool{}}
	l.disarm()
	return l
}

// disarm forgets the faults that did not strike.
func (l *lab) disarm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shots, l.loose, l.arms, l.stop = map[*run]*shot{}, map[point]*shot{}, map[string]int{}, map[string]*group{}
}

// recording says whether it is noted which points are passed.
func (l *lab) recording(rec bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rec = rec
}

func (l *lab) isRecording() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rec
}

// passed is how often each point was passed while recording.
func (l *lab) passed() map[point]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.found)
}

// join takes a run in.
func (l *lab) join(r *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs = append(l.runs, r)
}

// allHit says whether every fault has struck.
func (l *lab) allHit(shots []*shot) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.ContainsFunc(shots, func(s *shot) bool { return s.at.IsZero() })
}

// goOn says whether somebody whose fault has not struck is still on their way.
func (l *lab) goOn(all []*result) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(all, func(r *result) bool { return r.shot != nil && r.goesOn() })
}

// holding says whether anybody's webhooks are kept away.
func (l *lab) holding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.runs, (*run).isHeld)
}

// leave lets all runs go.
func (l *lab) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.runs {
		r.enter("")
		r.hold(false)
	}
	l.runs = nil
}

// aim orders a fault.
func (l *lab) aim(s *shot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.run == nil {
		l.loose[s.point] = s
	} else {
		l.shots[s.run] = s
	}
	l.arms[s.point.service]++
	if s.kind.kills() {
		g := l.stop[s.point.service]
		if g == nil {
			g = &group{service: s.point.service, kill: l.kill, dead: make(chan struct{}), full: make(chan struct{})}
			l.stop[s.point.service] = g
		}
		g.expected++
	}
}

func (l *lab) armed(service string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.arms[service] > 0
}

func (l *lab) reached(m moment) *fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range m.writes {
		for _, op := range w.ops {
			l.seen[m.service+" "+op] = true
		}
	}
	about := slices.DeleteFunc(slices.Clone(l.runs), func(r *run) bool { return !r.about(m.values) })
	if len(about) == 1 {
		about[0].associate(m.scalars)
	}
	for _, r := range about {
		path := r.in()
		// What the sweep looks at besides is part of no other path.
		if path == "" || m.service == "reconciliation" && path != reconciling {
			continue
		}
		p := pointOf(path, m)
		l.record(p, r)
		if s := l.shots[r]; s != nil && s.point == p {
			if f := l.strike(s, m); f != nil {
				return f
			}
		}
	}
	if len(about) > 0 {
		return nil
	}
	p := pointOf(background, m)
	l.record(p, nil)
	if s := l.loose[p]; s != nil {
		return l.strike(s, m)
	}
	return nil
}

// passing is a customer at a point.
type passing struct {
	point point
	run   *run
}

func (l *lab) record(p point, r *run) {
	if !l.rec || r != nil && l.met[passing{p, r}] {
		return
	}
	l.met[passing{p, r}] = r != nil // what is about nobody is counted each time
	if l.found[p]++; l.found[p] == 1 {
		l.order = append(l.order, p)
	}
}

// strike makes an ordered fault happen, once.
func (l *lab) strike(s *shot, m moment) *fault {
	if s.hit || m.late {
		return nil
	}
	s.hit = true
	l.arms[m.service]--
	struck := func() {
		l.mu.Lock()
		s.at = time.Now()
		l.mu.Unlock()
		if s.run != nil {
			s.run.struck(s.kind, s.point)
		}
	}
	f := &fault{kind: s.kind, moment: m, struck: struck}
	if s.kind.kills() {
		g := l.stop[m.service]
		f.kill = func() {
			g.join()
			struck()
		}
	}
	return f
}

// group is all runs of a wave that are held where one service will be killed: one
// kill serves them all.
type group struct {
	service string
	kill    func(string)

	mu       sync.Mutex
	expected int
	held     int
	once     sync.Once
	full     chan struct{}
	dead     chan struct{}
}

// patience is how long the first that is held waits for the others.
const patience = 700 * time.Millisecond

// join holds until the service is dead.
func (g *group) join() {
	g.mu.Lock()
	g.held++
	if g.held == g.expected {
		close(g.full)
	}
	g.mu.Unlock()
	go g.once.Do(func() {
		select {
		case <-g.full:
		case <-time.After(patience):
		}
		g.kill(g.service)
		close(g.dead)
	})
	<-g.dead
}

// barrier lets all who joined go on together; who leaves is not waited for.
type barrier struct {
	mu      sync.Mutex
	missing int
	open    chan struct{}
}

// join returns what to call when ready, and what to call at the end in any case.
func (b *barrier) join() (ready func(context.Context) error, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(chan struct{})
	}
	b.missing++
	leave = sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.missing--; b.missing == 0 {
			close(b.open)
		}
	})
	return func(ctx context.Context) error {
		leave()
		select {
		case <-b.open:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}, leave
}
