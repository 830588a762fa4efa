// Package fleet runs three of every service and of the edge under load, kills them,
// stops them, cuts them off, restarts PostgreSQL under them, and has the judge say
// whether anybody lost. A seed decides what happens when. The processes are the real
// ones; nothing in the product knows of it.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"makegood.example/deploy/internal/judge"
	"makegood.example/deploy/internal/secretive"
	"makegood.example/deploy/internal/stack"
)

// Options say where the fleet runs and for how long.
type Options struct {
	// Dir is the state folder: the report goes to fleet/, and the product has a
	// folder of its own there, which is removed.
	Dir string
	// BinDir holds the programs; <Dir>/bin when empty.
	BinDir string
	// Env is the user's environment, KEY=value.
	Env []string
	// Out is the terminal.
	Out io.Writer
	// Length is for how long faults happen, at least Least; the rolling restart
	// before and the rest after come on top.
	Length time.Duration
	// Seed decides what happens when; the same seed decides the same.
	Seed uint64

	replicas int
}

// Least is how short it can be with everything in it: the longest fault and its end.
const Least = 50 * time.Second

// ErrViolated means that the fleet did its work and did not like what it saw.
var ErrViolated = errors.New("the fleet found what must not be")

// programs are what runs three times.
var programs = []string{"orders", "payments", "provisioning", "notifications", "reconciliation", "gateway"}

// settings are those of a product that is disturbed often: the looks and sweeps come
// soon, so that they meet the requests and each other. An edge lingers for longer than
// the door may take to hear that it stops.
var settings = []string{"RESCUE_AFTER=2s", "APOLOGY_AFTER=1s", "STUCK_AFTER=10s", "RECONCILE_EVERY=5s", "ATTEMPTS_PER_IP=1000000", "REQUESTS_PER_IP=1000000", "GRPC_TLS_DIR=auto", "DRAIN_DELAY=2s"}

// restWithin is how long may pass after the last fault until nothing is under way.
const restWithin = 2 * time.Minute

// sweptWithin is how long the sweep after that may take on a busy machine.
const sweptWithin = 5 * time.Minute

// fleet is a running one.
type fleet struct {
	opts    Options
	began   time.Time
	shop    *stack.Stack
	links   *links
	door    *door
	crowd   *crowd
	sources judge.Sources

	mu         sync.Mutex
	events     []event
	counts     map[kind]int
	recoveries []time.Duration // of killed processes
	wokenCalls []string
	aways      [][2]time.Time // of the database
	findings   []judge.Finding
	rested     time.Duration
	lastAtWork string
	closers    []func(context.Context) error
	planned    map[kind]int
	restarting sync.Mutex
}

// event is a line of what happened.
type event struct {
	At   time.Duration
	What string
	Bad  bool
}

// Run does everything and returns where the report is.
func Run(ctx context.Context, opts Options) (reportPath string, err error) {
	opts.replicas = 3
	if opts.Length < Least {
		return "", fmt.Errorf("%s is too short for everything to happen; it takes %s", opts.Length, Least)
	}
	f := &fleet{opts: opts, began: time.Now(), links: newLinks(), door: newDoor(), counts: map[kind]int{}}
	f.say("three of everything, seed %d, faults for %s", opts.Seed, opts.Length)
	err = f.run(ctx)
	if err != nil {
		f.say("it ended early: %v", err)
	}
	if err != nil || !f.clean() {
		err = errors.Join(err, f.keepLogs())
	}
	err = errors.Join(err, f.close(context.WithoutCancel(ctx)))
	reportPath, wrote := f.write(filepath.Join(opts.Dir, "fleet"))
	fmt.Fprint(opts.Out, f.table())
	if err = errors.Join(err, wrote); err == nil && !f.clean() {
		err = fmt.Errorf("%w: replay it with SEED=%d", ErrViolated, opts.Seed)
	}
	return reportPath, err
}

func (f *fleet) run(ctx context.Context) error {
	if err := f.open(ctx); err != nil {
		return err
	}
	buying, stopBuying := context.WithCancel(ctx)
	defer stopBuying()
	var crowd sync.WaitGroup
	for n := range buyers {
		crowd.Go(func() { f.crowd.buy(buying, n) })
	}
	if err := f.roll(ctx); err != nil {
		return err
	}
	if err := f.disorder(ctx); err != nil {
		return err
	}
	if err := f.roll(ctx); err != nil {
		return err
	}
	f.say("the faults are over; the buyers end what they began")
	stopBuying()
	crowd.Wait()
	return f.judge(ctx)
}

