package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The bounds of what is done.
const (
	readyWithin = 10 * time.Second // promised of a process that was killed
	givenUp     = 60 * time.Second // then it is said that it never came back
	polled      = 50 * time.Millisecond
	probe       = 1500 * time.Millisecond
)

// strike makes a planned fault happen, and proves that it did. It returns when the
// fault is over.
func (f *fleet) strike(ctx context.Context, x fault) error {
	switch x.kind {
	case killed:
		return f.kill(ctx, x.target)
	case stopped:
		return f.stop(ctx, x)
	case databaseUp:
		return f.restartDatabase(ctx)
	default:
		return f.disturb(ctx, x)
	}
}

// kill ends a process, and measures how soon it works again.
func (f *fleet) kill(ctx context.Context, name string) error {
	if err := f.shop.Kill(name); err != nil {
		return err
	}
	f.happened(killed, "%s is killed", name)
	took, err := f.ready(ctx, name, time.Now())
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.recoveries = append(f.recoveries, took)
	f.mu.Unlock()
	if took > readyWithin {
		stood := f.inLine(name)
		f.say("%s was ready %s after it was killed, of which it stood %s in line for a processor", name, round(took), round(stood))
		if took -= stood; took > readyWithin {
			f.found("NOT_READY", name, "%s after it was killed, more than %s", round(took), readyWithin)
		}
	}
	return nil
}

// inLine is how long a process could have run since its start and did not, because
// others had the machine's processors. Only Linux tells; elsewhere it is 0. The waits
// of threads that stand beside each other count once.
func (f *fleet) inLine(name string) time.Duration {
	pid, err := f.shop.PID(name)
	if err != nil {
		return 0
	}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	var sum, longest time.Duration
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if fields := strings.Fields(string(text)); err == nil && len(fields) == 3 {
			if ns, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				sum += time.Duration(ns)
				longest = max(longest, time.Duration(ns))
			}
		}
	}
	return max(longest, sum/time.Duration(runtime.NumCPU()))
}

// ready waits until a process works, and says how long that took; the time in which
// there was no database does not count.
func (f *fleet) ready(ctx context.Context, name string, since time.Time) (time.Duration, error) {
	bounded, cancel := context.WithTimeout(ctx, givenUp)
	defer cancel()
	for {
		asked, done := context.WithTimeout(bounded, time.Second)
		err := f.shop.Ready(asked, name)
		done()
		if err == nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			now := time.Now()
			return now.Sub(since) - f.away(since, now), nil
		}
		if pause(bounded, polled) != nil {
			if ctx.Err() == nil {
				f.found("NOT_READY", name, "it did not come back in %s: %v", givenUp, err)
			}
			return givenUp, context.Cause(ctx)
		}
	}
}

// away is for how long of this time there was no database.
func (f *fleet) away(from, to time.Time) (sum time.Duration) {
	for _, a := range f.aways {
		begin, end := later(a[0], from), to
		if !a[1].IsZero() && a[1].Before(to) {
			end = a[1]
		}
		sum += max(0, end.Sub(begin))
	}
	return sum
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// confirms is the request by which money moves.
const confirms = `{"method":"POST","path":"/v1/payment_intents/*/confirm","mode":"hang_after"}`

// stopTries is how often a process is stopped until it had a call in hand: which
// replica has one when it is stopped is by lot.
const stopTries = 3

// stop freezes a process in the middle of work: Stripe has taken the money, and its
// answers are on their way. It wakes up when everybody else has gone on for 45 s.
func (f *fleet) stop(ctx context.Context, x fault) error {
	money := slices.Contains([]string{"orders", "payments"}, programOf(x.target))
	for try := 1; ; try++ {
		inHand, err := f.stopOnce(ctx, x, money)
		if err != nil || inHand > 0 || !money || try == stopTries {
			return err
		}
	}
}

// stopOnce says how many calls it had in hand.
func (f *fleet) stopOnce(ctx context.Context, x fault, money bool) (inHand int, err error) {
	pid, err := f.shop.PID(x.target)
	if err != nil {
		return 0, err
	}
	var hold struct{ ID string }
	if money {
		if err := f.atSimulator(ctx, http.MethodPost, "/_sim/faults", confirms, &hold); err != nil {
			return 0, err
		}
		// The calls are spread over the replicas: of so many, some are with this one.
		if err := f.held(ctx, buyers/2); err != nil {
			return 0, errors.Join(err, f.atSimulator(ctx, http.MethodDelete, "/_sim/faults/"+hold.ID, "", nil))
		}
	}
	err = syscall.Kill(pid, syscall.SIGSTOP)
	since := time.Now()
	if money {
		err = errors.Join(err, f.atSimulator(ctx, http.MethodDelete, "/_sim/faults/"+hold.ID, "", nil))
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }() // whatever happens, nobody stays stopped
	asked, done := context.WithTimeout(ctx, probe)
	standsStill := f.shop.Ready(asked, x.target) != nil
	done()
	if standsStill {
		f.happened(stopped, "%s stands still", x.target)
	}
	if err := pause(ctx, x.lasts-time.Since(since)); err != nil {
		return 0, err
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		return 0, err
	}
	woke := time.Now()
	if _, err := f.ready(ctx, x.target, woke); err != nil {
		return 0, err
	}
	// What it had in hand ends now, and is in its log with the time it took.
	if err := pause(ctx, 2*time.Second); err != nil {
		return 0, err
	}
	ends := f.woken(x.target, x.lasts)
	f.say("%s goes on after %s, with %d calls in hand: %s", x.target, round(woke.Sub(since)), len(ends), tally(ends))
	f.mu.Lock()
	f.wokenCalls = append(f.wokenCalls, ends...)
	f.mu.Unlock()
	return len(ends), nil
}

// held waits until Stripe keeps so many answers back.
func (f *fleet) held(ctx context.Context, n int) error {
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		var all struct{ Faults []struct{ Held int } }
		if err := f.atSimulator(bounded, http.MethodGet, "/_sim/faults", "", &all); err != nil {
			return fmt.Errorf("waiting for %d answers of Stripe to be under way: %w", n, err)
		}
		for _, one := range all.Faults {
			if one.Held >= n {
				return nil
			}
		}
		if pause(bounded, polled) != nil {
			return context.Cause(ctx) // fewer buyers pay just now; it is stopped with what it has
		}
	}
}

