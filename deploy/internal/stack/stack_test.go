package stack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"makegood.example/deploy/inbox"
	"makegood.example/services/platform/access"
)

var everything = []string{"postgres", "stripesim", "inbox", "orders", "payments", "provisioning", "notifications", "reconciliation", "gateway"}

// The test binary, under the names of the programs, plays them: what is tested
// here is how processes are run, with PostgreSQL and the inbox being real.
func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	switch {
	case os.Getenv("STACK_TEST_DIR") != "" && os.Getenv("MAKEGOOD_DIR") == "":
		runUntilKilled(os.Getenv("STACK_TEST_DIR"), os.Getenv("STACK_TEST_BIN"))
	case slices.Contains(everything, name):
		if err := playProgram(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		// Programs built with -race otherwise sleep for a second before they end.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
		os.Exit(m.Run())
	}
}

func runUntilKilled(dir, bin string) {
	_, err := Start(context.Background(), Options{Dir: dir, BinDir: bin, Env: os.Environ(), FreePorts: true, Throwaway: true, Out: os.Stderr})
	fmt.Println("up", err)
	select {}
}

func playProgram(name string) error {
	if os.Getenv("BROKEN") == name {
		return fmt.Errorf("bad settings: %s is broken", name)
	}
	environment, _ := json.Marshal(os.Environ())
	fmt.Fprintf(os.Stderr, "environment %s\n", environment)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch name {
	case "inbox":
		in, err := inbox.Open(inbox.Config{SMTPAddr: os.Getenv("INBOX_SMTP_ADDR"), HTTPAddr: os.Getenv("INBOX_HTTP_ADDR"), Dir: os.Getenv("INBOX_DIR")}, slog.Default())
		if err != nil {
			return err
		}
		return in.Run(ctx)
	case "stripesim", "gateway":
		addr := os.Getenv(map[string]string{"stripesim": "STRIPESIM_ADDR", "gateway": "HTTP_ADDR"}[name])
		server := &http.Server{Addr: addr, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		context.AfterFunc(ctx, func() { server.Shutdown(context.Background()) })
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			return err
		}
	default:
		listener, err := net.Listen("tcp", os.Getenv(strings.ToUpper(name)+"_GRPC_LISTEN"))
		if err != nil {
			return err
		}
		server := grpc.NewServer()
		healthv1.RegisterHealthServer(server, health.NewServer())
		context.AfterFunc(ctx, server.GracefulStop)
		return server.Serve(listener)
	}
	fmt.Fprintln(os.Stderr, "drained")
	return nil
}

// programs is a folder with every program of ours.
func programs(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, name := range everything[1:] {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// stateFolder is one that PostgreSQL's user can enter.
func stateFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "makegood-stack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, dir, bin string, env ...string) (*Stack, error) {
	t.Helper()
	s, err := Start(t.Context(), Options{Dir: dir, BinDir: bin, Env: append(os.Environ(), env...), FreePorts: true, Throwaway: true, Out: testOutput(t)})
	if err == nil {
		t.Cleanup(func() { s.Stop(context.Background()) })
	}
	return s, err
}

type logWriter struct {
	mu   sync.Mutex
	t    *testing.T
	done bool
}

func testOutput(t *testing.T) *logWriter {
	w := &logWriter{t: t}
	t.Cleanup(func() { w.mu.Lock(); w.done = true; w.mu.Unlock() })
	return w
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.t.Log(strings.TrimRight(string(p), "\n"))
	}
	return len(p), nil
}

