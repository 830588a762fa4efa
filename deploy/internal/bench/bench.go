// Package bench measures how fast the product takes Stripe's webhooks, on its
// real processes, and how it reconciles, and next to it what the same machine and
// the same PostgreSQL could do at most, or what the usual way does. Figures of one
// machine say little on another; what is compared takes turns in one run, and the
// report is in ratios.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"makegood.example/deploy/internal/stack"
)

// Options say how much is measured, where, and who is told.
type Options struct {
	// Dir is the state folder; the run has a folder of its own in it, which is
	// removed, and leaves its report in bench/.
	Dir string
	// Env is the user's environment, KEY=value.
	Env []string
	// Out is told, in lines for people, what happens.
	Out io.Writer
	// Full measures longer, and with a million stored events.
	Full bool
	// Quick only shows that everything can be measured: its figures mean nothing.
	Quick bool
	// Peer also measures another implementation, from the npm registry.
	Peer bool
	// Part is the only part to measure, one of the names in parts; empty for all.
	Part string
	// History is how many purchases the long history has, where the disk has no room for
	// as many as there would be; 0 for those.
	History int
}

// part is something that is measured by itself.
type part struct {
	name, title string
	run         func(context.Context) error
}

func (b *bench) parts() []part {
	return []part{
		{"webhooks", "Reading an event", b.reading},
		{"webhooks", "On this machine's disk", b.onThisDisk},
		{"webhooks", "On a disk that takes 1 ms longer to sync", b.onASlowDisk},
		{"reconciling", "Cross-referencing charges by the page, and one by one", b.crossReferencing},
		{"reconciling", "Reading Stripe's list of charges, beside stripe-go's iterator", b.listing},
		{"reconciling", "Sweeps that find nothing wrong, beside a short history and a long one", b.sweeping},
		{"checkout", "Purchases through all services", b.checkout},
	}
}

// scale is how much is measured.
type scale struct {
	clients, slowClients []int
	rounds               int
	lasts                time.Duration
	stored               int // events in the ledger for the measurement with history
	orders               int // paid by event, per number of clients
	benchtime            string
	charges              int   // to cross-reference
	purchases            int   // in the long history
	sweeps               int   // on each of two histories
	crowds               []int // of buyers, growing
}

func (o Options) scale() scale {
	switch {
	case o.Quick:
		return scale{clients: []int{2}, slowClients: []int{2}, rounds: 1, lasts: 200 * time.Millisecond, stored: 500, orders: 6, benchtime: "1x", charges: 2000, purchases: 1500, sweeps: 2, crowds: []int{1, 2}}
	case o.Full:
		return scale{clients: []int{1, 8, 32, 128}, slowClients: []int{1, 8, 32, 128}, rounds: 7, lasts: 3 * time.Second, stored: 1_000_000, orders: 1500, benchtime: "1s", charges: 1_000_000, purchases: 1_000_000, sweeps: 61, crowds: []int{1, 2, 4, 8, 16, 32, 64}}
	default:
		return scale{clients: []int{1, 8, 32, 128}, slowClients: []int{1, 8, 32}, rounds: 3, lasts: time.Second, stored: 100_000, orders: 300, benchtime: "300ms", charges: 50_000, purchases: 20_000, sweeps: 31, crowds: []int{1, 2, 4, 8, 16, 32, 64}}
	}
}

// bench is one run.
type bench struct {
	opts   Options
	scale  scale
	dir    string
	report *report
	extra  []string // settings of the part that runs
}

// The contenders, by the names that the report gives them.
const (
	ours    = "makegood"
	plainly = "plain way"
	inserts = "database"
	theirs  = "peer"
)

// Run measures and returns the path of the report. What could not be measured
// is said in it; an error is something that went wrong.
func Run(ctx context.Context, opts Options) (path string, err error) {
	b := &bench{opts: opts, scale: opts.scale(), report: newReport(opts)}
	b.scale.purchases = cmp.Or(opts.History, b.scale.purchases)
	began := time.Now()
	for _, part := range b.parts() {
		if opts.Part != "" && opts.Part != part.name {
			continue
		}
		b.say("\n%s", part.title)
		if err := part.run(ctx); err != nil {
			return "", fmt.Errorf("%s: %w", strings.ToLower(part.title), err)
		}
	}
	b.say("\n%s", b.report.text(time.Since(began)))
	path = filepath.Join(opts.Dir, "bench", "report.txt")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(b.report.text(time.Since(began))), 0o644)
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.opts.Out, format+"\n", args...) }

// withStack runs the product in a folder of its own for as long as do takes.
// slow is a library that PostgreSQL is started with; empty for none.
func (b *bench) withStack(ctx context.Context, slow string, do func(*stack.Stack) error) error {
	return b.withStackOn(ctx, slow, "", do)
}

