package app_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"makegood.example/deploy/inbox/app"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
)

const token = "AAAABBBBCCCCDDDDEEEEFFFF22"

// provisioning plays Provisioning: one open link, one service token.
type provisioning struct {
	provisioningv1.UnimplementedProvisioningServiceServer
	mu    sync.Mutex
	spent bool
	down  bool
}

func (p *provisioning) RedeemActivation(ctx context.Context, req *provisioningv1.RedeemActivationRequest) (*provisioningv1.RedeemActivationResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	switch auth := md.Get("authorization"); {
	case p.down:
		return nil, status.Error(codes.Unavailable, "down")
	case len(auth) != 1 || auth[0] != "Bearer mg_service_example":
		return nil, status.Error(codes.Unauthenticated, "this token is unknown or has expired")
	case req.GetToken() != token || p.spent:
		return nil, status.Error(codes.NotFound, "this activation link is not valid any more")
	}
	p.spent = true
	return &provisioningv1.RedeemActivationResponse{AccountId: "account-7", Email: "jane@example.com", Name: "Jane <Example>"}, nil
}

func open(t *testing.T, credential string) (*provisioning, *httptest.Server) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fake, server := &provisioning{}, grpc.NewServer()
	provisioningv1.RegisterProvisioningServiceServer(server, fake)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	cfg := app.Config{ProvisioningAddr: listener.Addr().String() + ", 127.0.0.1:1", Name: "Acme"}
	if credential != "" {
		cfg.TokenFile = filepath.Join(t.TempDir(), "service.token")
		if err := os.WriteFile(cfg.TokenFile, []byte(credential+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := app.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	mux := http.NewServeMux()
	a.Register(mux)
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return fake, site
}

func read(t *testing.T, response *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func get(t *testing.T, site *httptest.Server, path string) (int, string) {
	t.Helper()
	response, err := http.Get(site.URL + path)
	return read(t, response, err)
}

func press(t *testing.T, site *httptest.Server, token string) (int, string) {
	t.Helper()
	response, err := http.PostForm(site.URL+"/app/activate", url.Values{"token": {token}})
	return read(t, response, err)
}

func TestALinkWorksOnceAndOnlyByTheButton(t *testing.T) {
	fake, site := open(t, "mg_service_example")
	for range 2 { // a mail scanner, then the buyer
		code, body := get(t, site, "/app/activate?token="+token)
		if code != 200 || !strings.Contains(body, `value="`+token+`"`) || !strings.Contains(body, `method="post" action="/app/activate"`) || fake.spent {
			t.Fatalf("%d, spent %v\n%s", code, fake.spent, body)
		}
	}
	code, body := press(t, site, token)
	if code != 200 || !strings.Contains(body, "account-7") || !strings.Contains(body, "jane@example.com") || !strings.Contains(body, "Jane &lt;Example&gt;") || !fake.spent {
		t.Errorf("%d\n%s", code, body)
	}
	for _, again := range []string{token, "anything else"} {
		if code, body = press(t, site, again); code != 404 || !strings.Contains(body, "spent or expired") || strings.Contains(body, "account-7") {
			t.Errorf("%d\n%s", code, body)
		}
	}
}

func TestWhatWentWrongIsSaidTruthfully(t *testing.T) {
	fake, site := open(t, "mg_service_example")
	fake.down = true
	if code, body := press(t, site, token); code != 503 || !strings.Contains(body, "did not answer") {
		t.Errorf("down: %d\n%s", code, body)
	}
	if code, _ := get(t, site, "/app/activate"); code != 400 {
		t.Errorf("no token: %d", code)
	}
	for credential, want := range map[string]string{"": "INBOX_SERVICE_TOKEN_FILE", "wrong": "this token is unknown or has expired"} {
		fake, site := open(t, credential)
		if code, body := press(t, site, token); code != 502 || !strings.Contains(body, want) || !strings.Contains(body, "not about the link") || fake.spent {
			t.Errorf("credential %q: %d\n%s", credential, code, body)
		}
	}
}

func TestTheRestOfTheAppSaysWhatItStandsFor(t *testing.T) {
	_, site := open(t, "")
	for path, want := range map[string]string{"/app": "APP_URL", "/app/": "APP_URL", "/app/login": "LOGIN_URL"} {
		if code, body := get(t, site, path); code != 200 || !strings.Contains(body, want) || !strings.Contains(body, `<a href="/">inbox</a>`) {
			t.Errorf("%s: %d\n%s", path, code, body)
		}
	}
	if code, _ := get(t, site, "/app/else"); code != 404 {
		t.Errorf("unknown page: %d", code)
	}
}
