package postgres

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that initdb and the server run as when we are root,
// which both refuse. It is nil when we are somebody else: then it is us.
type account struct {
	name     string
	uid, gid uint32
}

// serverAccount picks the user: the one who owns data, if that exists, so that
// a user who appears later does not lock us out of it; else postgres, else nobody.
func serverAccount(data string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var found *account
	for _, name := range []string{"postgres", "nobody"} {
		a, err := lookupAccount(name)
		if errors.As(err, new(user.UnknownUserError)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(data); err == nil && ownerOf(info) == a.uid {
			return a, nil
		}
		if found == nil {
			found = a
		}
	}
	if found == nil {
		return nil, errors.New("postgres: running as root needs a user named postgres or nobody to run the server as")
	}
	return found, nil
}

func lookupAccount(name string) (*account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("postgres: user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("postgres: user %s: %w", name, err)
	}
	return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
}

func ownerOf(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// become makes cmd run as the account.
func (a *account) become(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
}

// canEnter asks the system instead of reading permission bits, so that access
// lists and mounts count too.
func (a *account) canEnter(dir string) bool {
	if a == nil {
		return true
	}
	cmd := exec.Command("/bin/sh", "-c", `cd "$1"`, "sh", dir)
	cmd.Dir = "/"
	a.become(cmd)
	return cmd.Run() == nil
}

// UsableDir returns dir if the user PostgreSQL runs as can get there, or else a
// substitute outside, always the same for the same dir. Only root, who has to
// hand PostgreSQL to another user, ever gets a substitute. dir need not exist;
// the nearest folder above it that does is what counts.
func UsableDir(dir string) string {
	a, err := serverAccount("")
	if err != nil || a == nil {
		return dir
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	if a.canEnter(existing(abs)) {
		return dir
	}
	name := fmt.Sprintf("makegood-%x", sha256.Sum256([]byte(abs)))[:25]
	// Not a temporary folder if it can be avoided: those are emptied of old
	// files, and a database has old files that it needs.
	for _, parent := range []string{"/var/lib", "/var/tmp", os.TempDir()} {
		if a.canEnter(parent) && writable(parent) {
			return filepath.Join(parent, name)
		}
	}
	return dir
}

// existing is dir or the nearest folder above it that exists.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func writable(dir string) bool {
	probe, err := os.MkdirTemp(dir, ".makegood-")
	if err != nil {
		return false
	}
	return os.Remove(probe) == nil
}

// ownDir makes the cluster's folder and hands it to the server's user.
func (c *Cluster) ownDir() error {
	if err := os.MkdirAll(filepath.Dir(c.opts.Dir), 0o755); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	err := os.Mkdir(c.opts.Dir, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("postgres: %w", err)
	}
	info, err := os.Lstat(c.opts.Dir)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	// The folder may be in a place where others can write: never take over
	// what somebody else put there.
	owner := ownerOf(info)
	if !info.IsDir() || (owner != uint32(os.Geteuid()) && (c.user == nil || owner != c.user.uid)) {
		return fmt.Errorf("postgres: %s belongs to another user; remove it or choose another folder (MAKEGOOD_DIR)", c.opts.Dir)
	}
	if err := c.user.own(c.opts.Dir); err != nil {
		return err
	}
	if !c.user.canEnter(c.opts.Dir) {
		return fmt.Errorf("postgres: user %s, whom PostgreSQL runs as, cannot enter %s; choose a folder outside (MAKEGOOD_DIR), such as %s", c.user.name, c.opts.Dir, UsableDir(filepath.Dir(c.opts.Dir)))
	}
	return nil
}
