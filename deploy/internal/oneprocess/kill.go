package oneprocess

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"makegood.example/services/platform/due"
	"makegood.example/services/platform/process"
)

// Line is what a service says to its database, which can be cut.
type Line interface{ Cut() }

// instance is one life of a service.
type instance struct {
	stop func()      // drains
	dead atomic.Bool // killed: nothing that it still does has an effect
	kill func()
}

// start begins a life of a service.
func (w *World) start(s service) {
	i := &instance{}
	settings := map[string]string{}
	var cuts []func()
	if w.between != nil {
		settings, cuts = w.lines(s)
	}
	lookup := func(key string) (string, bool) {
		if v, ok := settings[key]; ok {
			return v, true
		}
		return w.Setting(key)
	}
	rt := process.Runtime{Log: w.log.of(s.name), Now: w.clockOf(s.name), Listener: w.network.open(s.addr), Dial: w.network.dialer(s.name, i)}
	ctx, cancel := context.WithCancel(due.WithPulse(context.Background(), w.pulses[s.name]))
	ended := make(chan error, 1)
	var stopping atomic.Bool
	i.kill = func() {
		i.dead.Store(true)
		w.network.sever(s.name, s.addr)
		for _, cut := range cuts {
			cut()
		}
		cancel()
	}
	i.stop = sync.OnceFunc(func() {
		if i.dead.Load() {
			return
		}
		stopping.Store(true)
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Errorf("%s ended: %v", s.name, err)
		}
		for _, cut := range cuts {
			cut()
		}
	})
	w.mu.Lock()
	w.running[s.name] = i
	w.mu.Unlock()
	w.life.Cleanup(i.stop)
	go func() {
		err := s.run(ctx, lookup, rt)
		if w.between != nil && !stopping.Load() && !i.dead.Load() {
			w.fell(s.name, i, 0) // its own end, as by a fault while it started: it is run again
		}
		ended <- err
	}()
}

// lines are the settings of a service whose every way out can be cut.
func (w *World) lines(s service) (settings map[string]string, cuts []func()) {
	settings = map[string]string{}
	url, line, err := w.between(s.name, w.settings[s.prefix+"_DATABASE_URL"])
	if err != nil {
		w.t.Error(err)
		return settings, nil
	}
	settings[s.prefix+"_DATABASE_URL"] = url
	cuts = append(cuts, line.Cut)
	out := map[string]struct {
		key, scheme string
		refuses     func() bool
	}{"payments": {"STRIPE_API_BASE", "http://", nil}, "notifications": {"SMTP_URL", "smtp://", w.mailIsAway}}[s.name]
	if out.key == "" {
		return settings, cuts
	}
	c, err := newCable(hostOf(w.settings[out.key]), out.refuses)
	if err != nil {
		w.t.Error(err)
		return settings, cuts
	}
	settings[out.key] = out.scheme + c.addr()
	cuts = append(cuts, c.sever)
	return settings, cuts
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// Kill ends a service in the middle of whatever it does: its connections are cut,
// and nothing that its code still does reaches anybody. It is run again after a
// while, on the world's clock. Kill may be called from anywhere; a service that does
// not run is not killed.
func (w *World) Kill(name string, down time.Duration) (killed bool) {
	w.mu.Lock()
	i := w.running[name]
	w.mu.Unlock()
	return i != nil && w.fell(name, i, down)
}

// fell notes that a life is over.
func (w *World) fell(name string, i *instance, down time.Duration) bool {
	w.mu.Lock()
	if w.running[name] != i {
		w.mu.Unlock()
		return false
	}
	delete(w.running, name)
	w.fallen[name] = w.Clock.Now().Add(down)
	w.askAgain = true
	w.mu.Unlock()
	i.kill()
	return true
}

func (w *World) isRunning(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running[name] != nil
}

// takeDown takes a service from those that run.
func (w *World) takeDown(name string) *instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.running[name]
	delete(w.running, name)
	return i
}

// raise runs the killed services again whose time has come, and waits until each
// serves.
func (w *World) raise() {
	w.t.Helper()
	w.mu.Lock()
	var up []service
	for _, s := range services {
		if at, ok := w.fallen[s.name]; ok && !at.After(w.Clock.Now()) {
			delete(w.fallen, s.name)
			up = append(up, s)
		}
	}
	ask := w.askAgain || len(up) > 0
	w.askAgain = false
	w.mu.Unlock()
	for _, s := range up {
		w.start(s)
		w.awaitServing(s)
	}
	for _, s := range up {
		w.awaitFound(s)
	}
	if ask {
		w.askForDue()
	}
}

// RaiseAll ends the waiting of those that were killed.
func (w *World) RaiseAll() {
	w.t.Helper()
	w.mu.Lock()
	for name := range w.fallen {
		w.fallen[name] = time.Time{}
	}
	w.mu.Unlock()
	w.raise()
}

// awaitServing asks a service for its health until it is well, or has died again.
func (w *World) awaitServing(s service) {
	w.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.addr, grpc.WithContextDialer(w.network.dialer("a probe", nil)), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if !w.isRunning(s.name) {
			return
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		said, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
		cancel()
		if err == nil && said.GetStatus() == healthv1.HealthCheckResponse_SERVING {
			return
		}
	}
	w.t.Fatalf("%s does not serve again", s.name)
}

// awaitFound waits until the others have found a service again. Their pauses between
// two tries, of a second at most, would be days on the world's clock.
func (w *World) awaitFound(s service) {
	alive := func(name string) bool { return name == "gateway" || w.isRunning(name) }
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if !w.isRunning(s.name) || w.network.foundAgain(s.addr, alive) {
			return
		}
	}
}

// Lose breaks a connection between services when so many more messages went over
// any: the message is lost, or its answer. It takes the place of one ordered before.
func (w *World) Lose(passes int, answer bool, struck func()) {
	w.network.breakAfter(&breakage{passes: passes, after: answer, struck: struck})
}

// LoseNothing takes back what was ordered and has not happened.
func (w *World) LoseNothing() { w.network.breakAfter(nil) }

// Skew sets the clock of a service off from the world's.
func (w *World) Skew(service string, by time.Duration) {
	w.skews[service].Store(int64(by))
	w.askForDue()
}

func (w *World) clockOf(service string) func() time.Time {
	skew := w.skews[service]
	return func() time.Time { return w.Clock.Now().Add(time.Duration(skew.Load())) }
}

// MailAway has nobody answer where the mail server is, or ends that, and says how
// often it was asked for in vain since it was said last.
func (w *World) MailAway(yes bool) (missed int) {
	w.mailAway.Store(yes)
	return int(w.mailMissed.Swap(0))
}

func (w *World) mailIsAway() bool {
	away := w.mailAway.Load()
	if away {
		w.mailMissed.Add(1)
	}
	return away
}

// Jump sets the clock forward without a stop on the way: everybody finds at once
// what has become due meanwhile.
func (w *World) Jump(d time.Duration) {
	w.t.Helper()
	w.Clock.set(w.Clock.Now().Add(d))
	w.Settle()
}
