package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// container is what a container engine would make of an image: its files as the
// root, which cannot be written, what is mounted into it, and the image's user
// without any right. It uses the kernel's namespaces, for which nobody needs to
// be root; the network is this machine's loopback.
type container struct {
	Root   string
	Mounts []mount
	Env    []string
	Args   []string
}

// mount is a file or folder of this machine's at a place in a container.
type mount struct {
	Source, Target string
	ReadOnly       bool
}

// beginning is the variable with the container that a copy of this process is to
// become.
const beginning = "MAKEGOOD_TEST_CONTAINER"

// inside turns this process into the program of a container, if it was started
// to be that.
func inside() {
	text := os.Getenv(beginning)
	if text == "" {
		return
	}
	runtime.LockOSThread() // rights are a thread's
	var c container
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		err = c.enter()
	}
	if err == nil {
		err = unix.Exec(c.Args[0], c.Args, c.Env)
	}
	fmt.Fprintln(os.Stderr, "container:", err)
	os.Exit(125)
}

func (c container) enter() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	all := append([]mount{{Source: c.Root, ReadOnly: true}}, c.Mounts...)
	for _, m := range all {
		if err := unix.Mount(m.Source, filepath.Join(c.Root, m.Target), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	for _, m := range all {
		at := filepath.Join(c.Root, m.Target)
		var s unix.Statfs_t
		if err := unix.Statfs(at, &s); err != nil {
			return err
		}
		// What the surroundings forbid stays forbidden, and must be said again.
		flags := uintptr(s.Flags)&(unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC) | unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY
		if !m.ReadOnly {
			continue
		}
		if err := unix.Mount("", at, "", flags, ""); err != nil {
			return fmt.Errorf("make %q read-only: %w", m.Target, err)
		}
	}
	if err := unix.Chroot(c.Root); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
}

// command prepares the container's process.
func (c container) command(t *testing.T) (*exec.Cmd, *output) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := &output{}
	cmd := exec.Command(self)
	cmd.Env = []string{beginning + "=" + string(text)}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: User, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: User, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT},
	}
	return cmd, out
}

// run runs the container to its end.
func (c container) run(t *testing.T) (said string, err error) {
	t.Helper()
	cmd, out := c.command(t)
	err = cmd.Run()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("this machine gives no user namespaces (%v). Remedy, as root: sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000, and in a container allow unshare", err)
	}
	return out.String(), err
}

// start runs the container until the test ends; it must drain when it is told to.
func (c container) start(t *testing.T) *output {
	t.Helper()
	cmd, out := c.command(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%v: %v", c.Args, err)
			}
		case <-time.After(time.Minute):
			_ = cmd.Process.Kill()
			t.Errorf("%v does not drain: %v", c.Args, <-ended)
		}
		if t.Failed() {
			t.Logf("%v said:\n%s", c.Args, out)
		}
	})
	return out
}

// output is what a process says, readable meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// unpack lays an image's files out, and adds what an engine adds: the places
// where something will be mounted, and the names of the other containers.
func unpack(t *testing.T, program, hosts string, mounts []mount) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, file := range filesOf(t, program) {
		at := filepath.Join(root, name)
		if file.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(at, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(at, file.body, file.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/hosts"), []byte(hosts), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		at := filepath.Join(root, m.Target)
		info, err := os.Stat(m.Source)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.MkdirAll(at, 0o755)
		} else if err = os.MkdirAll(filepath.Dir(at), 0o755); err == nil {
			err = os.WriteFile(at, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// owner is the user that an image names, as a number.
func owner(t *testing.T, user string) int {
	t.Helper()
	id, _, _ := strings.Cut(user, ":")
	n, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
