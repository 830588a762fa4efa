// Package crashlab breaks the product wherever it writes, and has a judge say
// whether anybody lost. The real processes run; a proxy that speaks PostgreSQL's
// protocol stands between each service and the database and finds, by itself, every
// statement that writes and every commit on the paths of money. At each of them it
// makes an error, a serialization failure, a lost connection, and a kill -9 before
// and after the write is durable. Nothing in the product knows of it.
package crashlab

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"makegood.example/deploy/internal/judge"
)

// Options say where the lab runs and how much it does.
type Options struct {
	// Dir is the state folder: the programs are in bin/, the report goes to
	// crashlab/, and each stage has a folder of its own, which it removes.
	Dir string
	// Env is the user's environment, KEY=value.
	Env []string
	// Out is the terminal.
	Out io.Writer
	// Full is every fault at every point, and a sample at the default settings.
	Full bool
	// Seed chooses the faults and their order; the same seed chooses the same.
	Seed uint64
	// Only is the one path that is gone, or "default settings"; empty for all.
	Only string
	// Part leaves the rest of the faults to other runs of the same form.
	Part Part
}

// Part is one of several that together are everything, whenever and wherever each is
// run: which part a fault is in depends on nothing but the fault. The zero value is all.
type Part struct{ Number, Of int }

// ParsePart reads "2/8".
func ParsePart(text string) (p Part, err error) {
	if text == "" {
		return p, nil
	}
	if n, err := fmt.Sscanf(text, "%d/%d", &p.Number, &p.Of); err != nil || n != 2 || p.Number < 1 || p.Number > p.Of || text != p.String() {
		return Part{}, fmt.Errorf("PART is not like 2/8: %q", text)
	}
	return p, nil
}

func (p Part) String() string { return fmt.Sprintf("%d/%d", p.Number, p.Of) }

// has says whether a fault is in the part.
func (p Part) has(s *shot) bool {
	if p.Of == 0 {
		return true
	}
	sum := sha256.Sum256([]byte(s.point.String() + "\x00" + string(s.kind)))
	return binary.BigEndian.Uint64(sum[:])%uint64(p.Of) == uint64(p.Number-1)
}

// first says whether what is not divided is in the part.
func (p Part) first() bool { return p.Number <= 1 }

var (
	// ErrViolated means that the lab did its work and did not like what it saw.
	ErrViolated = errors.New("the crash lab found what must not be")
	// ErrNotHit means that nobody lost, and that some faults could not be struck.
	ErrNotHit = errors.New("the crash lab could not strike everywhere")
)

// quick are the settings of a product that is broken often; the judge is stricter
// for it than the defaults would be.
var quick = []string{"RESCUE_AFTER=2s", "APOLOGY_AFTER=1s", "STUCK_AFTER=3s"}

// Run does everything and returns where the report is.
func Run(ctx context.Context, opts Options) (reportPath string, err error) {
	out := &progress{out: opts.Out, began: time.Now()}
	stages := []*stage{
		{name: "paying", settings: append(slices.Clone(quick), "RECONCILE_EVERY=off"), most: 20 * time.Second,
			paths: []string{purchase, anotherCard, webhook, lateWebhook, subscribing, renewal, refunding, refundThere, strangers}},
		// Every day is over soon, so that each wave has a deep pass.
		{name: "reconciling", settings: append(slices.Clone(quick), "RECONCILE_EVERY=1s", "DEEP_PASS_EVERY=2s"), most: 20 * time.Second, paths: []string{reconciling, strangers}, sweeps: true},
	}
	how := "the short form: a fault at each point, two where something becomes durable on the first path that writes it, chosen by the seed"
	if opts.Full {
		how = "every fault at every point"
	}
	if opts.Part.Of > 0 {
		how += ", part " + opts.Part.String()
	}
	out.say("the crash lab, seed %d, %s", opts.Seed, how)
	done := &report{seed: opts.Seed, how: how, began: out.began}
	for _, g := range stages {
		g.opts, g.out = opts, out
		if !g.only(opts.Only) {
			continue
		}
		err = g.run(ctx)
		done.add(g)
		if err != nil {
			break
		}
	}
	sample := &stage{name: "default settings", most: 5 * time.Minute, p95Most: time.Minute, paths: []string{purchase}, opts: opts, out: out, sample: true}
	if err == nil && (opts.Full && opts.Only == "" && opts.Part.first() || opts.Only == sample.name) {
		err = sample.run(ctx)
		done.add(sample)
	}
	if err != nil {
		out.say("it ended early: %v", err)
		done.early = true
	}
	dir := filepath.Join(opts.Dir, "crashlab")
	if mkdir := os.MkdirAll(dir, 0o755); mkdir != nil {
		return "", errors.Join(err, mkdir)
	}
	reportPath = filepath.Join(dir, "report.html")
	err = errors.Join(err, done.write(reportPath))
	fmt.Fprintln(opts.Out, done.table())
	if err == nil && !done.clean() {
		err = ErrNotHit
		if rows := done.rows(); rows[len(rows)-1].Violations > 0 {
			err = ErrViolated
		}
		err = fmt.Errorf("%w: replay it with SEED=%d", err, opts.Seed)
	}
	return reportPath, err
}