func pidFile(dir, name string) int {
	text, _ := os.ReadFile(filepath.Join(dir, "run", name+".pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

func alive(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && bytes.Contains(stat, []byte(") Z ")) {
		return false
	}
	return pid != 0 && syscall.Kill(pid, 0) == nil
}

func environmentOf(t *testing.T, s *Stack, name string) map[string]string {
	t.Helper()
	for line := range strings.Lines(s.LogTail(name, 50)) {
		if list, ok := strings.CutPrefix(line, "environment "); ok {
			var pairs []string
			if err := json.Unmarshal([]byte(list), &pairs); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{}
			for _, pair := range pairs {
				key, value, _ := strings.Cut(pair, "=")
				env[key] = value
			}
			return env
		}
	}
	t.Fatalf("%s did not tell its environment", name)
	return nil
}

func TestEverythingRunsAndStops(t *testing.T) {
	t.Parallel()
	dir, bin := stateFolder(t), programs(t)
	s, err := start(t, dir, bin, "RESCUE_AFTER=7s")
	if err != nil {
		t.Fatal(err)
	}
	if names := s.Names(); !slices.Equal(names, everything) {
		t.Errorf("runs %v", names)
	}
	pids := map[string]int{}
	for _, name := range everything {
		if pids[name] = pidFile(dir, name); !alive(pids[name]) {
			t.Errorf("%s.pid names %d, which does not run", name, pids[name])
		}
	}

	orders := environmentOf(t, s, "orders")
	if orders["RESCUE_AFTER"] != "7s" || orders["PATH"] != os.Getenv("PATH") || orders["APP_ID"] != "makegood" {
		t.Errorf("environment of orders: %v", orders)
	}
	if !strings.Contains(orders["ORDERS_DATABASE_URL"], "makegood_orders:") || orders["PAYMENTS_DATABASE_URL"] != "" || orders["DATABASE_URL"] != "" {
		t.Errorf("databases of orders: own %q, other %q, owner %q", orders["ORDERS_DATABASE_URL"], orders["PAYMENTS_DATABASE_URL"], orders["DATABASE_URL"])
	}
	told, err := os.ReadFile(filepath.Join(dir, "run", "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"HTTP_ADDR", "ADMIN_ADDR", "ORDERS_GRPC_ADDR", "STRIPESIM_ADDR", "INBOX_HTTP_ADDR", "INBOX_SMTP_ADDR", "DATABASE_URL"} {
		if want := key + "=" + s.Env(key) + "\n"; s.Env(key) == "" || !strings.Contains(string(told), want) {
			t.Errorf("run/env lacks %q:\n%s", want, told)
		}
	}

	if _, err := start(t, dir, bin); err == nil || !strings.Contains(err.Error(), "already in use") || !strings.Contains(err.Error(), "MAKEGOOD_DIR") {
		t.Errorf("a second start: %v", err)
	}
	var one int
	for _, name := range []string{"orders", "postgres"} {
		if err := s.Kill(name); err != nil {
			t.Fatal(err)
		}
		if err := s.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		// PostgreSQL may end once more, while parts of the killed one still do.
		for deadline, now := time.Now().Add(30*time.Second), 0; now == pids[name] || !alive(now); time.Sleep(10 * time.Millisecond) {
			if now = pidFile(dir, name); time.Now().After(deadline) {
				t.Fatalf("%s after the kill: %d, before: %d", name, now, pids[name])
			}
		}
	}
	for try := 0; one != 1; try++ { // PostgreSQL recovers meanwhile
		attempt, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := s.DB().QueryRow(attempt, "SELECT 1").Scan(&one); err != nil && try > 100 {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(20 * time.Millisecond)
	}

	began := time.Now()
	for _, name := range everything {
		pids[name] = pidFile(dir, name)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopping took %s", took)
	}
	for name, pid := range pids {
		if alive(pid) || pidFile(dir, name) != 0 {
			t.Errorf("%s (%d) is left, or its pid file", name, pid)
		}
	}
	if !strings.Contains(s.LogTail("gateway", 5), "drained") {
		t.Error("the gateway did not drain")
	}
}

func TestStateIsKeptBetweenRuns(t *testing.T) {
	t.Parallel()
	dir, bin := stateFolder(t), programs(t)
	secrets := func() []string {
		s, err := start(t, dir, bin)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.DB().Exec(t.Context(), "CREATE TABLE IF NOT EXISTS runs (n int)"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DB().Exec(t.Context(), "INSERT INTO runs VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		var runs int
		if err := s.DB().QueryRow(t.Context(), "SELECT count(*) FROM runs").Scan(&runs); err != nil {
			t.Fatal(err)
		}
		admin, err := s.Token("admin")
		if err != nil {
			t.Fatal(err)
		}
		service, err := s.Token("service")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := access.LoadTokens(time.Now, s.Env("ADMIN_TOKENS_FILE"), s.Env("SERVICE_TOKENS_FILE")); err != nil {
			t.Error(err)
		}
		list := []string{admin, service, s.Env("STRIPE_WEBHOOK_SECRETS"), environmentOf(t, s, "stripesim")["STRIPE_WEBHOOK_SECRETS"]}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		return append(list, strconv.Itoa(runs))
	}
	first, second := secrets(), secrets()
	if !slices.Equal(first[:4], second[:4]) || first[2] != first[3] || first[4] != "1" || second[4] != "2" {
		t.Errorf("first run %q, second run %q", first, second)
	}
	for _, name := range []string{"admin.token", "service.token", "secrets.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

func TestExistingDatabaseTakesThePlaceOfThePrivateOne(t *testing.T) {
	t.Parallel()
	bin := programs(t)
	host, err := start(t, stateFolder(t), bin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.DB().Exec(t.Context(), "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	url := strings.Replace(host.Env("DATABASE_URL"), "/makegood?", "/shop?", 1)
	s, err := start(t, stateFolder(t), bin, "DATABASE_URL="+url, "PAYMENTS_DATABASE_URL=postgres://elsewhere/payments")
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(s.Names(), "postgres") || s.Env("DATABASE_URL") != url {
		t.Errorf("runs %v on %s", s.Names(), s.Env("DATABASE_URL"))
	}
	if own := environmentOf(t, s, "orders")["ORDERS_DATABASE_URL"]; !strings.Contains(own, "//shop_orders:") {
		t.Errorf("orders uses %q", own)
	}
	if own := environmentOf(t, s, "payments")["PAYMENTS_DATABASE_URL"]; own != "postgres://elsewhere/payments" {
		t.Errorf("payments uses %q", own)
	}
}

// What the environment of a process names, whoever may look at it can use.
func TestSecretsReachOnlyWhoNeedsThem(t *testing.T) {
	t.Setenv("SLACK_BOT_TOKEN", "xoxb-example") // also in the environment of the supervisor itself
	bin := programs(t)
	host, err := start(t, stateFolder(t), bin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.DB().Exec(t.Context(), "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	secret := func(text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	owner := strings.Replace(host.Env("DATABASE_URL"), "/makegood?", "/shop?", 1)
	inFiles, err := start(t, stateFolder(t), bin, "DATABASE_URL_FILE="+secret(owner), "STRIPE_SECRET_KEY_FILE="+secret("sk_test_example"),
		"STRIPE_WEBHOOK_SECRETS_FILE="+secret("whsec_example"), "SMTP_URL_FILE="+secret("smtp://user:example@127.0.0.1:1"), "SOMETHING=else", "ADMIN_TOKENS_FILE="+host.Env("ADMIN_TOKENS_FILE"))
	if err != nil {
		t.Fatal(err)
	}
	inPlace, err := start(t, stateFolder(t), bin, "DATABASE_URL="+owner, "STRIPE_WEBHOOK_SECRETS=whsec_example",
		"PAYMENTS_DATABASE_URL=postgres://elsewhere/payments", "SMTP_URL=smtp://user:example@127.0.0.1:1", "SOMETHING=else")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"orders", "payments", "provisioning", "notifications", "reconciliation"}
	mayKnow := map[string][]string{
		"DATABASE_URL": {}, "ORDERS_DATABASE_URL": {"orders"}, "PAYMENTS_DATABASE_URL": {"payments"}, "PROVISIONING_DATABASE_URL": {"provisioning"},
		"NOTIFICATIONS_DATABASE_URL": {"notifications"}, "RECONCILIATION_DATABASE_URL": {"reconciliation"},
		"STRIPE_SECRET_KEY": {"payments"}, "STRIPE_WEBHOOK_SECRETS": {"payments", "stripesim"}, "SMTP_URL": {"notifications"}, "SLACK_BOT_TOKEN": {"notifications"}, "INBOX_SERVICE_TOKEN_FILE": {"inbox"},
		"ADMIN_TOKENS_FILE": all, "SERVICE_TOKENS_FILE": all,
	}
	for how, s := range map[string]*Stack{"defaults": host, "in files": inFiles, "in place": inPlace} {
		for _, name := range s.Names() {
			if name == "postgres" {
				continue
			}
			env := environmentOf(t, s, name)
			for key, who := range mayKnow {
				may, knows := slices.Contains(who, name), env[key] != "" || env[key+"_FILE"] != ""
				if key == "INBOX_SERVICE_TOKEN_FILE" && how != "defaults" {
					may = false // there is no inbox
				}
				if may != knows {
					t.Errorf("%s: %s may know %s: %v, knows it: %v", how, name, key, may, knows)
				}
			}
			if how != "defaults" && env["SOMETHING"] != "else" {
				t.Errorf("%s: %s lost a setting that is no secret", how, name)
			}
		}
		if runtime.GOOS == "linux" && how == "defaults" {
			theirs, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pidFile(s.Dir(), "postgres")))
			if err != nil || !bytes.Contains(theirs, []byte("PATH=")) || bytes.Contains(theirs, []byte("xoxb-example")) {
				t.Errorf("environment of postgres: %q (%v)", theirs, err)
			}
		}
		told, err := os.ReadFile(filepath.Join(s.Dir(), "run", "env"))
		if err != nil || !strings.Contains(string(told), "DATABASE_URL="+s.Env("DATABASE_URL")+"\n") {
			t.Errorf("%s: run/env lacks the owner's database (%v)", how, err)
		}
	}
}

func TestBrokenProcessIsNamedAndNothingIsLeft(t *testing.T) {
	t.Parallel()
	dir := stateFolder(t)
	_, err := start(t, dir, programs(t), "BROKEN=payments")
	if err == nil || !strings.HasPrefix(err.Error(), "payments: ") || !strings.Contains(err.Error(), "bad settings: payments is broken") {
		t.Fatalf("start: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "run", "*.pid")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestKilledSupervisorLeavesNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Log("only Linux ends children with their parent; nothing to see here")
		return
	}
	dir := stateFolder(t)
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = append(os.Environ(), "STACK_TEST_DIR="+dir, "STACK_TEST_BIN="+programs(t))
	stdout, err := supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	defer supervisor.Process.Kill()
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "up <nil>\n" {
		t.Fatalf("supervisor said %q", line)
	}
	var pids []int
	for _, name := range everything {
		pids = append(pids, pidFile(dir, name))
	}
	supervisor.Process.Kill()
	supervisor.Wait()
	for deadline := time.Now().Add(10 * time.Second); slices.ContainsFunc(pids, alive); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("some of %v outlive the supervisor", pids)
		}
	}
}
