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

const (
	// orphanGrace is how long what is left of a killed server may take to end.
	orphanGrace = 10 * time.Second
	// noProcess is above every process id that systems hand out.
	noProcess = "2147483647"
)

// clearStaleLock deals with the lock file of a server that was killed.
// PostgreSQL sees by itself that the process named there is gone, but not that
// its id has since been given to another process of the same user. A server
// that really runs on the data is waited for: it is ending, or somebody uses it.
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
		first, rest, _ := bytes.Cut(text, []byte("\n"))
		pid, err := strconv.Atoi(strings.TrimSpace(string(first)))
		switch {
		case err != nil: // cut off while it was written, which PostgreSQL refuses
			return os.Remove(path)
		case errors.Is(syscall.Kill(pid, 0), syscall.ESRCH):
			return nil
		case !c.isServer(pid):
			// Not removed: the rest of the file is how PostgreSQL finds out
			// whether some part of the killed server still has the data open.
			return os.WriteFile(path, append([]byte(noProcess+"\n"), rest...), 0o600)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres: process %d already serves the data in %s; end it first", pid, c.opts.Dir)
		case <-time.After(readyPoll):
		}
	}
}

// isServer tells whether the process pid is a server on this cluster's data.
func (c *Cluster) isServer(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil { // no /proc on this system
		line, err = exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	}
	return err == nil && bytes.Contains(line, []byte(c.dataDir()))
}
