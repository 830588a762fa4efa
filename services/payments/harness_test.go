package payments_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	"makegood.example/deploy/stripesim"
	pb "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/payments"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/platform/process"
)

func TestMain(m *testing.M) {
	if os.Getenv(beService) != "" {
		serviceMain()
		return
	}
	// Most of these tests wait for Stripe's client to try again: many can wait at once.
	_ = flag.Set("test.parallel", "16")
	if !flag.Parsed() {
		flag.Parse()
	}
	pgtest.Main(m, payments.Schema)
}

const (
	testKey       = "sk_test_only_for_tests"
	liveKey       = "sk_live_only_for_tests"
	webhookSecret = "whsec_only_for_tests"
	oldSecret     = "whsec_from_before_the_rotation"
	price         = 24900
)

// scene is a Stripe, a database and the peers, for instances of the service to
// share.
type scene struct {
	*stripeSide
	t      *testing.T
	db     *pgtest.DB
	owner  *pgxpool.Pool
	clock  *clock
	orders *fakeOrders
	cases  *fakeCases
	more   map[string]string
	first  grpcclient.Dialer
	stops  []func()                 // of the instances
	pay    pb.PaymentsServiceClient // of the first instance, as Orders
	edge   pb.PaymentsServiceClient // the same, as the webhook entrance
	desk   pb.PaymentsAdminServiceClient
}

// newScene starts one instance. Attempts are not looked at unless the test
// says so, and more settings may replace the usual ones.
func newScene(t *testing.T, more map[string]string) *scene {
	t.Helper()
	s := &scene{t: t, db: pgtest.New(t), clock: &clock{now: time.Now().UTC().Truncate(time.Millisecond)}, more: more}
	s.owner = s.db.Owner(t)
	s.orders, s.cases = startFakeOrders(t), startFakeCases(t)
	sim, err := stripesim.New(stripesim.Config{Clock: s.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	s.stripeSide = &stripeSide{t: t, key: testKey, handler: sim.Handler()}
	if key := more["STRIPE_SECRET_KEY"]; key != "" {
		s.key = key
	}
	server := httptest.NewServer(s.stripeSide)
	s.url = server.URL
	t.Cleanup(func() {
		_ = sim.Close() // lets go of what it holds
		server.Close()
	})
	s.first = s.instance()
	s.pay, s.edge = s.client(s.first, "orders"), s.client(s.first, "gateway")
	s.desk = s.people(s.first)
	return s
}

// env are the settings of an instance.
func (s *scene) env() map[string]string {
	env := map[string]string{
		"PAYMENTS_DATABASE_URL":    s.db.URL("payments"),
		"ORDERS_GRPC_ADDR":         s.orders.addr,
		"RECONCILIATION_GRPC_ADDR": s.cases.addr,
		"STRIPE_SECRET_KEY":        testKey,
		"STRIPE_WEBHOOK_SECRETS":   webhookSecret + "," + oldSecret,
		"STRIPE_API_BASE":          s.url,
		"STRIPE_TIMEOUT":           "20s", // a slow machine is no silent Stripe
		"RESCUE_AFTER":             "off",
		"ADMIN_TOKENS_FILE":        tokensFile(s.t),
	}
	for k, v := range s.more {
		env[k] = v
	}
	return env
}

// instance runs the service as its main does and returns how to reach it.
func (s *scene) instance() grpcclient.Dialer {
	s.t.Helper()
	env := s.env()
	cfg, err := payments.LoadConfig(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
	if err != nil {
		s.t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- payments.Run(ctx, cfg, process.Runtime{Log: slog.New(slog.DiscardHandler), Now: s.clock.Now, Listener: listener})
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) { // which may be all that a start was
			s.t.Errorf("Run: %v", err)
		}
	})
	s.stops = append(s.stops, stop)
	s.t.Cleanup(stop)
	return func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
}

// stop ends every instance; what it had begun is finished then.
func (s *scene) stop() {
	for _, stop := range s.stops {
		stop()
	}
}

// client calls an instance as another service does.
func (s *scene) client(dial grpcclient.Dialer, caller string) pb.PaymentsServiceClient {
	s.t.Helper()
	conn, err := grpcclient.Dial("payments", caller, dial)
	if err != nil {
		s.t.Fatal(err)
	}
	s.connected(conn)
	return pb.NewPaymentsServiceClient(conn)
}

// connected waits until the instance serves: on a slow machine that is later
// than a call's own patience.
func (s *scene) connected(conn *grpc.ClientConn) {
	s.t.Helper()
	s.t.Cleanup(func() { _ = conn.Close() })
	conn.Connect()
	for state := conn.GetState(); state != connectivity.Ready; state = conn.GetState() {
		if !conn.WaitForStateChange(s.context(), state) {
			s.t.Fatalf("the connection is %s", state)
		}
	}
}

// people calls an instance as somebody whose token the context carries.
func (s *scene) people(dial grpcclient.Dialer) pb.PaymentsAdminServiceClient {
	s.t.Helper()
	conn, err := grpcclient.Dial("payments", "", dial)
	if err != nil {
		s.t.Fatal(err)
	}
	s.connected(conn)
	return pb.NewPaymentsAdminServiceClient(conn)
}

// tokensFile has one person for each role, whose token is the role's name.
func tokensFile(t *testing.T) string {
	t.Helper()
	var tokens []map[string]string
	for _, role := range []string{access.Viewer, access.Support, access.Admin, access.Service} {
		sum := sha256.Sum256([]byte(role))
		tokens = append(tokens, map[string]string{"actor": "a " + role, "role": role, "sha256": hex.EncodeToString(sum[:])})
	}
	b, err := json.Marshal(map[string]any{"tokens": tokens})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// as is a context with a person's token.
func (s *scene) as(role string) context.Context {
	return metadata.AppendToOutgoingContext(s.context(), "authorization", "Bearer "+role)
}

// purchase is one order of an address.
func (s *scene) purchase(email string) *pb.Purchase {
	return &pb.Purchase{
		OrderId: uuid.NewString(), Reference: uuid.NewString(), PlanId: "annual", Description: "Acme, one year",
		AmountMinor: price, Currency: "USD", Email: email, Name: "Jane Example", OrderedAt: timestamppb.New(s.clock.Now()),
	}
}

func (s *scene) request(p *pb.Purchase, method string) *pb.PayRequest {
	return &pb.PayRequest{
		Purchase: p, AttemptId: uuid.NewString(), PaymentMethod: method,
		ChargeBy: timestamppb.New(s.clock.Now().Add(5 * time.Minute)),
	}
}

// forBusy is how long a test waits for what must come, however busy the machine is.
const forBusy = 3 * time.Minute

// context gives a call as much time as a slow machine may need.
func (s *scene) context() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), forBusy)
	s.t.Cleanup(cancel)
	return ctx
}

