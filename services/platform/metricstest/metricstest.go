// Package metricstest reads what a process tells in its metrics, the way
// Prometheus does, and holds every reading to two rules: it parses, and no label
// says who anyone is.
package metricstest

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// patience is how long a process may take to serve, and a value to become so.
const patience = 20 * time.Second

// Addr is a socket of this test's own, for METRICS_ADDR.
func Addr(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "metrics") // t.TempDir may be longer than a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return "unix:" + filepath.Join(dir, "sock")
}

// Told is one exposition, by family.
type Told map[string]*dto.MetricFamily

// Scrape reads what is told at addr, host:port or unix:/path; it waits for the
// process to serve.
func Scrape(t testing.TB, addr string) Told {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		body, err := get(addr)
		if err == nil {
			return parse(t, body)
		}
		if time.Now().After(until) {
			t.Fatalf("nothing is told at %s: %v", addr, err)
		}
	}
}

// Await scrapes until a value is as wanted.
func Await(t testing.TB, addr string, want float64, name string, labels ...string) {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got, ok := Scrape(t, addr).Value(name, labels...)
		if ok && got == want {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%s %v is %g (told: %t), want %g", name, labels, got, ok, want)
		}
	}
}

func get(addr string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	network, url := "tcp", "http://"+addr+"/metrics"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr, url = "unix", path, "http://process/metrics"
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// someone is what tells one person, order, event or object from another.
var someone = regexp.MustCompile(`@|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}|\b(evt|pi|ch|cus|in|sub|cs|re|dp|seti|pm|tok|sk|rk|whsec)_\w{6}|[0-9a-f]{24}`)

func parse(t testing.TB, body string) Told {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	told, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatalf("the exposition cannot be read: %v\n%s", err, body)
	}
	for name, family := range told {
		if family.GetHelp() == "" {
			t.Errorf("%s does not say what it is", name)
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if someone.MatchString(l.GetValue()) || len(l.GetValue()) > 100 {
					t.Errorf("%s has the label %s=%q, which could be anyone's", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
	return told
}

// Value is the value of the one series of a family that has these labels, given
// as names and values in turn; of a histogram, its count. Several are added.
func (told Told) Value(name string, labels ...string) (sum float64, ok bool) {
	for _, m := range told[name].GetMetric() {
		if !has(m, labels) {
			continue
		}
		ok = true
		switch {
		case m.Histogram != nil:
			sum += float64(m.Histogram.GetSampleCount())
		case m.Counter != nil:
			sum += m.Counter.GetValue()
		case m.Untyped != nil:
			sum += m.Untyped.GetValue()
		default:
			sum += m.Gauge.GetValue()
		}
	}
	return sum, ok
}

// Want fails unless the value is as wanted.
func (told Told) Want(t testing.TB, want float64, name string, labels ...string) {
	t.Helper()
	if got, ok := told.Value(name, labels...); !ok || got != want {
		t.Errorf("%s %v is %g (told: %t), want %g", name, labels, got, ok, want)
	}
}

func has(m *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		if !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool {
			return l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}) {
			return false
		}
	}
	return true
}