// disorder makes everything happen that the seed chose.
func (f *fleet) disorder(ctx context.Context) error {
	faults := plan(f.opts.Seed, f.opts.Length, programs, f.opts.replicas)
	f.planned = map[kind]int{}
	for _, x := range faults {
		f.planned[x.kind]++
	}
	began := time.Now()
	var striking sync.WaitGroup
	errs := make([]error, len(faults))
	for i, x := range faults {
		if pause(ctx, x.at-time.Since(began)) != nil {
			break
		}
		striking.Go(func() {
			if err := f.strike(ctx, x); err != nil {
				errs[i] = fmt.Errorf("%s: %w", x, err)
			}
		})
	}
	striking.Wait()
	return errors.Join(append(errs, context.Cause(ctx))...)
}

// open starts the product, with links between the services, and a door before the
// edges for Stripe and the buyers.
func (f *fleet) open(ctx context.Context) error {
	dir, err := stack.OwnFolder(f.opts.Dir, "fleet-")
	if err != nil {
		return err
	}
	f.onClose(func(context.Context) error { return stack.Remove(dir) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	entrance := &http.Server{Handler: f.door, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = entrance.Serve(listener) }() // ends with close
	f.onClose(func(context.Context) error { f.links.close(); return entrance.Close() })
	bin := f.opts.BinDir
	if bin == "" {
		bin = filepath.Join(f.opts.Dir, "bin")
	}
	env := append(stack.MachineEnv(f.opts.Env), "STRIPESIM_WEBHOOK_URL=http://"+listener.Addr().String()+"/webhooks/stripe")
	// What PostgreSQL has committed must outlive it, so nothing is throwaway.
	f.shop, err = stack.Start(ctx, stack.Options{
		Dir: dir, BinDir: bin, Env: append(env, settings...), FreePorts: true, Replicas: f.opts.replicas, Link: f.links.join,
	})
	if err != nil {
		return err
	}
	f.onClose(f.shop.Stop)
	watching, stop := context.WithCancel(ctx)
	f.onClose(func(context.Context) error { stop(); return nil })
	f.door.lead(watching, f.shop.URLs())
	f.crowd = &crowd{door: f.door, db: f.shop.DB(), stripe: f.shop.StripeURL(), seed: f.opts.Seed}
	f.sources = judge.Sources{DB: f.shop.DB(), StripeURL: f.shop.StripeURL(), InboxURL: f.shop.InboxURL(), AppID: appID}
	f.say("%d processes run, %d links between them", len(f.shop.Names()), len(f.links.all))
	// Each event comes twice, to two edges at once.
	return f.atSimulator(ctx, http.MethodPost, "/_sim/webhooks", `{"duplicate":1,"retry_ms":300,"retry_max_ms":1000}`, nil)
}

// judge waits for rest and has everything looked at.
func (f *fleet) judge(ctx context.Context) error {
	since := time.Now()
	left, err := f.rest(ctx)
	if err != nil {
		return err
	}
	f.rested = time.Since(since)
	f.say("the judge looks, %s after the last buyer went home; among the last that rested: %s", round(f.rested), cmp.Or(f.lastAtWork, "nothing"))
	f.slowest(ctx)
	findings, err := judge.Judge(ctx, f.sources)
	if err != nil {
		return err
	}
	forgotten, err := f.forgotten(ctx)
	if err != nil {
		return err
	}
	// Everything that all of it wrote down, whatever was broken meanwhile.
	told, err := secretive.New().InLogs(filepath.Join(f.shop.Dir(), "log"))
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.findings = slices.Concat(f.findings, judge.StrandedBy(left, restWithin), f.crowd.findings, findings, forgotten)
	for name, lines := range told {
		f.findings = append(f.findings, judge.Finding{Rule: "SECRET_TOLD", Subject: name, Evidence: strings.Join(lines, "; ")})
	}
	for _, k := range kinds {
		if f.counts[k] < f.planned[k] || f.counts[k] == 0 {
			f.findings = append(f.findings, judge.Finding{Rule: "NOT_HAPPENED", Subject: string(k), Evidence: fmt.Sprintf("of %d, %d were felt", f.planned[k], f.counts[k])})
		}
	}
	if len(f.wokenCalls) == 0 {
		f.findings = append(f.findings, judge.Finding{Rule: "NOT_HAPPENED", Subject: string(stopped), Evidence: "nobody was stopped in the middle of a call"})
	}
	return nil
}

// rest waits until nothing is under way, a sweep has looked at all of it, and still
// nothing is; it says what is left when that takes too long.
func (f *fleet) rest(ctx context.Context) (left []string, err error) {
	began := time.Now()
	var quiet time.Time // since when nothing is under way
	for {
		if left, err = judge.Unfinished(ctx, f.sources); err != nil {
			return nil, err
		}
		var swept bool
		switch {
		case len(left) > 0:
			if quiet = (time.Time{}); len(left) < 10 {
				f.lastAtWork = left[0]
			}
		case quiet.IsZero():
			quiet = time.Now()
		default:
			if err := f.shop.DB().QueryRow(ctx, `SELECT EXISTS (SELECT FROM reconciliation.runs WHERE status = 'SUCCEEDED' AND started_at > $1)`, quiet).Scan(&swept); err != nil {
				return nil, err
			}
			left = []string{"sweep of everything is not done"}
		}
		if swept {
			return nil, nil
		}
		within := restWithin
		if !quiet.IsZero() {
			within += sweptWithin
		}
		if time.Since(began) > within {
			return left, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// slowest tells what became of those who waited longest.
func (f *fleet) slowest(ctx context.Context) {
	all := slices.SortedFunc(slices.Values(f.crowd.done), func(a, b purchase) int { return int(b.took - a.took) })
	for _, p := range all[:min(len(all), 5)] {
		f.say("%s took %s, %s, from %s on", p.reference, round(p.took), p.way, round(p.began.Sub(f.began)))
		rows, err := f.shop.DB().Query(ctx, `SELECT h.at, h.to_state, h.reason FROM orders.history h JOIN orders.orders o ON o.id = h.order_id WHERE o.reference = $1 ORDER BY h.at`, p.reference)
		if err != nil {
			return // the timeline is shorter; the judge reads everything
		}
		for rows.Next() {
			var at time.Time
			var state, reason string
			if rows.Scan(&at, &state, &reason) == nil {
				f.say("    %s (%s) after %s", state, reason, round(at.Sub(p.began)))
			}
		}
		rows.Close()
	}
}

// forgotten are the purchases that a buyer was told of and the tables do not have.
func (f *fleet) forgotten(ctx context.Context) (findings []judge.Finding, err error) {
	for _, p := range f.crowd.done {
		var state string
		want := []string{"COMPLETE", "RECOVERED"}
		if p.way == "refunded at Stripe" {
			want = []string{"REFUNDED"}
		}
		err := f.shop.DB().QueryRow(ctx, `SELECT coalesce((SELECT state FROM orders.orders WHERE reference = $1), 'not there')`, p.reference).Scan(&state)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(want, state) {
			findings = append(findings, judge.Finding{Rule: "FORGOTTEN", Subject: p.reference, Evidence: "its buyer was told that it is " + strings.Join(want, " or ") + ", and it is " + state})
		}
	}
	return findings, nil
}

func (f *fleet) found(rule judge.Rule, subject, evidence string, args ...any) {
	finding := judge.Finding{Rule: rule, Subject: subject, Evidence: fmt.Sprintf(evidence, args...)}
	f.mu.Lock()
	f.findings = append(f.findings, finding)
	f.events = append(f.events, event{time.Since(f.began), finding.String(), true})
	f.mu.Unlock()
	f.say("  VIOLATION %s", finding)
}

// happened counts a fault that was felt.
func (f *fleet) happened(k kind, format string, args ...any) {
	f.mu.Lock()
	f.counts[k]++
	f.mu.Unlock()
	f.say(format, args...)
}

func (f *fleet) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := event{At: time.Since(f.began), What: fmt.Sprintf(format, args...)}
	f.events = append(f.events, e)
	fmt.Fprintf(f.opts.Out, "%7s  %s\n", e.At.Round(time.Second), e.What)
}

func (f *fleet) onClose(do func(context.Context) error) { f.closers = append(f.closers, do) }

func (f *fleet) close(ctx context.Context) error {
	var errs []error
	for _, do := range slices.Backward(f.closers) {
		errs = append(errs, do(ctx))
	}
	return errors.Join(errs...)
}
