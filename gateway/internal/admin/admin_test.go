package admin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"makegood.example/gateway/internal/admin"
	"makegood.example/gateway/internal/edge"
	"makegood.example/gateway/internal/peertest"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/grpcclient"
)

const (
	token   = "support-token-of-the-test"
	orderID = "5f0c1c1e-7d8e-4c7b-9d7e-0d8a5a6f1111"
)

func start(t *testing.T) string {
	t.Helper()
	sum := sha256.Sum256([]byte(token))
	file := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"tokens":[{"actor":"sam","role":"admin","sha256":%q}]}`, hex.EncodeToString(sum[:])), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := access.LoadTokens(time.Now, file)
	if err != nil {
		t.Fatal(err)
	}
	network := peertest.Start(t, &peertest.Peers{}, tokens)
	dial := func(name string) *grpc.ClientConn {
		conn, err := grpcclient.Dial(name, "gateway", network.Dial)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	handler, err := admin.New(admin.Config{Now: time.Now, Log: slog.New(slog.DiscardHandler), Peers: edge.Peers{
		Orders: dial(peertest.Orders), Payments: dial(peertest.Payments), Provisioning: dial(peertest.Provisioning),
		Notifications: dial(peertest.Notifications), Reconciliation: dial(peertest.Reconciliation),
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func do(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestAPersonWithARoleReachesTheAdminServices(t *testing.T) {
	url := start(t)
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/admin/v1/charging", `{"paused":true,"reason":"card testing"}`, `sam`},
		{"GET", "/admin/v1/orders/" + orderID + "/messages", "", `"messages"`},
		{"POST", "/admin/v1/reconciliation/runs", `{}`, `SUCCEEDED`},
		{"GET", "/admin/v1/reconciliation/runs?page_size=42", "", `"42"`},
		{"GET", "/admin/v1/charges/ch_42", "", `"ch_42"`},
		{"GET", "/admin/v1/integrity?from=2026-01-01T00:00:00Z&before=2026-01-02T00:00:00Z", "", `"2026-01-02T00:00:00Z"`},
		{"GET", "/admin/v1/webhook-events?status=ORPHANED&min_attempts=4&customer_id=cus_42", "", `"cus_42"`},
		{"POST", "/admin/v1/webhook-events/evt_42:link", `{"order_id":"` + orderID + `","reason":"they said so"}`, `they said so`},
		{"POST", "/admin/v1/cases/42:claim", `{"note":"mine"}`, `"claimed_by":"sam"`},
		{"POST", "/admin/v1/webhook-events/evt_42:replay", `{}`, `"evt_42"`},
		{"POST", "/admin/v1/webhook-events/evt_42:ignore", `{"reason":"a test of theirs"}`, `a test of theirs`},
	} {
		if status, body := do(t, c.method, url+c.path, c.body, "Authorization", "Bearer "+token); status != 200 || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
		for _, headers := range [][]string{nil, {"Authorization", "Bearer guessed"}, {"Grpc-Metadata-Makegood-Caller", "payments"}} {
			if status, body := do(t, c.method, url+c.path, c.body, headers...); status != 401 {
				t.Errorf("%s %s with %q: %d %s", c.method, c.path, headers, status, body)
			}
		}
	}
}

// What can be done here is told to people with a role, and to their programs.
func TestTheContractIsForThoseWhoAreSignedIn(t *testing.T) {
	url := start(t)
	for path, has := range map[string]string{"/docs": "<code>/admin/v1/cases</code>", "/openapi.json": `"/admin/v1/cases"`} {
		if status, body := do(t, "GET", url+path, "", "Authorization", "Bearer "+token); status != 200 || !strings.Contains(body, has) {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for _, headers := range [][]string{nil, {"Authorization", "Bearer guessed"}, {"Cookie", "makegood=guessed"}} {
			if _, body := do(t, "GET", url+path, "", headers...); strings.Contains(body, "/admin/v1/") || !strings.Contains(body, "Sign in") {
				t.Errorf("%s with %q: %s", path, headers, body)
			}
		}
		// No token, and nothing that a call could carry: nobody says that it is refused.
		if status, body := do(t, "GET", url+path, "", "Authorization", "Bearer guess\xc3ed"); status != 503 || strings.Contains(body, "/admin/v1/") {
			t.Errorf("%s with what is no text: %d %s", path, status, body)
		}
	}
}

func TestTheBuyersCallsAreNotHere(t *testing.T) {
	url := start(t)
	for _, path := range []string{"/v1/orders", "/webhooks/stripe"} {
		if status, body := do(t, "POST", url+path, "{}", "Authorization", "Bearer "+token); status != 404 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := do(t, "GET", url+"/openapi.json", "", "Authorization", "Bearer "+token); status != 200 || strings.Contains(body, `"/v1/orders"`) || !strings.Contains(body, `"/admin/v1/cases"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := do(t, "GET", url+"/healthz", ""); status != 200 {
		t.Errorf("healthz: %d", status)
	}
}