// woken are the ends of the calls that a process had in hand while it stood still.
func (f *fleet) woken(name string, stood time.Duration) (ends []string) {
	for line := range strings.Lines(f.shop.LogTail(name, 5000)) {
		var l struct {
			Msg, Method, Code string
			Took              int64 `json:"duration_ms"`
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "rpc" && l.Took >= stood.Milliseconds()*9/10 {
			ends = append(ends, l.Method[strings.LastIndex(l.Method, "/")+1:]+" "+l.Code)
		}
	}
	return ends
}

// restartDatabase is pg_ctl stop -m immediate, and the supervisor's start: every
// connection is lost and what was committed is read from the log.
func (f *fleet) restartDatabase(ctx context.Context) error {
	f.restarting.Lock() // the next comes when it is back
	defer f.restarting.Unlock()
	pid, err := f.shop.PID("postgres")
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.aways = append(f.aways, [2]time.Time{time.Now()})
	f.mu.Unlock()
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, givenUp)
	defer cancel()
	for {
		now, err := f.shop.PID("postgres")
		if err == nil && now != pid {
			var one int
			asked, done := context.WithTimeout(bounded, time.Second)
			err = f.shop.DB().QueryRow(asked, "SELECT 1").Scan(&one)
			done()
		}
		if err == nil && now != pid {
			break
		}
		if err := pause(bounded, polled); err != nil {
			return fmt.Errorf("PostgreSQL does not come back: %w", err)
		}
	}
	f.mu.Lock()
	last := &f.aways[len(f.aways)-1]
	last[1] = time.Now()
	took := last[1].Sub(last[0])
	f.mu.Unlock()
	f.happened(databaseUp, "PostgreSQL was restarted, and recovered in %s", round(took))
	return nil
}

// disturb is a fault of the network, proven by a question over each spoilt link.
func (f *fleet) disturb(ctx context.Context, x fault) (err error) {
	struck := f.links.of(x.kind, x.target)
	began := time.Now()
	if err := spoil(struck, x.kind); err != nil {
		return errors.Join(err, mend(struck))
	}
	defer func() { err = errors.Join(err, mend(struck)) }()
	var asking sync.WaitGroup
	felt := make([]bool, len(struck))
	for i, l := range struck {
		asking.Go(func() {
			asked, done := context.WithTimeout(ctx, probe)
			defer done()
			sent := time.Now()
			err := f.shop.Serves(asked, programOf(l.to), l.proxy.Listen)
			felt[i] = err != nil || x.kind == latency && time.Since(sent) > 100*time.Millisecond
		})
	}
	asking.Wait()
	if !slices.Contains(felt, false) {
		f.happened(x.kind, "%s, on %d links", x, len(struck))
	}
	return pause(ctx, x.lasts-time.Since(began))
}

// betweenWaves is how many requests are answered before, between and after the waves of a
// rolling restart: that there is load is awaited, not assumed.
const betweenWaves = 100

// roll restarts every process in good order, one replica of each program at a time.
// Meanwhile no buyer's request may fail.
func (f *fleet) roll(ctx context.Context) error {
	if err := f.answered(ctx, betweenWaves); err != nil {
		return err
	}
	before, _ := f.door.failed()
	asked := f.door.asked.Load()
	for i := range f.opts.replicas {
		var together sync.WaitGroup
		errs := make([]error, len(programs))
		for j, program := range programs {
			together.Go(func() {
				name := f.shop.Replicas(program)[i]
				if errs[j] = f.shop.Restart(name); errs[j] == nil {
					_, errs[j] = f.ready(ctx, name, time.Now())
				}
			})
		}
		together.Wait()
		if err := errors.Join(append(errs, f.answered(ctx, betweenWaves))...); err != nil {
			return err
		}
	}
	after, how := f.door.failed()
	if asked = f.door.asked.Load() - asked; asked > 0 {
		f.happened(rolling, "everything was restarted in good order: of %d requests %d failed", asked, after-before)
	}
	if after > before {
		f.found("REQUEST_LOST", "rolling restart", "%d of %d requests failed; so far: %v", after-before, asked, how)
	}
	return nil
}

// answered waits for so many more requests of buyers.
func (f *fleet) answered(ctx context.Context, n int64) error {
	bounded, cancel := context.WithTimeout(ctx, givenUp)
	defer cancel()
	for until := f.door.asked.Load() + n; f.door.asked.Load() < until; {
		if pause(bounded, polled) != nil {
			return errors.Join(errors.New("nobody buys"), context.Cause(ctx))
		}
	}
	return nil
}

// atSimulator tells or asks the simulator something.
func (f *fleet) atSimulator(ctx context.Context, method, path, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, f.shop.StripeURL()+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := f.door.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the simulator, %s: %s", path, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}
