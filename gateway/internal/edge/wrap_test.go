package edge

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

func TestAPanicIsAnAnswer(t *testing.T) {
	var log bytes.Buffer
	handler := Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("of the heart") }), slog.New(slog.NewJSONHandler(&log, nil)), nil, nil)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/v1/plans", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"INTERNAL"`) || strings.Contains(w.Body.String(), "heart") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "of the heart") || !strings.Contains(log.String(), `"status":500`) {
		t.Errorf("log: %s", log.String())
	}
}

func TestTheClientsAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, c := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"198.51.100.7:5000", nil, "198.51.100.7"},
		{"198.51.100.7:5000", []string{"6.6.6.6"}, "198.51.100.7"},
		{"10.0.0.1:5000", []string{"6.6.6.6, 203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:5000", []string{"6.6.6.6", "203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"10.0.0.1:5000", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		{"10.0.0.1:5000", nil, "10.0.0.1"},
		{"[::1]:5000", []string{"2001:db8::9"}, "2001:db8::9"},
		{"[::ffff:10.0.0.1]:5000", []string{"203.0.113.9"}, "203.0.113.9"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := clientIP(r, trusted); got.String() != c.want {
			t.Errorf("%s %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestAProxyThatIsNotTrustedIsToldOnce(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		remote, forwarded string
		warnings          int
	}{
		{"198.51.100.7:5000", "203.0.113.9", 1},
		{"198.51.100.7:5000", "", 0},
		{"10.0.0.1:5000", "203.0.113.9", 0},
		{"[::ffff:10.0.0.1]:5000", "203.0.113.9", 0},
	} {
		var log bytes.Buffer
		handler := Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), slog.New(slog.NewTextHandler(&log, nil)), nil, trusted)
		for range 3 {
			r := httptest.NewRequest("GET", "/v1/plans", nil)
			r.RemoteAddr = c.remote
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
		if n := strings.Count(log.String(), "TRUSTED_PROXIES"); n != c.warnings || strings.Contains(log.String(), "203.0.113.9") {
			t.Errorf("%s for %q: %d warnings\n%s", c.remote, c.forwarded, n, log.String())
		}
	}
}

// Also a request that would not end is over when Serve returns.
func TestNothingRunsOnAfterServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began, over := make(chan struct{}), false
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-UntilServerStops(r.Context()).Done()
		over = true
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, "test", listener, handler, slog.New(slog.DiscardHandler), limits{drain: 50 * time.Millisecond})
	}()
	go func() {
		if resp, err := http.Get("http://" + listener.Addr().String()); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-began
	stop()
	if err := <-ended; err != nil || !over {
		t.Errorf("error %v, over %v", err, over)
	}
}

// What has no reason was written by a library, for us.
func TestALibrarysWordsStayHere(t *testing.T) {
	for code, want := range map[codes.Code]int{
		codes.ResourceExhausted: http.StatusTooManyRequests, codes.Unimplemented: http.StatusNotImplemented, codes.Unavailable: http.StatusServiceUnavailable, codes.Internal: http.StatusInternalServerError,
	} {
		httpStatus, e := classify(apperr.New(code, "", "dial tcp 10.0.0.7:9101: password=hunter2"))
		if httpStatus != want || strings.Contains(e.Message, "hunter2") || e.Reason == "" {
			t.Errorf("%s: %d %v", code, httpStatus, e)
		}
	}
}
