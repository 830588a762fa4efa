package notifications_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/notifications"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/pgtest"
	"makegood.example/services/platform/process"
)

func TestMain(m *testing.M) {
	// These tests wait more than they compute; -parallel still has the last word.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	pgtest.Main(m, notifications.Schema)
}

// peers plays Orders, Payments, Provisioning and Reconciliation.
type peers struct {
	ordersv1.UnimplementedOrdersAdminServiceServer
	paymentsv1.UnimplementedPaymentsAdminServiceServer
	reconciliationv1.UnimplementedReconciliationServiceServer

	mu                 sync.Mutex
	order              *ordersv1.DescribeOrderResponse
	link               *provisioningv1.CreateSignInLinkResponse
	refunds            []*paymentsv1.Refund
	ordersDown         bool
	paymentsDown       bool
	reconciliationDown bool
	described          int
	held               chan struct{} // describing orders waits for its end, when it is set
	waiting            int
	runs               []*reconciliationv1.Run
	integrity          *reconciliationv1.IntegrityReport
	asked              *reconciliationv1.GetIntegrityReportRequest
	caseCalls          int
	cases              []*reconciliationv1.OpenCaseRequest
}

func (p *peers) set(change func(*peers)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *peers) DescribeOrder(ctx context.Context, req *ordersv1.DescribeOrderRequest) (*ordersv1.DescribeOrderResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held := p.held; held != nil {
		p.waiting++
		p.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
		}
		p.mu.Lock()
	}
	p.described++
	if p.ordersDown {
		return nil, status.Error(codes.Unavailable, "down")
	}
	return p.order, nil
}

func (p *peers) ListRefunds(context.Context, *paymentsv1.ListRefundsRequest) (*paymentsv1.ListRefundsResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paymentsDown {
		return nil, status.Error(codes.Unavailable, "down")
	}
	return &paymentsv1.ListRefundsResponse{Refunds: p.refunds}, nil
}

// provisioning has a method of Orders' name.
type provisioning struct {
	provisioningv1.UnimplementedProvisioningServiceServer
	*peers
}

func (p provisioning) CreateSignInLink(context.Context, *provisioningv1.CreateSignInLinkRequest) (*provisioningv1.CreateSignInLinkResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link, nil
}

func (p *peers) ListRuns(context.Context, *reconciliationv1.ListRunsRequest) (*reconciliationv1.ListRunsResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reconciliationDown {
		return nil, status.Error(codes.Unavailable, "down")
	}
	return &reconciliationv1.ListRunsResponse{Runs: p.runs}, nil
}

func (p *peers) GetIntegrityReport(_ context.Context, req *reconciliationv1.GetIntegrityReportRequest) (*reconciliationv1.IntegrityReport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reconciliationDown || p.integrity == nil {
		return nil, status.Error(codes.Unavailable, "down")
	}
	p.asked = req
	return p.integrity, nil
}

func (p *peers) OpenCase(_ context.Context, req *reconciliationv1.OpenCaseRequest) (*reconciliationv1.Case, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.caseCalls++
	if p.reconciliationDown {
		return nil, status.Error(codes.Unavailable, "down")
	}
	p.cases = append(p.cases, req)
	return &reconciliationv1.Case{Id: 1}, nil
}

// mailServer is a real SMTP server whose answers a test decides.
type mailServer struct {
	addr string
	mu   sync.Mutex
	got  []string // mails as received, including those it then refused to acknowledge
	rcpt func(to string) error
	data func(conn *smtp.Conn, n int) error // n counts mails from 1
}

