package provisioning_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/platform/process"
	"makegood.example/services/provisioning"
)

// neighbour is another service's schema in the same database.
var neighbour = migrate.Schema{Name: "neighbour", FS: os.DirFS("testdata/neighbour")}

func TestMain(m *testing.M) { pgtest.Main(m, provisioning.Schema, neighbour) }

const (
	serviceToken = "the-token-of-the-app-in-this-test"
	supportToken = "the-token-of-sam-in-this-test"
)

// running is the service, run as its main does, on a database of its own.
type running struct {
	t     *testing.T
	db    *pgtest.DB
	owner *pgxpool.Pool
	clock *clock
	dial  grpcclient.Dialer
}

// clock is set by the test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// start runs it with more settings, names and values in turn.
func start(t *testing.T, more ...string) *running {
	t.Helper()
	t.Parallel()
	r := &running{t: t, db: pgtest.New(t), clock: &clock{now: at(t, "2026-11-21T12:00:00.123456789Z")}}
	r.owner = r.db.Owner(t)
	settings := map[string]string{
		"PROVISIONING_DATABASE_URL": r.db.URL("provisioning"),
		"SERVICE_TOKENS_FILE":       tokensFile(t),
		"APP_URL":                   "https://app.example.com/",
	}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	cfg, err := provisioning.LoadConfig(func(key string) (string, bool) { v, ok := settings[key]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	r.dial = func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- provisioning.Run(ctx, cfg, process.Runtime{
			Log: slog.New(slog.DiscardHandler), Now: r.clock.Now, Listener: listener,
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

func tokensFile(t *testing.T) string {
	t.Helper()
	hash := func(token string) string { sum := sha256.Sum256([]byte(token)); return hex.EncodeToString(sum[:]) }
	b, err := json.Marshal(map[string]any{"tokens": []map[string]string{
		{"actor": "app", "role": "service", "sha256": hash(serviceToken)},
		{"actor": "sam", "role": "support", "sha256": hash(supportToken)},
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

// as is a client of the service for a caller.
func (r *running) as(caller string) pb.ProvisioningServiceClient {
	r.t.Helper()
	conn, err := grpcclient.Dial("provisioning", caller, r.dial)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return pb.NewProvisioningServiceClient(conn)
}

// app is the context of the SaaS's own backend, which calls through the gateway.
func (r *running) app() context.Context {
	return metadata.AppendToOutgoingContext(r.t.Context(), "authorization", "Bearer "+serviceToken)
}

func (r *running) count(query string, args ...any) int {
	r.t.Helper()
	var n int
	if err := r.owner.QueryRow(r.t.Context(), query, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *running) grant(change func(*pb.GrantAccessRequest)) *pb.Grant {
	r.t.Helper()
	g, err := r.as("orders").GrantAccess(r.t.Context(), request(change))
	if err != nil {
		r.t.Fatal(err)
	}
	return g
}

// request is a purchase of a year for Jane, changed by the test.
func request(change func(*pb.GrantAccessRequest)) *pb.GrantAccessRequest {
	req := &pb.GrantAccessRequest{
		OrderId: uuid.NewString(), Email: "jane@example.com", Name: "Jane", PlanId: "annual", TermMonths: 12,
	}
	if change != nil {
		change(req)
	}
	return req
}

func at(t *testing.T, s string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
