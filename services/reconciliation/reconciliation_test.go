package reconciliation_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/platform/process"
	"makegood.example/services/reconciliation"
)

// asService makes the test binary run the service instead, so that a test can
// kill it.
const asService = "RECONCILIATION_TEST_RUNS_THE_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		process.Main("reconciliation", func(ctx context.Context, rt process.Runtime) error {
			cfg, err := reconciliation.LoadConfig(os.LookupEnv)
			if err != nil {
				return err
			}
			return reconciliation.Run(ctx, cfg, rt)
		}, nil)
		return
	}
	pgtest.Main(m, reconciliation.Schema)
}

const supportToken = "the-token-of-support-in-this-test"

// scene is a database and an Orders, for instances of the service to share.
type scene struct {
	t      *testing.T
	db     *pgtest.DB
	owner  *pgxpool.Pool
	clock  *clock
	orders *fakeOrders
	world  *fakeWorld
	peers  string // where all the others listen
	tokens string
	// instances is how many were started.
	instances int
}

func newScene(t *testing.T) *scene {
	t.Helper()
	t.Parallel()
	s := &scene{t: t, db: pgtest.New(t), clock: &clock{now: time.Now().UTC()}, tokens: tokensFile(t)}
	s.owner = s.db.Owner(t)
	s.orders = startFakeOrders(t)
	s.world, s.peers = s.orders.world, s.orders.addr
	return s
}

// env is what an instance is started with; sweeps are off unless the test says
// otherwise.
func (s *scene) env(more map[string]string) map[string]string {
	env := map[string]string{
		"RECONCILIATION_DATABASE_URL": s.db.URL("reconciliation"),
		"ORDERS_GRPC_ADDR":            s.orders.addr,
		"PAYMENTS_GRPC_ADDR":          s.peers,
		"PROVISIONING_GRPC_ADDR":      s.peers,
		"NOTIFICATIONS_GRPC_ADDR":     s.peers,
		"ADMIN_TOKENS_FILE":           s.tokens,
		"RECONCILE_EVERY":             "off",
	}
	for k, v := range more {
		env[k] = v
	}
	return env
}

// instance runs the service as its main does and returns how to reach it.
func (s *scene) instance(more map[string]string) grpcclient.Dialer {
	s.t.Helper()
	env := s.env(more)
	if s.instances++; env["RECONCILIATION_GRPC_LISTEN"] == "" { // live processes never share an address
		env["RECONCILIATION_GRPC_LISTEN"] = fmt.Sprintf("127.0.0.1:%d", s.instances)
	}
	cfg, err := reconciliation.LoadConfig(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
	if err != nil {
		s.t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- reconciliation.Run(ctx, cfg, process.Runtime{
			Log: slog.New(slog.DiscardHandler), Now: s.clock.Now, Listener: listener,
		})
	}()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	return func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
}

func (s *scene) client(dial grpcclient.Dialer, caller string) pb.ReconciliationServiceClient {
	s.t.Helper()
	conn, err := grpcclient.Dial("reconciliation", caller, dial)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return pb.NewReconciliationServiceClient(conn)
}

// support is the context of a person of the support team, who waits longer than a
// program does: a whole run on a busy machine.
func (s *scene) support() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	s.t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+supportToken)
}

func (s *scene) startRun(dial grpcclient.Dialer) *pb.Run {
	s.t.Helper()
	r, err := s.client(dial, "gateway").StartRun(s.support(), &pb.StartRunRequest{})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *scene) count(query string, args ...any) int {
	s.t.Helper()
	var n int
	if err := s.owner.QueryRow(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// await waits until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
	// tick is how much later each reading is than the one before.
	tick time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(c.tick)
	return c.now
}

// Ticks lets time pass from reading to reading.
func (c *clock) Ticks(tick time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tick = tick
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func tokensFile(t *testing.T) string {
	t.Helper()
	sum := sha256.Sum256([]byte(supportToken))
	b, err := json.Marshal(map[string]any{"tokens": []map[string]string{
		{"actor": "sam", "role": "support", "sha256": hex.EncodeToString(sum[:])},
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func orderID(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func wantError(t *testing.T, what string, err error, code codes.Code, reason string) {
	t.Helper()
	if e := apperr.Of(err); e == nil || e.Code != code || e.Reason != reason {
		t.Errorf("%s: %v, want %s %s", what, err, code, reason)
	}
}
