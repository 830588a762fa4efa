package supervise_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"makegood.example/deploy/internal/supervise"
)

// The test binary plays the children, and a supervisor that is killed.
func TestMain(m *testing.M) {
	switch os.Getenv("SUPERVISE_TEST_ROLE") {
	case "child":
		terminated := make(chan os.Signal, 1)
		signal.Notify(terminated, syscall.SIGTERM)
		fmt.Println("working")
		<-terminated
		if os.Getenv("STUBBORN") != "" {
			select {}
		}
		fmt.Println("drained")
	case "broken":
		fmt.Println("PORT is not a number")
		os.Exit(3)
	case "supervisor":
		g, err := supervise.Open(os.Getenv("SUPERVISE_TEST_DIR"), os.Stderr)
		if err == nil {
			err = errors.Join(g.Start(child("a")), g.Start(child("b")))
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		// The threads that forked must not end before the process does.
		for range 50 {
			go func() { runtime.LockOSThread() }()
		}
		fmt.Println("up")
		select {}
	default:
		// Programs built with -race otherwise sleep for a second before they end.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
		os.Exit(m.Run())
	}
}

func play(name, role string, env ...string) supervise.Spec {
	return supervise.Spec{Name: name, Command: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(append(os.Environ(), "SUPERVISE_TEST_ROLE="+role), env...)
		return cmd
	}}
}

func child(name string) supervise.Spec { return play(name, "child") }

// screen is what a person would read.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func open(t *testing.T, dir string) (*supervise.Group, *screen) {
	t.Helper()
	out := &screen{}
	g, err := supervise.Open(dir, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g, out
}

// await polls a condition; it fails the test after ten seconds.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func pidFile(dir, name string) int {
	text, _ := os.ReadFile(filepath.Join(dir, "run", name+".pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// alive is whether a process works; a zombie that nobody reaped does not.
func alive(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && bytes.Contains(stat, []byte(") Z ")) {
		return false
	}
	return syscall.Kill(pid, 0) == nil
}

func TestKilledProcessStartsAgain(t *testing.T) {
	dir := t.TempDir()
	g, out := open(t, dir)
	if err := g.Start(child("orders")); err != nil {
		t.Fatal(err)
	}
	first := pidFile(dir, "orders")
	if pid, err := g.PID("orders"); err != nil || pid != first {
		t.Fatalf("pid %d (%v), file says %d", pid, err, first)
	}
	// As anybody may: by pid, from outside.
	began := time.Now()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "a new pid in the file", func() bool { return pidFile(dir, "orders") != first })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the first restart took %s", took)
	}
	if second := pidFile(dir, "orders"); !alive(second) || alive(first) {
		t.Errorf("new %d alive: %v, old %d alive: %v", second, alive(second), first, alive(first))
	}
	if said := out.String(); !strings.Contains(said, "orders is down (signal: killed)") || !strings.Contains(said, "orders runs again") {
		t.Errorf("said: %q", said)
	}
	if n, _ := g.Failures("orders"); n != 0 {
		t.Errorf("a kill counts as %d failures", n)
	}
}

func TestKillAndRestart(t *testing.T) {
	dir := t.TempDir()
	g, _ := open(t, dir)
	if err := g.Start(child("orders")); err != nil {
		t.Fatal(err)
	}
	working := func(lives int) {
		t.Helper()
		await(t, "the child to work", func() bool { return strings.Count(g.Tail("orders", 20), "working") == lives })
	}
	for life := range 5 { // no growing delay for what was asked for
		working(life + 1)
		before, _ := g.PID("orders")
		if err := g.Kill("orders"); err != nil {
			t.Fatal(err)
		}
		if alive(before) {
			t.Fatal("Kill returned before the process was dead")
		}
		await(t, "a new process", func() bool { pid, err := g.PID("orders"); return err == nil && pid != before })
	}
	working(6)
	if err := g.Restart("orders"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(g.Tail("orders", 20), "drained") {
		t.Errorf("Restart did not let it drain: %s", g.Tail("orders", 20))
	}
}

func TestHeldProcessStaysDown(t *testing.T) {
	dir := t.TempDir()
	g, _ := open(t, dir)
	if err := g.Start(child("orders")); err != nil {
		t.Fatal(err)
	}
	if err := g.Hold("orders"); err != nil {
		t.Fatal(err)
	}
	// Longer than the restart of a process that died would take.
	for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if pid, err := g.PID("orders"); err == nil {
			t.Fatalf("pid %d while held", pid)
		}
	}
	if pidFile(dir, "orders") != 0 {
		t.Error("the pid file names a process while held")
	}
	if err := g.Release("orders"); err != nil {
		t.Fatal(err)
	}
	await(t, "a process after the release", func() bool { return alive(pidFile(dir, "orders")) && pidFile(dir, "orders") != 0 })
}