// paid drives an attempt and checks what is answered.
func (s *scene) paid(r *pb.PayRequest, want pb.Payment_Status) *pb.Payment {
	s.t.Helper()
	p, err := s.pay.Pay(s.context(), r)
	if err != nil {
		s.t.Fatalf("Pay: %v", err)
	}
	if p.GetStatus() != want {
		s.t.Fatalf("Pay: %s, want %s: %v", p.GetStatus(), want, p)
	}
	return p
}

func (s *scene) look(p *pb.Purchase, want pb.Payment_Status) *pb.Payment {
	s.t.Helper()
	got, err := s.pay.LookAtPayment(s.context(), &pb.LookAtPaymentRequest{Purchase: p})
	if err != nil {
		s.t.Fatalf("LookAtPayment: %v", err)
	}
	if got.GetStatus() != want {
		s.t.Fatalf("LookAtPayment: %s, want %s: %v", got.GetStatus(), want, got)
	}
	return got
}

func (s *scene) cancel(r *pb.PayRequest, want pb.Payment_Status) *pb.Payment {
	s.t.Helper()
	got, err := s.pay.CancelPayment(s.context(), &pb.CancelPaymentRequest{Purchase: r.GetPurchase(), AttemptId: r.GetAttemptId()})
	if err != nil {
		s.t.Fatalf("CancelPayment: %v", err)
	}
	if got.GetStatus() != want {
		s.t.Fatalf("CancelPayment: %s, want %s: %v", got.GetStatus(), want, got)
	}
	return got
}

// text reads one value of the database as text; "" for null.
func (s *scene) text(query string, args ...any) string {
	s.t.Helper()
	var v *string
	if err := s.owner.QueryRow(s.t.Context(), query, args...).Scan(&v); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	if v == nil {
		return ""
	}
	return *v
}

func (s *scene) exec(query string, args ...any) {
	s.t.Helper()
	if _, err := s.owner.Exec(s.t.Context(), query, args...); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// await waits until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(forBusy)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func wantError(t *testing.T, what string, err error, code codes.Code, reason string) {
	t.Helper()
	if e := apperr.Of(err); e == nil || e.Code != code || e.Reason != reason {
		t.Errorf("%s: %v, want %s %s", what, err, code, reason)
	}
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

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
