package crashlab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"makegood.example/deploy/internal/judge"
	"makegood.example/deploy/internal/secretive"
	"makegood.example/deploy/internal/stack"
)

// stage is one running product with its settings, on which some paths are gone.
type stage struct {
	name     string
	settings []string
	paths    []string
	// most is how late a recovery may be, p95Most how late 95 of 100 may be, unless it
	// is 0; later is a violation.
	most, p95Most time.Duration

	opts    Options
	out     *progress
	shop    *shop
	lab     *lab
	sources judge.Sources
	relay   *relay
	proxies []*proxy
	close   func(context.Context) error

	sample bool // some faults, to see the times of the default settings
	sweeps bool // its settings have the sweep run by itself
	points []point
	runs   []*result
	loose  []*shot         // that struck, about nobody
	missed []*shot         // whose point was not passed again
	chance []*shot         // the same, and not every recording had passed it
	known  map[string]bool // findings that were told
	number int

	unjudged []*result
	afters   sync.WaitGroup // what customers wait for who have what is theirs
}

// result is what became of a run.
type result struct {
	run  *run
	shot *shot
	// arrived is when the customer had what is theirs.
	arrived time.Time
	// recovery is from the fault to then; negative when they had it before.
	recovery time.Duration
	// waited is from setting out on the path.
	waited     time.Duration
	violations []judge.Finding
	leave      func() // the barrier
	// over is closed when nothing of the path is waited for any more.
	over chan struct{}
}

// goesOn says whether a fault may still meet its point.
func (r *result) goesOn() bool {
	select {
	case <-r.over:
		return false
	default:
		return !r.shot.hit
	}
}

// open starts the product, with a proxy between each service and PostgreSQL and a
// relay between Stripe and the edge.
func (g *stage) open(ctx context.Context) (err error) {
	g.lab, g.known = newLab(), map[string]bool{}
	dir, err := stack.OwnFolder(g.opts.Dir, "crashlab-")
	if err != nil {
		return err
	}
	g.close = func(ctx context.Context) error {
		var errs []error
		if g.shop != nil {
			errs = append(errs, g.shop.Stop(ctx))
		}
		for _, p := range g.proxies {
			p.close()
		}
		if g.relay != nil {
			errs = append(errs, g.relay.close())
		}
		return errors.Join(append(errs, stack.Remove(dir))...)
	}
	if g.relay, err = newRelay(g.lab); err != nil {
		return err
	}
	env := append(stack.MachineEnv(g.opts.Env), "STRIPESIM_WEBHOOK_URL="+g.relay.url, "ATTEMPTS_PER_IP=1000000", "REQUESTS_PER_IP=1000000")
	s, err := stack.Start(ctx, stack.Options{
		Dir: dir, BinDir: filepath.Join(g.opts.Dir, "bin"), Env: append(env, g.settings...), FreePorts: true, Throwaway: true,
		Database: func(service, url string) (string, error) {
			p, proxied, err := newProxy(service, url, g.lab)
			if err == nil {
				g.proxies = append(g.proxies, p)
			}
			return proxied, err
		},
	})
	if err != nil {
		return err
	}
	g.shop = &shop{Stack: s}
	target := s.URL() + "/webhooks/stripe"
	g.relay.target.Store(&target)
	g.lab.kill = func(service string) {
		if err := s.Kill(service); err != nil { // then its points are not hit, and that is said
			g.out.say("  %s was not killed: %v", service, err)
		}
	}
	g.sources = g.shop.sources()
	if g.shop.token, err = s.Token("admin"); err != nil {
		return err
	}
	return g.shop.retryWebhooksSoon(ctx)
}

// record goes each path a few times undisturbed, and keeps what is written.
func (g *stage) record(ctx context.Context) error {
	before, err := g.counted(ctx)
	if err != nil {
		return err
	}
	var planned []*result
	for _, name := range g.paths {
		for range recordings {
			planned = append(planned, &result{run: g.newRun(name)})
		}
	}
	if err := g.undisturbed(ctx, planned); err != nil {
		return err
	}
	return g.compare(ctx, before)
}

