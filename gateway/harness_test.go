package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"makegood.example/gateway"
	"makegood.example/gateway/internal/peertest"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/process"
)

const (
	reference    = "5f0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f1111"
	serviceToken = "service-token-of-the-test"
	supportToken = "support-token-of-the-test"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// running is a gateway with its peers.
type running struct {
	url   string
	peers *peertest.Peers
	net   *peertest.Network
	log   *lockedBuffer
	stop  context.CancelFunc
	ended chan error
}

// start runs the gateway as main does, on a free port, with peers in memory. It
// is noon there, all the time, and the test runs beside others.
func start(t *testing.T, env map[string]string) *running {
	t.Helper()
	t.Parallel()
	return startAt(t, env, func() time.Time { return noon })
}

func startAt(t *testing.T, env map[string]string, now func() time.Time) *running {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens.json")
	tokens := fmt.Sprintf(`{"tokens":[{"actor":"app","role":"service","sha256":%q},{"actor":"sam","role":"support","sha256":%q}]}`,
		hash(serviceToken), hash(supportToken))
	if err := os.WriteFile(file, []byte(tokens), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := access.LoadTokens(time.Now, file)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{peers: &peertest.Peers{}, log: &lockedBuffer{}, ended: make(chan error, 1)}
	r.net = peertest.Start(t, r.peers, loaded)

	settings := map[string]string{
		"ORDERS_GRPC_ADDR": peertest.Orders, "PAYMENTS_GRPC_ADDR": peertest.Payments,
		"PROVISIONING_GRPC_ADDR": peertest.Provisioning, "NOTIFICATIONS_GRPC_ADDR": peertest.Notifications,
		"RECONCILIATION_GRPC_ADDR": peertest.Reconciliation,
		"ADMIN_ADDR":               "127.0.0.1:0",
		"STRIPE_PUBLISHABLE_KEY":   "pk_test_example", "APP_NAME": "Acme", "APP_URL": "https://app.example.com/",
	}
	for k, v := range env {
		settings[k] = v
	}
	cfg, err := gateway.LoadConfig(func(key string) (string, bool) { v, ok := settings[key]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	rt := process.Runtime{
		Log: slog.New(slog.NewJSONHandler(r.log, nil)), Now: now,
		Listener: listener, Dial: r.net.Dial,
	}
	go func() { r.ended <- gateway.Run(ctx, cfg, rt) }()
	t.Cleanup(func() {
		stop()
		if err, open := <-r.ended; open && err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// answer is one HTTP response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (r *running) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	return r.send(t, method, path, strings.NewReader(body), headers...)
}

func (r *running) send(t *testing.T, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// place sends the ordinary purchase.
func (r *running) place(t *testing.T, headers ...string) answer {
	t.Helper()
	return r.do(t, http.MethodPost, "/v1/orders", `{"plan_id":"annual","email":"jane@example.com","payment_method":"pm_card_visa"}`,
		append([]string{"Content-Type", "application/json", "Idempotency-Key", reference}, headers...)...)
}

// problem is the error body of the contract.
type problem struct {
	Code    int
	Message string
	Details []struct {
		Type            string `json:"@type"`
		Reason, Domain  string
		Metadata        map[string]string
		FieldViolations []struct{ Field, Description string } `json:"field_violations"`
	}
}

// problem reads an error, which always begins with an ErrorInfo of ours.
func (a answer) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("status %d, not our error: %q", a.status, a.body)
	}
	if len(p.Details) == 0 || p.Details[0].Type != "type.googleapis.com/google.rpc.ErrorInfo" || p.Details[0].Domain != "makegood" {
		t.Fatalf("no ErrorInfo: %s", a.body)
	}
	if ct := a.header.Get("Content-Type"); ct != "application/json" {
		t.Fatalf("content type %q", ct)
	}
	return p
}

func (a answer) wants(t *testing.T, status int, reason string) problem {
	t.Helper()
	p := a.problem(t)
	if a.status != status || p.Details[0].Reason != reason {
		t.Fatalf("got %d %s, want %d %s: %s", a.status, p.Details[0].Reason, status, reason, a.body)
	}
	return p
}

// lockedBuffer collects the log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