// withStackOn is withStack on an existing database, unless it is empty.
func (b *bench) withStackOn(ctx context.Context, slow, database string, do func(*stack.Stack) error) (err error) {
	dir, err := stack.OwnFolder(b.opts.Dir, "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Remove(dir)) }()
	// Sweeps and rescues would read Stripe for payments that only the bench's
	// events know of, at moments that only they choose.
	env := append(stack.MachineEnv(b.opts.Env), "RECONCILE_EVERY=off", "RESCUE_AFTER=off", "ATTEMPTS_PER_IP=1000000", "REQUESTS_PER_IP=1000000")
	env = append(env, b.extra...)
	if database != "" {
		env = append(env, "DATABASE_URL="+database)
	}
	opts := stack.Options{Dir: dir, BinDir: filepath.Join(b.opts.Dir, "bin"), Env: env, FreePorts: true}
	if slow != "" {
		opts.DatabaseEnv = []string{"LD_PRELOAD=" + slow}
	}
	s, err := stack.Start(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop(context.WithoutCancel(ctx))) }()
	b.dir = dir
	if err := do(s); err != nil {
		return fmt.Errorf("%w\nthe end of what payments logged:\n%s", err, s.LogTail("payments", 5))
	}
	return nil
}

// webhookSecret is what the stack believes.
func webhookSecret(s *stack.Stack) (string, error) {
	state, err := stack.OpenState(s.Dir())
	return state.WebhookSecret, err
}

// endpoints are the ways from a signed event to a durable row on one database,
// and the database alone.
func (b *bench) endpoints(ctx context.Context, s *stack.Stack, prefix uint8) (all []contender, stop func(), err error) {
	secret, err := webhookSecret(s)
	if err != nil {
		return nil, nil, err
	}
	var stops []func()
	stop = func() {
		for _, f := range stops {
			f()
		}
	}
	own, err := delivering(ours, hostOf(s.URL()), secret, prefix)
	if err != nil {
		return nil, nil, err
	}
	sample, err := newMixed(secret, 0)
	if err != nil {
		return nil, nil, err
	}
	db, err := newDatabase(ctx, b.dir, s.DB(), s.Env("DATABASE_URL"), sample.body())
	if err != nil {
		return nil, nil, err
	}
	b.report.insertWay = db.way()
	usual, err := startPlain(ctx, s.Env("DATABASE_URL"), secret)
	if err != nil {
		return nil, nil, err
	}
	stops = append(stops, usual.stop)
	plain, err := delivering(plainly, usual.addr, secret, prefix)
	if err != nil {
		stop()
		return nil, nil, err
	}
	all = []contender{own, {inserts, db.measure, ""}, plain}
	if b.opts.Peer {
		peer, err := b.startPeer(ctx, s, secret)
		if err != nil {
			stop()
			return nil, nil, fmt.Errorf("the peer: %w", err)
		}
		stops = append(stops, peer.stop)
		other, err := delivering(theirs, peer.addr, secret, prefix)
		if err != nil {
			stop()
			return nil, nil, err
		}
		all = append(all, other)
	}
	return all, stop, nil
}

func hostOf(url string) string { return strings.TrimPrefix(url, "http://") }

func (b *bench) onThisDisk(ctx context.Context) error {
	b.say("filing events from which nothing follows")
	if err := b.sharing(ctx, "", ""); err != nil {
		return err
	}
	return b.withStack(ctx, "", func(s *stack.Stack) error {
		before, err := memory(s)
		if err != nil {
			return err
		}
		all, stop, err := b.endpoints(ctx, s, 1)
		if err != nil {
			return err
		}
		defer stop()
		if err := warmUp(ctx, all, slices.Max(b.scale.clients)); err != nil {
			return err
		}
		warm, err := memory(s)
		if err != nil {
			return err
		}
		b.say("signed events to a durable row, gateway -> gRPC -> PostgreSQL")
		fast, err := b.compare(ctx, all, b.scale.clients, b.scale.rounds, b.scale.lasts)
		if err != nil {
			return err
		}
		b.report.throughput("", fast, b.scale.clients)
		if err := b.payments(ctx, s, all); err != nil {
			return err
		}
		if err := b.history(ctx, s, all[:2]); err != nil {
			return err
		}
		after, err := memory(s)
		if err != nil {
			return err
		}
		b.report.memory(before, warm, after)
		return nil
	})
}

func (b *bench) onASlowDisk(ctx context.Context) error {
	shim, why, remove := buildSlowSync(ctx)
	defer remove()
	if why != "" {
		b.say("not measured: %s", why)
		b.report.missing("slow disk", why)
		return nil
	}
	if err := b.sharing(ctx, "slow disk, ", shim); err != nil {
		return err
	}
	return b.withStack(ctx, shim, func(s *stack.Stack) error {
		all, stop, err := b.endpoints(ctx, s, 2)
		if err != nil {
			return err
		}
		defer stop()
		if err := warmUp(ctx, all, slices.Max(b.scale.slowClients)); err != nil {
			return err
		}
		slow, err := b.compare(ctx, all, b.scale.slowClients, max(1, b.scale.rounds-1), b.scale.lasts)
		if err != nil {
			return err
		}
		b.report.throughput("slow disk, ", slow, b.scale.slowClients)
		return nil
	})
}

// warmUp fills caches and pools, unmeasured, also with as many clients as will
// come: memory is then compared at the same load.
func warmUp(ctx context.Context, all []contender, most int) error {
	for _, n := range []int{8, most} {
		for _, c := range all {
			if _, err := c.measure(ctx, n, 500*time.Millisecond); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	return nil
}

func machine() string {
	return fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
}
