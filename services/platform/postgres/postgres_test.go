package postgres

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// helperDir makes this test binary a parent that runs a cluster there, prints
// the server's pid and waits for its end.
const helperDir = "MAKEGOOD_TEST_POSTGRES_PARENT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		os.Exit(parent(dir))
	}
	os.Exit(m.Run())
}

func parent(dir string) int {
	c, err := Prepare(context.Background(), Options{Dir: dir, Out: os.Stderr})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	s, err := c.Start(context.Background())
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(s.PID())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// workDir is a folder the server's user can enter, which t.TempDir is not.
func workDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(UsableDir("/tmp"), "makegood-postgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func prepare(t *testing.T, opts Options) *Cluster {
	t.Helper()
	opts.Out = t.Output()
	c, err := Prepare(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t *testing.T, c *Cluster) *Server {
	t.Helper()
	s, err := c.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func query(t *testing.T, c *Cluster, database, statement string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var text string
	rows, err := conn.Query(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return text
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func gone(pid int) bool { return syscall.Kill(pid, 0) == syscall.ESRCH }

func TestDataSurvivesKill9(t *testing.T) {
	dir := workDir(t)
	c := prepare(t, Options{Dir: dir, Durable: true})
	s := start(t, c)
	if err := c.EnsureDatabase(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureDatabase(t.Context(), "shop"); err != nil {
		t.Fatalf("a second time: %v", err)
	}
	query(t, c, "shop", "CREATE TABLE kept AS SELECT 'here' AS word")
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.done

	// A new process in between was given the same id, by the same user.
	other := exec.Command("sleep", "60")
	c.user.become(other)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	lock := filepath.Join(c.dataDir(), "postmaster.pid")
	text, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(lock, []byte(strconv.Itoa(other.Process.Pid)+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}

	c = prepare(t, Options{Dir: dir, Durable: true})
	s = start(t, c)
	if got := query(t, c, "shop", "SELECT word FROM kept"); got != "here" {
		t.Errorf("after the restart: %q", got)
	}
	if got := query(t, c, "shop", "SHOW fsync"); got != "on" {
		t.Errorf("fsync is %s", got)
	}

	// Nobody else may run on data that is being served.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Prepare(ctx, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), strconv.Itoa(s.PID())) {
		t.Errorf("Prepare on running data: %v", err)
	}

	info, err := os.Stat(c.passwordFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v %v", info.Mode(), err)
	}
	wrong := strings.Replace(c.URL("postgres"), c.password, "guess", 1)
	if conn, err := pgx.Connect(t.Context(), wrong); err == nil {
		conn.Close(t.Context())
		t.Error("a wrong password was let in")
	}
}

func TestStartTakesAnotherPortWhenTheFreeOneIsTaken(t *testing.T) {
	first := prepare(t, Options{Dir: workDir(t)})
	start(t, first)
	dir := workDir(t)
	chosen := prepare(t, Options{Dir: dir, Port: first.port})
	if s, err := chosen.Start(t.Context()); err == nil {
		s.Stop()
		t.Error("a chosen port that is taken must be an error")
	}
	second := prepare(t, Options{Dir: dir})
	second.port = first.port
	start(t, second)
	if second.port == first.port {
		t.Error("the port was not replaced")
	}
}

func TestDataOfAVersionThatIsMissing(t *testing.T) {
	dir := workDir(t)
	c := prepare(t, Options{Dir: dir})
	if err := os.WriteFile(filepath.Join(c.dataDir(), "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "PostgreSQL 9") {
		t.Errorf("got %v", err)
	}
}

func TestWrongPGBinIsNamed(t *testing.T) {
	t.Setenv("PG_BIN", "/nowhere")
	if _, err := Ensure(t.Context(), t.Output()); err == nil || !strings.Contains(err.Error(), "PG_BIN is /nowhere") {
		t.Errorf("got %v", err)
	}
}

func TestUsableDir(t *testing.T) {
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	wish := filepath.Join(closed, "state", "postgres")
	got := UsableDir(wish)
	if os.Geteuid() != 0 {
		if got != wish {
			t.Errorf("we run the server ourselves, so %s is fine, got %s", wish, got)
		}
		return
	}
	if got == wish || got != UsableDir(wish) || got == UsableDir(wish+"2") {
		t.Errorf("want a substitute that depends on the wish alone, got %s", got)
	}
	if _, err := Prepare(t.Context(), Options{Dir: wish}); err == nil || !strings.Contains(err.Error(), "MAKEGOOD_DIR") {
		t.Errorf("the error must name the remedy: %v", err)
	}
}
