package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	readyPoll  = 50 * time.Millisecond
	readyTry   = 2 * time.Second
	stopFast   = 5 * time.Second // then less politely, within the ten seconds everything has to end
	stopAtOnce = 3 * time.Second
	logTail    = 4 << 10 // bytes of the server's log that an error quotes
)

// Command is the server, ready to be started; its log goes to the command's
// Stderr. On Linux it ends with the thread that starts it: start it on a locked
// thread of a goroutine that lives as long as the server should.
func (c *Cluster) Command() *exec.Cmd {
	args := []string{"-D", c.dataDir(), "-p", strconv.Itoa(c.port)}
	settings := []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=",
		"logging_collector=off", "log_destination=stderr", "password_encryption=scram-sha-256",
	}
	if c.opts.Durable {
		settings = append(settings, "max_connections=300")
	} else { // many worlds of a simulation side by side, each with two dozen connections
		settings = append(settings, "max_connections=800", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")
	}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(filepath.Join(c.bin, "postgres"), args...)
	c.runAs(cmd)
	// A group of its own: Ctrl-C is for whoever runs us, and the server has to
	// outlive those that still use it.
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr)
	return cmd
}

// runAs makes cmd run as the server's user, in a folder that user may be in.
func (c *Cluster) runAs(cmd *exec.Cmd) {
	cmd.Dir = c.opts.Dir
	c.user.become(cmd)
	for _, kv := range os.Environ() {
		// PGDATA, PGPORT and their kind are meant for somebody else's cluster.
		if !strings.HasPrefix(kv, "PG") && !strings.HasPrefix(kv, "LC_") && !strings.HasPrefix(kv, "LANG") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
}

// Server is a running cluster.
type Server struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait, once done is closed
}

// Start runs the server and returns when it accepts connections. Its log is
// the file postgres.log beside the data. A port that was picked free and has
// been taken since is replaced, so ask for URL only afterwards.
func (c *Cluster) Start(ctx context.Context) (*Server, error) {
	giveUp := time.Now().Add(orphanGrace)
	for {
		s, err := c.start(ctx)
		if err == nil || ctx.Err() != nil || time.Now().After(giveUp) {
			return s, err
		}
		switch log := c.tail(); {
		case c.opts.Port == 0 && strings.Contains(log, "could not bind"):
			if c.port, err = freePort(); err != nil {
				return nil, err
			}
		case strings.Contains(log, "pre-existing shared memory block"):
			// Parts of a server that was killed are still ending.
			time.Sleep(readyPoll)
		default:
			return nil, err
		}
	}
}

func (c *Cluster) start(ctx context.Context) (*Server, error) {
	log, err := os.Create(c.logFile())
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	defer log.Close()
	s := &Server{cmd: c.Command(), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	started := make(chan error)
	go func() {
		// The server dies with the thread that forked it, so this goroutine
		// keeps its thread until the server has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.err = s.cmd.Wait()
			close(s.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("postgres: start: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.done:
			cancel(errors.New("the server ended"))
		case <-ctx.Done():
		}
	}()
	if err := c.WaitReady(ctx); err != nil {
		if errors.Is(err, errOther) {
			// Ours is about to find the port taken; let it say so in its log.
			select {
			case <-s.done:
			case <-time.After(readyTry):
			}
		}
		stopErr := s.Stop()
		return nil, errors.Join(fmt.Errorf("%w; the end of its log:\n%s", err, c.tail()), stopErr)
	}
	return s, nil
}

var errOther = errors.New("another server answers here")

// WaitReady returns when the server accepts connections, or with an error when
// ctx ends or another server answers on the port.
func (c *Cluster) WaitReady(ctx context.Context) error {
	for {
		err := c.ping(ctx)
		if err == nil {
			return nil
		}
		if refused := new(pgconn.PgError); errors.As(err, &refused) && strings.HasPrefix(refused.Code, "28") {
			return fmt.Errorf("postgres: port %d: %w: %w", c.port, errOther, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres: not ready on port %d: %w (last answer: %w)", c.port, context.Cause(ctx), err)
		case <-time.After(readyPoll):
		}
	}
}

func (c *Cluster) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTry)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// tail is the end of the log that Start writes.
func (c *Cluster) tail() string {
	text, err := os.ReadFile(c.logFile())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-logTail):]))
}

// PID is the process id of the server's main process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop ends the server and waits for it: at first disconnecting clients and
// writing everything out, then at once, which the next start has to repair.
func (s *Server) Stop() error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, stopFast}, {syscall.SIGQUIT, stopAtOnce}, {syscall.SIGKILL, stopAtOnce}} {
		// An error means that it has ended, which done will say.
		_ = s.cmd.Process.Signal(step.signal)
		select {
		case <-s.done:
			return nil
		case <-time.After(step.wait):
		}
	}
	return fmt.Errorf("postgres: process %d does not end", s.PID())
}
