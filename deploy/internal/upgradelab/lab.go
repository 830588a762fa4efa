// Package upgradelab upgrades the product while customers use it, and rolls it
// back, and has a judge say whether anybody lost. The programs of the
// baseline (BASELINE) are built from the history and run on their own schema; the
// schema is migrated under them; then one process after the other, of two
// of each, becomes the new one, in a random order, so that old and new talk to each
// other and share their work in many ways; and then each is the old one again, on the new schema.
package upgradelab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"makegood.example/deploy/internal/crashlab"
	"makegood.example/deploy/internal/judge"
	"makegood.example/deploy/internal/stack"
)

// Options say where the lab runs.
type Options struct {
	// Dir is the state folder: the new programs are in bin/, the baseline is
	// kept in upgradelab/.
	Dir string
	// Env is the user's environment, KEY=value.
	Env []string
	// Out is the terminal.
	Out io.Writer
	// Seed chooses the orders; the same seed chooses the same.
	Seed uint64
}

// ErrViolated means that the lab did its work and did not like what it saw.
var ErrViolated = errors.New("the upgrade lab found what must not be")

// The bounds of what is awaited. They are reached only when something is wrong.
const (
	stepMost = 90 * time.Second
	poll     = 50 * time.Millisecond
)

// edge is the process through which browsers come, without a balancer before it:
// only while it is replaced may they have to ask again.
const edge = "gateway"

// lab is one upgrade and its way back.
type lab struct {
	Options
	baseline Baseline
	old, now string // folders of programs
	dir      string // of the product
	began    time.Time
	random   *rand.Rand
	stack    *stack.Stack
	people   *crashlab.Travellers
	crowd    *crowd
	answers  *answers
	found    []string // what must not be
}

// Run does all of it.
func Run(ctx context.Context, opts Options) (err error) {
	l := &lab{Options: opts, began: time.Now(), random: rand.New(rand.NewPCG(opts.Seed, 0)), now: filepath.Join(opts.Dir, "bin"), answers: &answers{}}
	if l.baseline, err = TheBaseline(); err != nil {
		return err
	}
	l.say("upgrading from %.7s, seed %d; its programs are built once, which takes a minute or two", l.baseline.Commit, opts.Seed)
	kept := filepath.Join(opts.Dir, "upgradelab")
	if l.old, err = l.baseline.build(ctx, kept); err != nil {
		return err
	}
	if l.people, err = crashlab.NewTravellers(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.people.Close()) }()
	if l.dir, err = stack.OwnFolder(opts.Dir, "upgradelab-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Remove(l.dir)) }()
	defer func() {
		if err != nil || len(l.found) > 0 {
			logs := filepath.Join(kept, "log-"+time.Now().Format("150405"))
			err = errors.Join(err, os.CopyFS(logs, os.DirFS(filepath.Join(l.dir, "log"))))
			l.say("the logs are in %s", logs)
		}
	}()
	l.stack, err = stack.Start(ctx, stack.Options{
		Dir: l.dir, BinDir: l.now, ProductBinDir: l.old, FreePorts: true, Throwaway: true, Replicas: 2,
		Env:     append(stack.MachineEnv(opts.Env), l.people.Settings()...),
		Migrate: func(ctx context.Context, url string) error { return l.migrate(ctx, l.old, url) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.stack.Stop(context.WithoutCancel(ctx))) }()
	if err := l.people.Enter(ctx, l.stack, l.answers.add); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{l.upgrade, l.rollBack} {
		if err := l.withCrowd(ctx, part); err != nil {
			return err
		}
	}
	l.say("%s", l.answers.sum())
	for _, f := range l.found {
		l.say("VIOLATION %s", f)
	}
	if len(l.found) > 0 {
		return fmt.Errorf("%w: SEED=%d takes the same orders", ErrViolated, opts.Seed)
	}
	return nil
}

// upgrade is what docs/running.md says, and one mistake: a process of the new
// release is started before its schema is there. Another one of the old release
// does the work meanwhile.
func (l *lab) upgrade(ctx context.Context) error {
	l.say("the old release works on its own schema, two processes of each, and customers are on %d paths", len(crashlab.Travelled))
	changed, err := l.changed()
	if err != nil {
		return err
	}
	order := l.shuffled()
	if len(changed) > 0 {
		services := slices.Sorted(maps.Keys(changed))
		early := l.stack.Replicas(services[l.random.IntN(len(services))])[1]
		if err := l.stack.Replace(early, l.now); err != nil {
			return err
		}
		if err := l.await(ctx, early+" to wait for its schema", func() bool {
			return strings.Contains(l.stack.LogTail(early, 50), "waiting for the database schema")
		}); err != nil {
			return err
		}
		if err := l.crowd.comeAndGo(ctx); err != nil {
			return err
		}
		l.say("%s is new too early, and waits for its schema", early)
	}
	if err := l.migrate(ctx, l.now, l.stack.Env("DATABASE_URL")); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		l.say("migrated %s under the old release: %s", name, changed[name])
	}
	if err := l.stack.WaitReady(ctx); err != nil {
		return err
	}
	if err := l.crowd.comeAndGo(ctx); err != nil {
		return err
	}
	return l.replace(ctx, order, l.now, "new")
}

