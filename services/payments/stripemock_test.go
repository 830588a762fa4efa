package payments_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pb "makegood.example/proto/gen/payments/v1"
)

const stripeMock = "github.com/stripe/stripe-mock@v0.203.0"

// Stripe's own mock knows the shape of every request. It must accept all that
// Payments sends, in every scene in which it sends something of its own.
func TestStripeMockAcceptsEveryRequest(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	p := s.purchase("jane@example.com")
	p.AccountId = "acct-7"
	paid := s.request(p, "pm_card_visa")
	charge := s.paid(paid, pb.Payment_SUCCEEDED)
	s.refunded(wish(charge, 5000), pb.Refund_SUCCEEDED)
	s.disputed(charge)
	s.delivered(s.event("charge.dispute.created"), "PROCESSED")
	declined := s.request(s.purchase("joe@example.com"), "pm_card_chargeDeclined")
	s.paid(declined, pb.Payment_REQUIRES_PAYMENT_METHOD)
	s.cancel(declined, pb.Payment_CANCELED)
	nameless := s.purchase("jim@example.com")
	nameless.Name, nameless.Description = "", ""
	s.paid(s.request(nameless, ""), pb.Payment_REQUIRES_PAYMENT_METHOD)
	s.loseRecords(`DELETE FROM payments.customers`)
	s.look(p, pb.Payment_SUCCEEDED)

	mock := startStripeMock(t)
	var shapes []string
	for _, r := range s.asked() {
		shapes = append(shapes, r.String())
		if status, body := r.replay(t, mock); status >= http.StatusBadRequest {
			t.Errorf("%s %v: %d %s", r, r.form, status, body)
		}
	}
	slices.Sort(shapes)
	want := []string{
		"GET /v1/charges/*", "GET /v1/customers", "GET /v1/disputes", "GET /v1/payment_intents", "GET /v1/payment_intents/*", "GET /v1/refunds",
		"POST /v1/customers", "POST /v1/payment_intents", "POST /v1/payment_intents/*/cancel", "POST /v1/payment_intents/*/confirm", "POST /v1/refunds",
	}
	if got := slices.Compact(shapes); !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
	// It does look: what Stripe does not know is refused.
	wrong := stripeRequest{method: http.MethodPost, path: "/v1/payment_intents", form: url.Values{"amount": {"much"}, "currency": {"usd"}}}
	if status, body := wrong.replay(t, mock); status != http.StatusBadRequest {
		t.Errorf("an amount that is no number: %d %s", status, body)
	}
	wrong.form = url.Values{"amount": {"1"}, "currency": {"usd"}, "colour": {"red"}}
	if status, body := wrong.replay(t, mock); status != http.StatusBadRequest {
		t.Errorf("an unknown parameter: %d %s", status, body)
	}
}

// replay sends the request again, somewhere else.
func (r stripeRequest) replay(t *testing.T, base string) (status int, body string) {
	t.Helper()
	target, sent := base+r.path, strings.NewReader("")
	if r.method == http.MethodGet {
		target += "?" + r.form.Encode()
	} else {
		sent = strings.NewReader(r.form.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, target, sent)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer sk_test_123")
	if r.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Idempotency-Key", r.key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// startStripeMock runs stripe-mock until the test ends and returns its address.
func startStripeMock(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(installed(t, stripeMock), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: its error says only that
	})
	address := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, addr, ok := strings.Cut(lines.Text(), "Listening for HTTP at address: "); ok {
				address <- "http://" + addr
			}
		}
		close(address)
	}()
	select {
	case addr := <-address:
		if addr != "" {
			return addr
		}
	case <-time.After(time.Minute):
	}
	t.Fatal("stripe-mock does not serve")
	return ""
}

// installed builds a program once per machine, into the user's cache.
func installed(t *testing.T, program string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	module, version, _ := strings.Cut(program, "@")
	dir, name := filepath.Join(cache, "makegood", "tools"), filepath.Base(module)
	path := filepath.Join(dir, name+"-"+version)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	build, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(build)
	cmd := exec.CommandContext(t.Context(), "go", "install", program)
	cmd.Dir = build // outside of any module
	cmd.Env = append(os.Environ(), "GOBIN="+build, "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("go install %s: %w\n%s", program, err, out))
	}
	if err := os.Rename(filepath.Join(build, name), path); err != nil { // whole, even when two build at once
		t.Fatal(err)
	}
	return path
}