// only keeps one path.
func (g *stage) only(name string) bool {
	if name == "" {
		return true
	}
	for _, p := range g.paths {
		if p == name {
			g.paths = []string{p}
			return true
		}
	}
	return false
}

// run is a stage from its start to its end.
func (g *stage) run(ctx context.Context) (err error) {
	g.out.say("%s: starting the product", g.name)
	defer func() {
		if g.close != nil {
			if g.shop != nil && (err != nil || g.violated()) {
				err = errors.Join(err, g.keepLogs(filepath.Join(g.opts.Dir, "crashlab", "log")))
			}
			err = errors.Join(err, g.close(context.WithoutCancel(ctx)))
		}
	}()
	if err := g.open(ctx); err != nil {
		return err
	}
	g.out.say("%s: going each path undisturbed, to find what is written", g.name)
	if err := g.record(ctx); err != nil {
		return err
	}
	g.points = g.lab.order
	random := rand.New(rand.NewPCG(g.opts.Seed, 0))
	var queue []*shot
	struck := map[point]bool{}
	for _, p := range g.points {
		anywhere := p
		anywhere.path = ""
		many := some
		switch {
		case g.opts.Full && !g.sample:
			many = everyKind
		case struck[anywhere] || !p.durable: // what is lost in the middle of a transaction is all of it
			many = one
		}
		struck[anywhere] = true
		queue = append(queue, shotsAt(p, many, random)...)
	}
	random.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
	if g.sample {
		queue = sampleOf(queue)
	} else {
		queue = slices.DeleteFunc(queue, func(s *shot) bool { return !g.opts.Part.has(s) })
	}
	g.out.say("%s: %d points found, %d faults to strike", g.name, len(g.points), len(queue))
	if g.missed, err = g.shoot(ctx, queue); err != nil {
		return err
	}
	g.judgeMostOf()
	return g.secrets()
}

// judgeMostOf holds 95 of 100 recoveries against what is promised of them.
func (g *stage) judgeMostOf() {
	var recoveries []time.Duration
	for _, r := range g.runs {
		if r.recovery > 0 {
			recoveries = append(recoveries, r.recovery)
		}
	}
	slices.Sort(recoveries)
	if d := quantile(recoveries, 0.95); g.p95Most > 0 && d > g.p95Most {
		last := g.runs[len(g.runs)-1]
		last.violations = append(last.violations, judge.Finding{Rule: "LATE", Subject: "p95", Evidence: fmt.Sprintf("%s, more than %s", round(d), g.p95Most)})
	}
}

// sampleOf keeps some on the purchase path, for the stage at the defaults: after a
// kill what was in hand is looked at at once, after an error not before its time.
func sampleOf(queue []*shot) (kept []*shot) {
	for _, s := range queue {
		if s.point.path == purchase && len(kept) < 3*abreast {
			kept = append(kept, s)
		}
	}
	return kept
}

func (g *stage) violated() bool {
	for _, r := range g.runs {
		if len(r.violations) > 0 {
			return true
		}
	}
	return len(g.missed) > 0
}

// progress speaks to the terminal, with the time since the beginning.
type progress struct {
	out   io.Writer
	began time.Time
}

func (p *progress) say(format string, args ...any) {
	fmt.Fprintf(p.out, "%7s  %s\n", time.Since(p.began).Round(time.Second), fmt.Sprintf(format, args...))
}

func (p *progress) at(left int) { p.say("%d faults to go", left) }
