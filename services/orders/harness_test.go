package orders_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/orders"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/due"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/platform/process"
)

func TestMain(m *testing.M) {
	// These tests wait more than they compute; -parallel still has the last word.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	pgtest.Main(m, orders.Schema)
}

// scene is a database, a clock and the four peers, for instances of Orders to
// share.
type scene struct {
	t     *testing.T
	db    *pgtest.DB
	owner *pgxpool.Pool
	clock *clock
	peers *peers
	env   map[string]string
	// orders speaks to the first instance as the gateway does.
	orders ordersv1.OrdersServiceClient
	dial   grpcclient.Dialer
	stop   func()
	// pulse is set when looks are by hand.
	pulse *due.Pulse
}

// The looks are off unless a test turns them on: then only the calls of the
// test move an order.
const looksOn = "RESCUE_AFTER=30s"

// newScene starts one instance; settings are KEY=value.
func newScene(t *testing.T, settings ...string) *scene {
	t.Helper()
	t.Parallel()
	s := &scene{t: t, db: pgtest.New(t), clock: &clock{now: time.Now().UTC().Truncate(time.Minute)}}
	s.owner = s.db.Owner(t)
	s.peers = startPeers(t, s.clock)
	s.env = map[string]string{
		"ORDERS_DATABASE_URL": s.db.URL("orders"), "RESCUE_AFTER": "off", "ADMIN_TOKENS_FILE": tokensFile(t),
		"PAYMENTS_GRPC_ADDR": s.peers.addr, "PROVISIONING_GRPC_ADDR": s.peers.addr,
		"NOTIFICATIONS_GRPC_ADDR": s.peers.addr, "RECONCILIATION_GRPC_ADDR": s.peers.addr,
	}
	for _, setting := range settings {
		if setting == byHand {
			s.pulse = &due.Pulse{}
			continue
		}
		key, value, _ := strings.Cut(setting, "=")
		s.env[key] = value
	}
	s.start()
	return s
}

// byHand has due rows looked at only when beat is called, so that a test knows when
// a look has ended, before it moves the clock again.
const byHand = "by hand"

// beat has everything that is due looked at, to the end.
func (s *scene) beat() {
	s.t.Helper()
	await(s.t, "somebody to look", func() bool { return s.pulse.Works() > 0 })
	if _, err := s.pulse.Beat(); err != nil {
		s.t.Fatal(err)
	}
}

// start runs an instance as its main does; another one when one runs already.
func (s *scene) start() {
	s.t.Helper()
	s.dial, s.stop = s.instance(1)
	s.orders = ordersv1.NewOrdersServiceClient(s.conn("gateway"))
}

// restart ends the instance and starts it again.
func (s *scene) restart(settings ...string) {
	s.t.Helper()
	s.stop()
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		s.env[key] = value
	}
	s.start()
}

// instance runs one more Orders on the same database.
func (s *scene) instance(number int) (grpcclient.Dialer, func()) {
	s.t.Helper()
	env := map[string]string{"ORDERS_GRPC_LISTEN": fmt.Sprintf("127.0.0.1:%d", number)} // names it; it listens in memory
	for k, v := range s.env {
		env[k] = v
	}
	cfg, err := orders.LoadConfig(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
	if err != nil {
		s.t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	if s.pulse != nil {
		ctx = due.WithPulse(ctx, s.pulse)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- orders.Run(ctx, cfg, process.Runtime{Log: slog.New(slog.DiscardHandler), Now: s.clock.Now, Listener: listener})
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) { // which may be all that a start was
			s.t.Errorf("Run: %v", err)
		}
	})
	s.t.Cleanup(stop)
	return func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }, stop
}

// serving waits until an instance serves.
func (s *scene) serving(dial grpcclient.Dialer, _ func()) {
	s.t.Helper()
	conn, err := grpcclient.Dial("orders", "gateway", dial)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	await(s.t, "the instance serves", func() bool {
		_, err := ordersv1.NewOrdersServiceClient(conn).ListPlans(s.t.Context(), &ordersv1.ListPlansRequest{})
		return err == nil
	})
}

func (s *scene) conn(caller string) grpc.ClientConnInterface {
	s.t.Helper()
	conn, err := grpcclient.Dial("orders", caller, s.dial)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return patient{conn}
}

// patient gives a test's calls far more time than callers have: how busy the machine is
// decides nothing here.
type patient struct{ *grpc.ClientConn }

func (p patient) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	return p.ClientConn.Invoke(ctx, method, args, reply, opts...)
}

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// admin speaks to the other services' side of Orders, as a service or, with
// asPerson in the context, as a person.
func (s *scene) admin(caller string) ordersv1.OrdersAdminServiceClient {
	return ordersv1.NewOrdersAdminServiceClient(s.conn(caller))
}

// The roles of the people in tokensFile; a role is also the text of its token.
var roles = map[string]string{"viewer": "vera", "support": "sam", "admin": "ada", "service": "shop"}

