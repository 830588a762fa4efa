package supervise

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	firstDelay = 100 * time.Millisecond // before a died process starts again
	longest    = 5 * time.Second        // the delay doubles up to this
	steady     = 5 * time.Second        // a process that lived this long starts over with firstDelay
)

// process is one supervised child over all its lives.
type process struct {
	group *Group
	spec  Spec
	done  chan struct{} // closed when it was stopped for good

	mu          sync.Mutex
	changed     chan struct{} // replaced and closed when held or stopped change
	pid         int           // 0 when not running
	process     *os.Process
	died        chan struct{} // closed when the running process has ended
	held        bool
	stopped     bool
	asked       bool // we sent the signal that will end the running process
	failures    int
	lastFailure error
	logStart    int64 // size of the log at the first start; -1 before
}

func newProcess(g *Group, spec Spec) *process {
	return &process{group: g, spec: spec, done: make(chan struct{}), changed: make(chan struct{}), logStart: -1}
}

// supervise starts the process until it is stopped. The goroutine keeps its OS
// thread for all of the process's lives: Linux sends the parent-death signal
// when the *thread* that forked ends, not the process.
func (p *process) supervise(first chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	defer os.Remove(p.pidPath())

	delay := time.Duration(0)
	for life := 0; p.mayStart(delay); life++ {
		began := time.Now()
		cmd, err := p.start()
		if life == 0 {
			first <- err
			if err != nil {
				return
			}
		}
		if err != nil {
			delay = nextDelay(delay, 0)
			p.group.say("%s could not be started (%v), trying again in %s", p.spec.Name, err, delay)
			continue
		}
		if life > 0 {
			p.group.say("%s runs again (pid %d)", p.spec.Name, cmd.Process.Pid)
		}
		err = cmd.Wait()
		delay = p.ended(err, nextDelay(delay, time.Since(began)))
	}
}

func nextDelay(last, lived time.Duration) time.Duration {
	if last == 0 || lived >= steady {
		return firstDelay
	}
	return min(2*last, longest)
}

// mayStart waits out the delay and a hold; false when the process was stopped.
func (p *process) mayStart(delay time.Duration) bool {
	timer := time.After(delay)
	for {
		p.mu.Lock()
		stopped, held, changed := p.stopped, p.held, p.changed
		p.mu.Unlock()
		switch {
		case stopped:
			return false
		case held:
			<-changed
		default:
			select {
			case <-changed:
			case <-timer:
				return true
			}
		}
	}
}

func (p *process) start() (*exec.Cmd, error) {
	log, err := os.OpenFile(p.group.LogPath(p.spec.Name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	cmd := p.spec.Command()
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	detach(cmd.SysProcAttr)

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.logStart < 0 {
		if info, err := log.Stat(); err == nil {
			p.logStart = info.Size()
		}
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.pid, p.process, p.died, p.asked = cmd.Process.Pid, cmd.Process, make(chan struct{}), false
	if err := p.writePID(); err != nil {
		p.group.say("%s: its pid file could not be written: %v", p.spec.Name, err)
	}
	if p.stopped || p.held { // asked for between the wait and the start
		p.asked = true
		_ = p.process.Kill()
	}
	return cmd, nil
}

// ended records a death and returns the delay before the next start.
func (p *process) ended(err error, delay time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid, p.process = 0, nil
	close(p.died)
	if p.asked {
		if p.held {
			os.Remove(p.pidPath())
		}
		return 0
	}
	how := "it ended"
	if err != nil {
		how = err.Error()
	}
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) && exit.Exited() {
		p.failures++
		p.lastFailure = errors.New(how)
	}
	p.group.say("%s is down (%s), starting it again in %s", p.spec.Name, how, delay)
	return delay
}

// signal reaches the running process; the returned channel is closed when that
// process has ended, nil when none was running.
func (p *process) signal(signal os.Signal) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return nil
	}
	p.asked = true
	_ = p.process.Signal(signal) // fails only when it has just ended; died tells
	return p.died
}

func (p *process) setHeld(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	p.change()
}

// stop asks the process to end and not to come back; done tells when.
func (p *process) stop() {
	p.mu.Lock()
	p.stopped = true
	p.change()
	p.mu.Unlock()
	p.signal(p.spec.StopSignal)
}

func (p *process) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *process) pidPath() string {
	return filepath.Join(p.group.dir, "run", p.spec.Name+".pid")
}

// writePID replaces the pid file in one step, so that a reader never finds half.
func (p *process) writePID() error {
	if err := os.WriteFile(p.pidPath()+".new", fmt.Appendln(nil, p.pid), 0o644); err != nil {
		return err
	}
	return os.Rename(p.pidPath()+".new", p.pidPath())
}

func (p *process) tail(lines int) string {
	p.mu.Lock()
	from := max(0, p.logStart)
	p.mu.Unlock()
	log, err := os.Open(p.group.LogPath(p.spec.Name))
	if err != nil {
		return ""
	}
	defer log.Close()
	const most = 64 << 10
	if info, err := log.Stat(); err == nil {
		from = max(from, info.Size()-most)
	}
	text, _ := io.ReadAll(io.NewSectionReader(log, from, most))
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