// undisturbed has customers go their ways without a fault, and records what they pass.
func (g *stage) undisturbed(ctx context.Context, planned []*result) error {
	g.lab.recording(true)
	err := g.wave(ctx, planned, nil, restMost)
	g.lab.recording(false)
	if err != nil {
		return err
	}
	for _, r := range planned {
		for _, f := range r.violations {
			return fmt.Errorf("an undisturbed %s: %s", r.run.path, f)
		}
	}
	return nil
}

// sweep waits until sweeps that began just now are over, so that what each writes of
// itself, from its beginning to its end, is found, however long they take.
func (g *stage) sweep(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, sweepMost)
	defer cancel()
	var last int64
	if err := g.shop.DB().QueryRow(ctx, `SELECT coalesce(max(id), 0) FROM reconciliation.runs`).Scan(&last); err != nil {
		return err
	}
	for {
		var swept int
		if err := g.shop.DB().QueryRow(ctx, `SELECT count(*) FROM reconciliation.runs WHERE id > $1 AND status = 'SUCCEEDED'`, last).Scan(&swept); err != nil {
			return err
		}
		if swept >= recordings {
			return nil
		}
		if pause(bounded, 100*time.Millisecond) != nil {
			return fmt.Errorf("of %d sweeps %d came to their end in %s", recordings, swept, sweepMost)
		}
	}
}

// recordings is how often each path is gone to find its writes.
const recordings = 3