func tokensFile(t *testing.T) string {
	t.Helper()
	var tokens []map[string]string
	for role, actor := range roles {
		sum := sha256.Sum256([]byte(role))
		tokens = append(tokens, map[string]string{"actor": actor, "role": role, "sha256": hex.EncodeToString(sum[:])})
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

func asPerson(ctx context.Context, role string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+role)
}

// purchase is what a test buys; the zero value of each field is a default.
type purchase struct {
	key     string // the Idempotency-Key; a new one when empty
	email   string
	card    string
	ip      string
	client  bool // the browser confirms
	repeat  bool
	request *ordersv1.PlaceOrderRequest // instead of all but key and ip
}

func (s *scene) place(p purchase) (*ordersv1.Order, error) {
	return s.placeAs(s.t.Context(), p)
}

func (s *scene) placeAs(ctx context.Context, p purchase) (*ordersv1.Order, error) {
	if p.key == "" {
		p.key = uuid.NewString()
	}
	req := p.request
	if req == nil {
		req = &ordersv1.PlaceOrderRequest{PlanId: "annual", Email: p.email, Name: "Jane Doe", PaymentMethod: p.card, AllowRepeat: p.repeat}
		if req.Email == "" {
			req.Email = "jane@example.com"
		}
		if req.PaymentMethod == "" && !p.client {
			req.PaymentMethod = "pm_card_visa"
		}
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "idempotency-key", p.key)
	if p.ip != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "makegood-client-ip", p.ip)
	}
	return s.orders.PlaceOrder(ctx, req)
}

// mustPlace fails the test unless the order is placed and in the given state.
func (s *scene) mustPlace(p purchase, want ordersv1.Order_State) *ordersv1.Order {
	s.t.Helper()
	o, err := s.place(p)
	if err != nil {
		s.t.Fatalf("place: %v", err)
	}
	if o.GetState() != want {
		s.t.Fatalf("the order is %s, want %s", o.GetState(), want)
	}
	return o
}

func (s *scene) pay(o *ordersv1.Order, attempt, card string) (*ordersv1.Order, error) {
	return s.orders.PayOrder(s.t.Context(), &ordersv1.PayOrderRequest{Reference: o.GetReference(), AttemptId: attempt, PaymentMethod: card})
}

func (s *scene) get(o *ordersv1.Order) *ordersv1.Order {
	s.t.Helper()
	got, err := s.orders.GetOrder(s.t.Context(), &ordersv1.GetOrderRequest{Reference: o.GetReference()})
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

func (s *scene) describe(o *ordersv1.Order) *ordersv1.DescribeOrderResponse {
	s.t.Helper()
	got, err := s.admin("notifications").DescribeOrder(s.t.Context(), &ordersv1.DescribeOrderRequest{OrderId: o.GetId()})
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// history is every change of state as "FROM>TO reason actor".
func (s *scene) history(o *ordersv1.Order) []string {
	s.t.Helper()
	var out []string
	for _, h := range s.describe(o).GetHistory() {
		from := h.GetFromState().String()
		if h.GetFromState() == ordersv1.Order_STATE_UNSPECIFIED {
			from = ""
		}
		out = append(out, fmt.Sprintf("%s>%s %s %s", from, h.GetToState(), h.GetReason(), h.GetActor()))
	}
	return out
}

func (s *scene) wantHistory(o *ordersv1.Order, want ...string) {
	s.t.Helper()
	if got := s.history(o); strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("history:\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// news tells Orders what Payments has recorded, as its webhook does.
func (s *scene) news(o *ordersv1.Order, p *paymentsv1.Payment) (*ordersv1.Order, error) {
	r, err := s.admin("payments").AdvanceOrder(s.t.Context(), &ordersv1.AdvanceOrderRequest{
		OrderId: o.GetId(), Reason: ordersv1.AdvanceOrderRequest_WEBHOOK, Payment: p,
	})
	return r.GetOrder(), err
}

// advance looks at an order for a reason that its caller may give.
func (s *scene) advance(o *ordersv1.Order, caller string, reason ordersv1.AdvanceOrderRequest_Reason) (*ordersv1.Order, error) {
	r, err := s.admin(caller).AdvanceOrder(s.t.Context(), &ordersv1.AdvanceOrderRequest{OrderId: o.GetId(), Reason: reason})
	return r.GetOrder(), err
}

func (s *scene) count(query string, args ...any) int {
	s.t.Helper()
	var n int
	if err := s.owner.QueryRow(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *scene) exec(query string, args ...any) {
	s.t.Helper()
	if _, err := s.owner.Exec(s.t.Context(), query, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) awaitState(o *ordersv1.Order, want ordersv1.Order_State) *ordersv1.Order {
	s.t.Helper()
	var got *ordersv1.Order
	await(s.t, "the order is "+want.String(), func() bool {
		got = s.get(o)
		// At rest it will not become what it is not.
		if got.GetState() != want && got.GetNextAction().GetType() == ordersv1.NextAction_NONE {
			s.t.Fatalf("the order is %s, want %s", got.GetState(), want)
		}
		return got.GetState() == want
	})
	return got
}

// await waits until the condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
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

// wantInvalid wants INVALID_ARGUMENT about one field.
func wantInvalid(t *testing.T, what string, err error, field string) {
	t.Helper()
	wantError(t, what, err, codes.InvalidArgument, "INVALID_ARGUMENT")
	if e := apperr.Of(err); e != nil && (len(e.Violations) == 0 || e.Violations[0].Field != field) {
		t.Errorf("%s: violations %v, want one of %s", what, e.Violations, field)
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