// rollBack is the way back, with the old release's own migration, which a box
// that restarts runs.
func (l *lab) rollBack(ctx context.Context) error {
	if err := l.migrate(ctx, l.old, l.stack.Env("DATABASE_URL")); err != nil {
		return fmt.Errorf("the old release's migration on the new schema: %w", err)
	}
	return l.replace(ctx, l.shuffled(), l.old, "old again, on the new schema")
}

// shuffled are all processes in a random order.
func (l *lab) shuffled() (order []string) {
	for _, program := range stack.Product() {
		order = append(order, l.stack.Replicas(program)...)
	}
	l.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

// replace has one process after the other run another release's program, and
// customers come and go between.
func (l *lab) replace(ctx context.Context, order []string, bin, as string) error {
	for _, name := range order {
		calm := func() {}
		if name == edge {
			calm = l.answers.disturbed()
		}
		err := l.stack.Replace(name, bin)
		if err == nil {
			err = l.stack.WaitReady(ctx)
		}
		calm()
		if err != nil {
			return err
		}
		if err := l.runs(name, bin); err != nil {
			return err
		}
		if err := l.crowd.comeAndGo(ctx); err != nil {
			return err
		}
		l.say("%s is %s", name, as)
	}
	return nil
}

// runs says whether a process is the program that it should be, where the
// system tells.
func (l *lab) runs(name, bin string) error {
	pid, err := l.stack.PID(name)
	if err != nil {
		return err
	}
	if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && filepath.Dir(program) != bin {
		return fmt.Errorf("%s is %s, not of %s", name, program, bin)
	}
	return nil
}

// migrate has a release's own program migrate, as whoever upgrades does.
func (l *lab) migrate(ctx context.Context, bin, ownerURL string) error {
	ctx, cancel := context.WithTimeout(ctx, stepMost)
	defer cancel()
	program := exec.CommandContext(ctx, filepath.Join(bin, "makegood"), "migrate")
	program.Env = append(stack.MachineEnv(l.Env), "DATABASE_URL="+ownerURL, "MAKEGOOD_DIR="+l.dir)
	if out, err := program.CombinedOutput(); err != nil {
		return fmt.Errorf("%s migrate: %w\n%s", bin, err, out)
	}
	return nil
}

// changed names the migrations that are newer than the baseline, by schema.
func (l *lab) changed() (map[string]string, error) {
	changed := map[string]string{}
	for _, s := range stack.Schemas {
		added, err := newerThan(stack.Schemas, s.Name, l.baseline.Versions[s.Name])
		if err != nil {
			return nil, err
		}
		for _, m := range added {
			changed[s.Name] += m.name + " "
		}
	}
	return changed, nil
}

// withCrowd does a part of it among customers, and judges when they have gone
// and everything rests.
func (l *lab) withCrowd(ctx context.Context, part func(context.Context) error) error {
	var err error
	if l.crowd, err = gather(ctx, l.people, l.stack); err != nil {
		return err
	}
	err = l.crowd.comeAndGo(ctx)
	if err == nil {
		err = part(ctx)
	}
	l.found = append(l.found, l.crowd.leave()...)
	if err != nil {
		return errors.Join(append([]error{err}, l.told()...)...)
	}
	return l.judge(ctx)
}

// told are the violations so far, for whoever reads why it ended early.
func (l *lab) told() (all []error) {
	for _, f := range l.found {
		all = append(all, errors.New(f))
	}
	return all
}

func (l *lab) judge(ctx context.Context) error {
	var left []string
	err := l.await(ctx, "rest", func() bool {
		var err error
		left, err = judge.Unfinished(ctx, l.people.Sources())
		return err == nil && len(left) == 0
	})
	if err != nil && len(left) == 0 {
		return err
	}
	findings, err := judge.Judge(ctx, l.people.Sources())
	if err != nil {
		return err
	}
	for _, f := range append(judge.StrandedBy(left, stepMost), findings...) {
		l.found = append(l.found, f.String())
	}
	l.found = append(l.found, l.answers.wrong()...)
	l.say("everything rests: %d customers judged, %d violations so far", l.crowd.number(), len(l.found))
	return nil
}

func (l *lab) await(ctx context.Context, what string, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, stepMost)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, ctx.Err())
		case <-time.After(poll):
		}
	}
	return nil
}

func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.Out, "%7s  %s\n", time.Since(l.began).Round(time.Second), fmt.Sprintf(format, args...))
}
