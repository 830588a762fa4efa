package postgres

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// startParent runs this test binary as a process of its own that runs a cluster.
func startParent(t *testing.T, program, dir string, as *account) (cmd *exec.Cmd, stdin io.Closer, server int) {
	t.Helper()
	cmd = exec.Command(program)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
	cmd.Stderr = t.Output()
	as.become(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	server, err = strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line)
	}
	return cmd, in, server
}

func TestAKilledParentLeavesNoServer(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := workDir(t)
	cmd, _, server := startParent(t, self, dir, nil)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// At once, while the orphan is still ending.
	start(t, prepare(t, Options{Dir: dir}))
	await(t, "the orphaned server ends", func() bool { return gone(server) })
}

func TestRunsWithoutRoot(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := workDir(t)
	var nobody *account // when we are not root, we are the ordinary user ourselves
	if os.Geteuid() == 0 {
		if nobody, err = lookupAccount("nobody"); err != nil {
			t.Fatal(err)
		}
		program, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		self = filepath.Join(dir, "program")
		if err := os.WriteFile(self, program, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := nobody.own(self); err != nil {
			t.Fatal(err)
		}
		if err := nobody.own(dir); err != nil {
			t.Fatal(err)
		}
	}
	cmd, stdin, server := startParent(t, self, filepath.Join(dir, "state", "postgres"), nobody)
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("clean end: %v", err)
	}
	if !gone(server) {
		t.Error("the server still runs")
	}
}
