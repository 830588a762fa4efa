package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
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

// night is when somebody is woken.
var night = time.Date(2026, 11, 21, 2, 14, 0, 0, time.UTC)

// The tokens of the people of the tests are their role and this.
const tokenTail = "-token-of-the-test"

// readTimeout is how long a request may take to arrive; answers may take longer.
const readTimeout = 2 * time.Second

// desk is the admin listener with scripted peers behind it.
type desk struct {
	url    string
	peers  *peertest.Peers
	net    *peertest.Network
	tokens string
	log    *strings.Builder
}

func start(t *testing.T) *desk {
	t.Helper()
	t.Parallel()
	d := &desk{peers: &peertest.Peers{}, tokens: filepath.Join(t.TempDir(), "tokens.json"), log: &strings.Builder{}}
	d.people(t, "viewer", "support", "admin", "service")
	tokens, err := access.LoadTokens(time.Now, d.tokens)
	if err != nil {
		t.Fatal(err)
	}
	d.net = peertest.Start(t, d.peers, tokens)
	dial := func(name string) *grpc.ClientConn {
		conn, err := grpcclient.Dial(name, "gateway", d.net.Dial)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	handler, err := admin.New(admin.Config{
		Log: slog.New(slog.DiscardHandler), AppName: "Acme", Now: func() time.Time { return night },
		Peers: edge.Peers{
			Orders: dial(peertest.Orders), Payments: dial(peertest.Payments), Provisioning: dial(peertest.Provisioning),
			Notifications: dial(peertest.Notifications), Reconciliation: dial(peertest.Reconciliation),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout = readTimeout // as the edge's own server has one
	server.Start()
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// people writes the token file: one person for each role.
func (d *desk) people(t *testing.T, roles ...string) {
	t.Helper()
	var entries []string
	names := map[string]string{"viewer": "vic", "support": "sam", "admin": "ada", "service": "app"}
	for _, role := range roles {
		sum := sha256.Sum256([]byte(role + tokenTail))
		entries = append(entries, fmt.Sprintf(`{"actor":%q,"role":%q,"sha256":%q}`, names[role], role, hex.EncodeToString(sum[:])))
	}
	if err := os.WriteFile(d.tokens, []byte(`{"tokens":[`+strings.Join(entries, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
}

// person is somebody with a browser's cookies and no scripts.
type person struct {
	desk *desk
	http *http.Client
}

// somebody has not signed in yet.
func (d *desk) somebody(t *testing.T) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{d, &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

// as is somebody who has signed in with a role.
func (d *desk) as(t *testing.T, role string) *person {
	t.Helper()
	p := d.somebody(t)
	if a := p.post(t, "/sign-in", url.Values{"token": {role + tokenTail}}); a.status != 200 || a.path != "/" {
		t.Fatalf("signing in as %s: %d %s", role, a.status, a.body)
	}
	return p
}

// answer is what a page was in the end, after redirects.
type answer struct {
	status int
	path   string
	header http.Header
	body   string
}

func (p *person) get(t *testing.T, path string, headers ...string) answer {
	t.Helper()
	return p.send(t, http.MethodGet, path, nil, headers...)
}

func (p *person) post(t *testing.T, path string, form url.Values, headers ...string) answer {
	t.Helper()
	return p.send(t, http.MethodPost, path, form, headers...)
}

func (p *person) send(t *testing.T, method, path string, form url.Values, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.desk.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", p.desk.url)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Request.URL.RequestURI(), resp.Header, string(b)}
}

// says looks for words in a page.
func (a answer) says(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(a.body, w) {
			t.Errorf("%s (%d): %q is missing:\n%s", a.path, a.status, w, a.body)
		}
	}
}

// hides looks for words that a page must not have.
func (a answer) hides(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(a.body, w) {
			t.Errorf("%s (%d): %q must not be there:\n%s", a.path, a.status, w, a.body)
		}
	}
}

// awaitRevoked waits until the services have read the token file again.
func (d *desk) awaitRevoked(t *testing.T, p *person) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		a := p.get(t, "/")
		if a.path == "/sign-in?why=ended" {
			a.says(t, "expired or was revoked")
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still in: %d %s", a.status, a.path)
		}
	}
}