func TestProcessThatFailsIsCountedAndSlowedDown(t *testing.T) {
	g, out := open(t, t.TempDir())
	if err := g.Start(play("orders", "broken")); err != nil {
		t.Fatal(err)
	}
	await(t, "three failures", func() bool { n, _ := g.Failures("orders"); return n >= 3 })
	if _, err := g.Failures("orders"); err == nil || err.Error() != "exit status 3" {
		t.Errorf("last failure %v", err)
	}
	if !strings.Contains(g.Tail("orders", 1), "PORT is not a number") {
		t.Errorf("tail %q", g.Tail("orders", 1))
	}
	if said := out.String(); !strings.Contains(said, "again in 100ms") || !strings.Contains(said, "again in 200ms") {
		t.Errorf("the delay does not grow: %q", said)
	}
}

func TestStopDrainsAndKillsTheStubborn(t *testing.T) {
	dir := t.TempDir()
	g, _ := open(t, dir)
	if err := errors.Join(g.Start(child("orders")), g.Start(play("stubborn", "child", "STUBBORN=1"))); err != nil {
		t.Fatal(err)
	}
	await(t, "both to listen for signals", func() bool {
		return strings.Contains(g.Tail("orders", 1), "working") && strings.Contains(g.Tail("stubborn", 1), "working")
	})
	stubborn := pidFile(dir, "stubborn")
	g.Stop(300*time.Millisecond, "orders", "stubborn", "unknown")
	if !strings.Contains(g.Tail("orders", 1), "drained") {
		t.Errorf("orders did not drain: %q", g.Tail("orders", 5))
	}
	if alive(stubborn) {
		t.Error("the stubborn one lives")
	}
	if pidFile(dir, "orders") != 0 || pidFile(dir, "stubborn") != 0 {
		t.Error("a pid file is left")
	}
}

func TestFolderIsTakenOnce(t *testing.T) {
	dir := t.TempDir()
	g, _ := open(t, dir)
	_, err := supervise.Open(dir, &screen{})
	if !errors.Is(err, supervise.ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("second open: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := supervise.Open(dir, &screen{})
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestKilledSupervisorLeavesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("only Linux ties a child's life to its parent's; checking the lock alone")
	}
	dir := t.TempDir()
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = append(os.Environ(), "SUPERVISE_TEST_ROLE=supervisor", "SUPERVISE_TEST_DIR="+dir)
	stdout, err := supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "up\n" {
		t.Fatalf("supervisor said %q", line)
	}
	a, b := pidFile(dir, "a"), pidFile(dir, "b")
	if !alive(a) || !alive(b) {
		t.Fatal("the children do not run")
	}
	if _, err := supervise.Open(dir, &screen{}); !errors.Is(err, supervise.ErrLocked) {
		t.Errorf("second supervisor on the folder: %v", err)
	}
	supervisor.Process.Kill()
	supervisor.Wait()
	if runtime.GOOS == "linux" {
		await(t, "the children to end with their supervisor", func() bool { return !alive(a) && !alive(b) })
	}
	g, _ := open(t, dir) // the dead one's lock is gone, and so are its pid files
	if names := g.Names(); len(names) != 0 || pidFile(dir, "a") != 0 {
		t.Errorf("names %v, pid of a %d", names, pidFile(dir, "a"))
	}
}
