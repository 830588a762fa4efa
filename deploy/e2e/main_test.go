// Package e2e tests the product as it runs: every service a process of its own,
// a real PostgreSQL, the Stripe simulator and the mail inbox. Processes are
// killed with SIGKILL at chosen moments; what is judged afterwards is what
// Stripe, the databases and the inbox say, never what our code believes.
//
// A moment is chosen without any hook in the product: the simulator holds a
// reply, or a trigger in the database holds a write (hold_test.go). kill_test.go
// is the list of moments.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"makegood.example/deploy/internal/stack"
)

// programs is the folder with the built programs.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if programs, err = os.MkdirTemp("", "makegood-e2e-bin-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(programs)
	if err := stack.Build(context.Background(), programs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// A shop mostly waits: three of them at once; -parallel still has the last word.
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	return m.Run()
}

// The times of a shop in which processes are killed.
const (
	rescueAfter  = 2 * time.Second
	apologyAfter = time.Second
)

// killing are the settings of such a shop. Webhooks are paused and sweeps are
// off by default, so that it is known what recovers.
var killing = []string{"RESCUE_AFTER=" + rescueAfter.String(), "APOLOGY_AFTER=" + apologyAfter.String(), "RECONCILE_EVERY=off"}

// shop is a running product.
type shop struct{ *stack.Stack }

// open starts a product with these settings (KEY=value) and ends it with the
// test. When the test fails, it shows the logs.
func open(t *testing.T, settings ...string) *shop {
	t.Helper()
	return start(t, true, settings)
}

// openDurable is open with a database that may be killed too.
func openDurable(t *testing.T, settings ...string) *shop {
	t.Helper()
	return start(t, false, settings)
}

func start(t *testing.T, throwaway bool, settings []string) *shop {
	t.Helper()
	return startIn(t, stateFolder(t), throwaway, settings)
}

// stateFolder is one that PostgreSQL's user can enter, and goes with the test.
func stateFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "makegood-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as its own user
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// startIn starts a product with what a state folder holds.
func startIn(t *testing.T, dir string, throwaway bool, settings []string) *shop {
	t.Helper()
	// The developer's own settings stay out: they may name a real Stripe.
	env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "ATTEMPTS_PER_IP=10000", "REQUESTS_PER_IP=100000"}, settings...)
	out := &told{}
	s, err := stack.Start(t.Context(), stack.Options{Dir: dir, BinDir: programs, Env: env, FreePorts: true, Throwaway: throwaway, Out: out})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(out)
			for _, name := range s.Names() {
				if name != "postgres" {
					t.Logf("the end of the log of %s:\n%s", name, s.LogTail(name, 40))
				}
			}
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &shop{s}
}

// told keeps what the stack says, for when something goes wrong.
type told struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *told) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *told) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// patience is how long a condition is awaited before the test fails. It is far
// above every time that a recovery may take.
const patience = 30 * time.Second

// await polls until ok, and fails the test when that does not come.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	awaitFor(t, patience, what, ok)
}

// awaitFor is await for what takes its time.
func awaitFor(t *testing.T, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// down kills processes and keeps them down.
func (s *shop) down(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.Hold(name); err != nil {
			t.Fatal(err)
		}
	}
}

// up lets processes run again and returns when an order can be placed.
func (s *shop) up(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.Release(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
}