// counted is how often PostgreSQL itself counted rows written, by service and table.
func (g *stage) counted(ctx context.Context) (map[string]int64, error) {
	rows, err := g.shop.DB().Query(ctx, `SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]int64{}
	for rows.Next() {
		var schema, table string
		var n [3]int64
		if err := rows.Scan(&schema, &table, &n[0], &n[1], &n[2]); err != nil {
			return nil, err
		}
		for i, op := range []string{"INSERT", "UPDATE", "DELETE"} {
			all[schema+" "+op+" "+schema+"."+table] = n[i]
		}
	}
	return all, rows.Err()
}

// compare proves that the proxies saw every write: PostgreSQL's own counts name no
// table and operation that went past them.
func (g *stage) compare(ctx context.Context, before map[string]int64) error {
	// A session reports its counts when it is idle, at the latest after a second.
	if err := pause(ctx, 1500*time.Millisecond); err != nil {
		return err
	}
	after, err := g.counted(ctx)
	if err != nil {
		return err
	}
	g.lab.mu.Lock()
	defer g.lab.mu.Unlock()
	for what, n := range after {
		if n > before[what] && !g.lab.seen[what] && !g.lab.seen[strings.Replace(what, "UPDATE", "INSERT", 1)] {
			return fmt.Errorf("PostgreSQL counted writes that the lab did not see: %s", what)
		}
	}
	return nil
}

func (g *stage) newRun(path string) *run {
	g.number++
	return newRun(path, g.number)
}

// The bounds of a wave.
const (
	travelMost = 90 * time.Second        // until a customer has what is theirs
	restMost   = 90 * time.Second        // until nothing more is under way
	restSoon   = 2 * time.Second         // what takes longer is judged with the next wave
	strikeMost = 2500 * time.Millisecond // for the faults that come after a customer has what is theirs
	looseMost  = 8 * time.Second         // for those that are about nobody, in their own time
	sweepMost  = 90 * time.Second        // for as many sweeps as there are recordings
)

// wave has customers go their ways side by side, and the judge look when everything
// rests. loose are faults about nobody.
func (g *stage) wave(ctx context.Context, all []*result, loose []*shot, restWithin time.Duration) error {
	began := time.Now()
	g.lab.disarm()
	shots := slices.Clone(loose)
	var everybody barrier
	for _, r := range all {
		r.run.ready, r.leave = everybody.join()
		r.over = make(chan struct{})
		g.lab.join(r.run)
		if r.shot != nil {
			shots = append(shots, r.shot)
		}
	}
	for _, s := range shots {
		g.lab.aim(s)
	}
	bounded, cancel := context.WithTimeout(ctx, max(travelMost, 2*g.most))
	defer cancel()
	var travelling sync.WaitGroup
	for _, r := range all {
		travelling.Go(func() { g.travel(bounded, r) })
	}
	travelling.Wait()
	most := strikeMost
	if len(loose) > 0 {
		most = looseMost
	}
	for until := time.Now().Add(most); !g.lab.allHit(shots) && (time.Now().Before(until) || g.lab.goOn(all)); {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	g.lab.disarm()
	if g.sweeps && g.lab.isRecording() { // while it is known whom they are about
		if err := g.sweep(ctx); err != nil {
			return err
		}
	}
	g.unjudged = append(g.unjudged, all...)
	g.runs = append(g.runs, all...)
	hit := 0
	for _, s := range shots {
		if g.lab.allHit([]*shot{s}) {
			hit++
		}
	}
	g.out.say("  %s: %d customers, %d faults struck, %s", g.name, len(all), hit, round(time.Since(began)))
	return g.judge(ctx, restWithin)
}

// travel is one customer's run, until they have what is theirs; what comes after
// goes on while the next wave begins.
func (g *stage) travel(ctx context.Context, r *result) {
	defer r.leave()
	later := false
	defer func() {
		if !later {
			close(r.over)
		}
	}()
	p := paths[r.run.path]
	err := p.travel(ctx, g.shop, r.run)
	if err == nil {
		err = r.run.await(ctx, g.shop, "what was paid for", p.arrived)
	}
	if err == nil {
		err = g.shop.DB().QueryRow(ctx, p.arrived, r.run.reference).Scan(&r.arrived)
	}
	if err != nil {
		r.violations = append(r.violations, judge.Finding{Rule: judge.Stranded, Subject: r.run.reference.String(), Evidence: err.Error()})
		return
	}
	if p.after == nil {
		return
	}
	later = true
	g.afters.Go(func() {
		defer close(r.over)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restMost)
		defer cancel()
		// What does not come is found by the judge, too.
		if err := p.after(ctx, g.shop, r.run); err != nil {
			r.run.say("%v", err)
		}
		r.run.hold(false)
	})
}

// judge waits for rest, and, when it comes in time or this is the end, has the judge
// look at everything since it last did.
func (g *stage) judge(ctx context.Context, within time.Duration) error {
	left, err := g.rest(ctx, within)
	if err != nil || len(left) > 0 && within < restMost {
		return err
	}
	findings, err := judge.Judge(ctx, g.sources)
	if err != nil {
		return err
	}
	g.lab.leave()
	g.blame(append(judge.StrandedBy(left, within), findings...))
	violations := 0
	for _, r := range g.unjudged {
		g.measure(r)
		g.complete(ctx, r)
		violations += len(r.violations)
		for _, f := range r.violations {
			g.out.say("  VIOLATION %s", f)
			if r.shot != nil {
				g.out.say("    after %s at %s", r.shot.kind, r.shot.point)
			}
		}
	}
	g.out.say("  everything rests: %d customers judged, %d violations", len(g.unjudged), violations)
	g.unjudged = nil
	return nil
}

// measure says how long a customer waited because of their fault. Whoever waited too
// long is a violation, whichever fault of the wave it was: from setting out, and, when
// their own fault came on the way, once more from that.
func (g *stage) measure(r *result) {
	if r.arrived.IsZero() {
		return
	}
	since, from := r.run.setOut, "setting out"
	r.waited = r.arrived.Sub(since)
	longest := r.waited
	if r.shot != nil && !r.shot.at.IsZero() {
		r.recovery = r.arrived.Sub(r.shot.at)
		if before := r.shot.at.Sub(since); before > 0 && r.recovery > 0 {
			if longest = before; r.recovery > before {
				longest, from = r.recovery, "the fault"
			}
		}
	}
	if longest > g.most {
		r.violations = append(r.violations, judge.Finding{Rule: "LATE", Subject: r.run.reference.String(),
			Evidence: fmt.Sprintf("%s from %s, more than %s", round(longest), from, g.most)})
	}
}

// rest waits until nothing is under way, twice in a row, and says what is left.
func (g *stage) rest(ctx context.Context, within time.Duration) (left []string, err error) {
	quiet := 0
	for began := time.Now(); ; {
		if left, err = judge.Unfinished(ctx, g.sources); err != nil {
			return nil, err
		}
		held := g.lab.holding()
		if quiet++; len(left) > 0 || held {
			quiet = 0
		}
		if quiet == 2 {
			return nil, nil
		}
		if time.Since(began) > within {
			if held {
				left = append(left, "a customer whose webhooks are kept away")
			}
			return left, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// blame gives each new finding to the run that it names; one that names none
// belongs to the last, so that none is lost.
func (g *stage) blame(findings []judge.Finding) {
	for _, f := range findings {
		key := string(f.Rule) + f.Subject
		if g.known[key] {
			continue
		}
		g.known[key] = true
		text := [][]byte{[]byte(f.Subject + " " + f.Evidence)}
		one := g.runs[len(g.runs)-1]
		for _, r := range slices.Backward(g.runs) {
			if r.run.about(text) {
				one = r
				break
			}
		}
		one.violations = append(one.violations, f)
		if !slices.Contains(g.unjudged, one) {
			g.unjudged = append(g.unjudged, one)
		}
	}
}

// complete adds what the tables say to a run's timeline.
func (g *stage) complete(ctx context.Context, r *result) {
	rows, err := g.shop.DB().Query(ctx, `
		SELECT h.at, 'the order is ' || h.to_state || ' (' || h.reason || ')' FROM orders.history h JOIN orders.orders o ON o.id = h.order_id WHERE o.reference = $1
		UNION ALL SELECT g.created_at, 'access is granted' FROM provisioning.grants g JOIN orders.orders o ON o.id = g.order_id WHERE o.reference = $1
		UNION ALL SELECT g.withdrawn_at, 'access is withdrawn' FROM provisioning.grants g JOIN orders.orders o ON o.id = g.order_id WHERE o.reference = $1 AND g.withdrawn_at IS NOT NULL
		UNION ALL SELECT m.sent_at, 'the mail server took the ' || lower(m.kind) FROM notifications.messages m JOIN orders.orders o ON o.id = m.order_id WHERE o.reference = $1 AND m.sent_at IS NOT NULL
		ORDER BY 1`, r.run.reference)
	if err != nil {
		return // the timeline is shorter; the judge has read everything
	}
	defer rows.Close()
	r.run.mu.Lock()
	defer r.run.mu.Unlock()
	for rows.Next() {
		var l line
		if rows.Scan(&l.At, &l.What) == nil {
			r.run.lines = append(r.run.lines, l)
		}
	}
	slices.SortStableFunc(r.run.lines, func(a, b line) int { return cmp.Compare(a.At.UnixMicro(), b.At.UnixMicro()) })
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// secrets has every log read for what must not be told, whatever was broken meanwhile.
func (g *stage) secrets() error {
	state, err := stack.OpenState(g.shop.Dir())
	if err != nil {
		return err
	}
	known := secretive.New()
	known.Keep("the webhook secret", state.WebhookSecret)
	known.Keep("the admin token", g.shop.token)
	for service, password := range state.DatabasePasswords {
		known.Keep("the database password of "+service, password)
	}
	told, err := known.InLogs(filepath.Join(g.shop.Dir(), "log"))
	last := g.runs[len(g.runs)-1]
	for name, lines := range told {
		last.violations = append(last.violations, judge.Finding{Rule: "SECRET_TOLD", Subject: name, Evidence: strings.Join(lines, "\n    ")})
	}
	return err
}

// keepLogs copies the processes' logs beside the report when something is wrong.
func (g *stage) keepLogs(to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	return os.CopyFS(filepath.Join(to, strings.ReplaceAll(g.name, " ", "-")+"-"+time.Now().Format("150405")), os.DirFS(filepath.Join(g.shop.Dir(), "log")))
}