func (s *mailServer) mails() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func (s *mailServer) answer(rcpt func(string) error, data func(*smtp.Conn, int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rcpt, s.data = rcpt, data
}

type session struct {
	server *mailServer
	conn   *smtp.Conn
}

func (*session) Reset()                               {}
func (*session) Logout() error                        { return nil }
func (*session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	answer := s.server.rcpt
	s.server.mu.Unlock()
	if answer != nil {
		return answer(to)
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	s.server.got = append(s.server.got, string(raw))
	n, answer := len(s.server.got), s.server.data
	s.server.mu.Unlock()
	if answer != nil {
		return answer(s.conn, n)
	}
	return nil
}

func startMail(t *testing.T) *mailServer {
	t.Helper()
	s := &mailServer{}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{server: s, conn: c}, nil }))
	server.Domain = "localhost"
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// world is a running service and everything around it.
type world struct {
	settings map[string]string // beside the usual ones, from the next start on
	t        *testing.T
	peers    *peers
	mail     *mailServer
	client   notificationsv1.NotificationsServiceClient
	owner    *pgxpool.Pool
	db       *pgtest.DB
	log      *syncBuffer
	stop     func()
	dialOwn  grpcclient.Dialer
	tokens   string       // path of the token file
	slackAPI string       // where Slack is
	later    atomic.Int64 // nanoseconds the clock is ahead
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const viewerToken = "a-viewer-of-tests"

// tokens are those of the people, by name.
var tokens = map[string]string{"jo": viewerToken, "sam": "a-supporter-of-tests"}

var orderID = uuid.MustParse("11111111-2222-4333-8444-555555555555")

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, db: pgtest.New(t), mail: startMail(t), log: &syncBuffer{}}
	w.owner = w.db.Owner(t)
	w.peers = &peers{
		order: &ordersv1.DescribeOrderResponse{
			Order: &ordersv1.Order{
				Id: orderID.String(), State: ordersv1.Order_COMPLETE, ReferenceShort: "A1B2C3D4", AmountMinor: 24900, Currency: "USD", AmountDisplay: "$249.00",
				PlanId: "annual", AccessUntil: timestamppb.New(time.Date(2027, 11, 21, 23, 30, 0, 0, time.UTC)),
			},
			Email: "jane@example.com", Name: "Jane Example", PlanName: "Annual plan",
		},
		link: &provisioningv1.CreateSignInLinkResponse{
			Kind: provisioningv1.CreateSignInLinkResponse_ACTIVATION, Url: "https://app.example.com/activate?token=abc&x=1",
			ExpiresAt: timestamppb.New(time.Date(2026, 11, 28, 9, 5, 0, 0, time.UTC)),
		},
	}
	w.tokens = filepath.Join(t.TempDir(), "tokens.json")
	file := fmt.Sprintf(`{"tokens": [{"actor": "jo", "role": "viewer", "sha256": "%x"}, {"actor": "sam", "role": "support", "sha256": "%x"}]}`,
		sha256.Sum256([]byte(tokens["jo"])), sha256.Sum256([]byte(tokens["sam"])))
	if err := os.WriteFile(w.tokens, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// config is what the service is told.
func (w *world) config(settings map[string]string) (notifications.Config, error) {
	return notifications.LoadConfig(func(key string) (string, bool) {
		if v, ok := settings[key]; ok {
			return v, true
		}
		v, ok := map[string]string{
			"ADMIN_TOKENS_FILE":          w.tokens,
			"NOTIFICATIONS_DATABASE_URL": w.db.URL("notifications"), "SMTP_URL": "smtp://" + w.mail.addr,
			"APP_NAME": "Example App", "APP_URL": "https://app.example.com", "SUPPORT_EMAIL": "help@example.com",
			"MAIL_FROM": "Example App <no-reply@mail.example.com>",
		}[key]
		return v, ok
	})
}

// refused is why settings are.
func (w *world) refused(settings map[string]string) error {
	_, err := w.config(settings)
	return err
}

// start runs the service; again after stop, on the same database.
func (w *world) start() {
	w.t.Helper()
	cfg, err := w.config(w.settings)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.slackAPI != "" {
		cfg.SlackAPI = w.slackAPI
	}
	around := bufconn.Listen(1 << 16)
	fakes := grpc.NewServer()
	ordersv1.RegisterOrdersAdminServiceServer(fakes, w.peers)
	paymentsv1.RegisterPaymentsAdminServiceServer(fakes, w.peers)
	provisioningv1.RegisterProvisioningServiceServer(fakes, provisioning{peers: w.peers})
	reconciliationv1.RegisterReconciliationServiceServer(fakes, w.peers)
	go func() { _ = fakes.Serve(around) }()

	own := bufconn.Listen(1 << 16)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- notifications.Run(ctx, cfg, process.Runtime{
			Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: w.now, Listener: own,
			Dial: func(ctx context.Context, _ string) (net.Conn, error) { return around.DialContext(ctx) },
		})
	}()
	conn, err := grpcclient.Dial("notifications", "orders", func(ctx context.Context, _ string) (net.Conn, error) { return own.DialContext(ctx) })
	if err != nil {
		w.t.Fatal(err)
	}
	w.dialOwn = func(ctx context.Context, _ string) (net.Conn, error) { return own.DialContext(ctx) }
	w.client = notificationsv1.NewNotificationsServiceClient(conn)
	w.stop = sync.OnceFunc(func() {
		conn.Close()
		cancel()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) {
				w.t.Errorf("Run: %v", err)
			}
		case <-time.After(12 * time.Second):
			w.t.Error("Run did not end")
		}
		fakes.Stop()
	})
}

func (w *world) send(key string, kind notificationsv1.Message_Kind) *notificationsv1.Message {
	w.t.Helper()
	m, err := w.client.SendMessage(w.t.Context(), &notificationsv1.SendMessageRequest{DedupeKey: key, Kind: kind, OrderId: orderID.String()}, grpc.WaitForReady(true))
	if err != nil {
		w.t.Fatalf("SendMessage: %v", err)
	}
	return m
}

type row struct {
	State     string
	Attempts  int
	LastError string
	SentAt    *time.Time
	Recipient *string
}

func (w *world) row(key string) (r row) {
	w.t.Helper()
	err := w.owner.QueryRow(w.t.Context(), `SELECT state, attempt_count, last_error, sent_at, recipient FROM notifications.messages WHERE dedupe_key = $1`, key).
		Scan(&r.State, &r.Attempts, &r.LastError, &r.SentAt, &r.Recipient)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// until waits for a condition, at most a minute: it takes that long only when it is broken.
func (w *world) until(what string, cond func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited too long for: %s\n%s", what, w.log.String())
		}
	}
}

func (w *world) untilState(key, state string) row {
	w.t.Helper()
	w.until(key+" to be "+state, func() bool { return w.row(key).State == state })
	return w.row(key)
}

func (w *world) now() time.Time { return time.Now().UTC().Add(time.Duration(w.later.Load())) }

// hurry makes the next attempt due now, as time would.
func (w *world) hurry() {
	w.t.Helper()
	w.until("the attempt to end", func() bool {
		tag, err := w.owner.Exec(w.t.Context(), `UPDATE notifications.river_job SET state = 'available', scheduled_at = now() WHERE state IN ('retryable', 'scheduled', 'available')`)
		if err != nil {
			w.t.Fatal(err)
		}
		return tag.RowsAffected() > 0
	})
}
