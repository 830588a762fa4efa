// Package supervise keeps a group of child processes running: each has a log
// file and a pid file, is started again when it dies, and none outlives the
// supervisor. What the processes are is the caller's business.
package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrLocked means that another supervisor works in the same folder.
var ErrLocked = errors.New("already in use")

// Spec is one process of a group.
type Spec struct {
	Name string
	// Command makes the command for each start; its output goes to the log.
	Command func() *exec.Cmd
	// StopSignal asks the process to drain and end; SIGTERM when nil.
	StopSignal os.Signal
}

// Group is a set of supervised processes that share a folder:
// <dir>/run/<name>.pid, <dir>/log/<name>.log, <dir>/run/lock.
type Group struct {
	dir  string
	lock *os.File
	out  io.Writer

	mu        sync.Mutex
	processes []*process
}

// Open takes the folder for this process. A second Open of the same folder, by
// any process, fails with ErrLocked until Close or the death of the first.
// Deaths and restarts are told on out, from several goroutines.
func Open(dir string, out io.Writer) (*Group, error) {
	for _, sub := range []string{"run", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "run", "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 20)
		n, _ := lock.Read(holder)
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is %w by process %s", dir, ErrLocked, strings.TrimSpace(string(holder[:n])))
		}
		return nil, err
	}
	if err := errors.Join(lock.Truncate(0), write(lock, fmt.Sprintln(os.Getpid()))); err != nil {
		lock.Close()
		return nil, err
	}
	g := &Group{dir: dir, lock: lock, out: out}
	// Pid files of a run that was killed name nobody, or by now a stranger.
	stale, _ := filepath.Glob(filepath.Join(dir, "run", "*.pid"))
	for _, path := range stale {
		os.Remove(path)
	}
	return g, nil
}

func write(f *os.File, text string) error {
	_, err := f.WriteString(text)
	return err
}

// Start runs a process and keeps it running. It returns when the first start
// was made, not when the process is ready.
func (g *Group) Start(spec Spec) error {
	if spec.StopSignal == nil {
		spec.StopSignal = syscall.SIGTERM
	}
	p := newProcess(g, spec)
	g.mu.Lock()
	defer g.mu.Unlock()
	if slices.ContainsFunc(g.processes, func(other *process) bool { return other.spec.Name == spec.Name }) {
		return fmt.Errorf("%s was started before", spec.Name)
	}
	first := make(chan error, 1)
	go p.supervise(first)
	if err := <-first; err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	g.processes = append(g.processes, p)
	return nil
}

// Names lists the processes in the order in which they were started.
func (g *Group) Names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for _, p := range g.processes {
		names = append(names, p.spec.Name)
	}
	return names
}

// PID is the id of the working process; an error when none works right now.
func (g *Group) PID(name string) (int, error) {
	p, err := g.find(name)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return 0, fmt.Errorf("%s is not running", name)
	}
	return p.pid, nil
}

// Kill ends a process with SIGKILL and returns when it is dead. It will be
// started again, without the delay of one that died by itself.
func (g *Group) Kill(name string) error {
	return g.end(name, syscall.SIGKILL, false)
}

// Hold ends a process with SIGKILL and keeps it down until Release.
func (g *Group) Hold(name string) error {
	return g.end(name, syscall.SIGKILL, true)
}

// Restart asks a process to drain and end, waits for that, and has it started
// again.
func (g *Group) Restart(name string) error {
	p, err := g.find(name)
	if err != nil {
		return err
	}
	return g.end(name, p.spec.StopSignal, false)
}

// Release lets a held process start again.
func (g *Group) Release(name string) error {
	p, err := g.find(name)
	if err != nil {
		return err
	}
	p.setHeld(false)
	return nil
}

func (g *Group) end(name string, signal os.Signal, hold bool) error {
	p, err := g.find(name)
	if err != nil {
		return err
	}
	if hold {
		p.setHeld(true)
	}
	if died := p.signal(signal); died != nil {
		<-died
	}
	return nil
}

// Failures counts how often a process ended by itself with an exit code of its
// own since it was started, and tells the last of them. A process that was
// killed by a signal did not fail.
func (g *Group) Failures(name string) (int, error) {
	p, err := g.find(name)
	if err != nil {
		return 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures, p.lastFailure
}

// Tail is the end of what a process logged since this group started it.
func (g *Group) Tail(name string, lines int) string {
	p, err := g.find(name)
	if err != nil {
		return ""
	}
	return p.tail(lines)
}

// LogPath is the log file of a process.
func (g *Group) LogPath(name string) string { return filepath.Join(g.dir, "log", name+".log") }

// Stop ends the named processes together and for good: each is asked to drain,
// and killed when it has not ended within grace. Unknown names are skipped.
func (g *Group) Stop(grace time.Duration, names ...string) {
	var stopping []*process
	for _, name := range names {
		if p, err := g.find(name); err == nil {
			p.stop()
			stopping = append(stopping, p)
		}
	}
	deadline := time.After(grace)
	for _, p := range stopping {
		select {
		case <-p.done:
		case <-deadline:
			for _, late := range stopping {
				late.signal(syscall.SIGKILL)
			}
			<-p.done
		}
	}
}

// Close kills what still runs and gives the folder free.
func (g *Group) Close() error {
	g.Stop(0, g.Names()...)
	return g.lock.Close()
}

func (g *Group) find(name string) (*process, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.processes {
		if p.spec.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("there is no process %q", name)
}

func (g *Group) say(format string, args ...any) {
	fmt.Fprintf(g.out, format+"\n", args...)
}
