package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// orphanGrace is how long a server whose parent was killed may take to end.
const orphanGrace = 10 * time.Second

// clearStaleLock removes the lock file of a server that was killed.
// PostgreSQL would do so itself, but not when the process id in it has
// meanwhile been given to another process of the same user. A server that
// really runs on the data is waited for: it is ending, or somebody uses it.
func (c *Cluster) clearStaleLock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, orphanGrace)
	defer cancel()
	path := filepath.Join(c.dataDir(), "postmaster.pid")
	for {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
		first, _, _ := bytes.Cut(text, []byte("\n"))
		pid, err := strconv.Atoi(strings.TrimSpace(string(first)))
		if err != nil || !c.isServer(pid) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("postgres: %w", err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres: process %d already serves the data in %s; end it first", pid, c.opts.Dir)
		case <-time.After(readyPoll):
		}
	}
}

// isServer tells whether pid is a server on this cluster's data.
func (c *Cluster) isServer(pid int) bool {
	if pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil { // no /proc on this system
		line, err = exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	}
	return err == nil && bytes.Contains(line, []byte(c.dataDir()))
}
