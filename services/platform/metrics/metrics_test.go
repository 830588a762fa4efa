package metrics_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/metrics"
	"makegood.example/services/platform/metricstest"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, migrate.Schema{Name: "shop", River: true, FS: fstest.MapFS{"1_things.sql": {Data: []byte(
		"-- +goose Up\nCREATE TABLE shop.things (kind text, next_look_at timestamptz);")}}})
}

var quiet = slog.New(slog.DiscardHandler)

// serve serves until the test ends, or the returned function is called.
func serve(t *testing.T, addr string, gatherer func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- gatherer(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", addr, err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func (c *clock) Now() time.Time { return time.Unix(c.seconds.Load(), 0).UTC() }

type clock struct{ seconds atomic.Int64 }

func TestGaugesAreReadFromTheDatabaseAndNotTooOften(t *testing.T) {
	db := pgtest.New(t)
	var now clock
	now.seconds.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).Unix())
	set := metrics.New("shop")
	pool := db.Pool(t, "shop")
	set.Pool(pool)
	set.Read(pool, now.Now, quiet,
		metrics.Due(metrics.Look{Work: "things", Table: "shop.things"}),
		metrics.Jobs("shop"),
		metrics.Reading{Gauges: []metrics.Gauge{{Name: "shop_broken", Help: "Nothing."}}, SQL: "SELECT 1.0 / 0"},
		metrics.Reading{
			Labels: []string{"kind"}, Gauges: []metrics.Gauge{{Name: "shop_things", Help: "Things."}, {Name: "shop_unknown", Help: "None."}},
			SQL: "SELECT kind, count(*)::float8, NULL::float8 FROM shop.things GROUP BY kind",
		},
	)
	addr := metricstest.Addr(t)
	serve(t, addr, func(ctx context.Context) error { return set.Serve(ctx, addr, nil, quiet) })

	told := metricstest.Scrape(t, addr)
	told.Want(t, 0, "makegood_due_rows", "service", "shop", "work", "things")
	told.Want(t, 0, "makegood_due_oldest_seconds", "work", "things")
	told.Want(t, 0, "makegood_jobs", "state", "available")
	told.Want(t, 1, "makegood_readings_failed_total")
	if _, ok := told.Value("go_goroutines", "service", "shop"); !ok {
		t.Error("the Go runtime is not told")
	}
	if n, _ := told.Value("makegood_db_connections_max"); n < 1 {
		t.Errorf("the pool may have %g connections", n)
	}

	if _, err := db.Owner(t).Exec(t.Context(), "INSERT INTO shop.things VALUES ('a', $1), ('a', $2), ('b', NULL)",
		now.Now().Add(-time.Minute), now.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Owner(t).Exec(t.Context(), "INSERT INTO shop.river_job (kind, args, max_attempts, scheduled_at) VALUES ('letter', '{}', 3, $1)", now.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	metricstest.Scrape(t, addr).Want(t, 0, "makegood_due_rows", "work", "things") // remembered

	now.seconds.Add(10)
	told = metricstest.Scrape(t, addr)
	told.Want(t, 1, "makegood_due_rows", "work", "things")
	told.Want(t, 70, "makegood_due_oldest_seconds", "work", "things")
	told.Want(t, 2, "shop_things", "kind", "a")
	told.Want(t, 1, "makegood_jobs", "state", "available")
	told.Want(t, 3610, "makegood_jobs_oldest_seconds", "state", "available")
	told.Want(t, 2, "makegood_readings_failed_total")
	if _, ok := told["shop_unknown"]; ok {
		t.Error("NULL is told as a number")
	}
}

func TestASocketIsThisUsersAndOutlivesNobody(t *testing.T) {
	addr := metricstest.Addr(t)
	path := strings.TrimPrefix(addr, "unix:")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close() // as a killed process leaves it
	set := metrics.New("shop")
	stop := serve(t, addr, func(ctx context.Context) error { return set.Serve(ctx, addr, nil, quiet) })
	metricstest.Scrape(t, addr)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := set.Serve(t.Context(), addr, nil, quiet); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second one on the same socket: %v", err)
	}
	stop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// A cluster asks here how the process is: the service itself is asked over TLS only.
func TestHealthStandsBesideTheMetrics(t *testing.T) {
	var ready atomic.Bool
	for _, told := range []bool{true, false} {
		set, addr := metrics.New("shop"), metricstest.Addr(t)
		var health func() bool
		if told {
			health = ready.Load
		}
		serve(t, addr, func(ctx context.Context) error { return set.Serve(ctx, addr, health, quiet) })
		metricstest.Scrape(t, addr)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(addr, "unix:"))
		}}}
		for _, c := range []struct {
			path  string
			ready bool
			want  int
		}{{"/healthz", false, 200}, {"/readyz", false, 503}, {"/readyz", true, 200}} {
			ready.Store(c.ready)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://process"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if !told {
				c.want = http.StatusNotFound
			}
			if resp.StatusCode != c.want {
				t.Errorf("told %t, ready %t: %s is answered with %s", told, c.ready, c.path, resp.Status)
			}
		}
	}
}

func TestSeveralProcessesAreToldAsOne(t *testing.T) {
	sockets := map[string]string{}
	for _, name := range []string{"orders", "payments", "gone"} {
		sockets[name] = metricstest.Addr(t)
		if name == "gone" {
			continue
		}
		set := metrics.New(name)
		made := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "made_total", Help: "Made."}, []string{"kind"})
		set.MustRegister(made)
		made.WithLabelValues("a").Add(3)
		serve(t, name, func(ctx context.Context) error { return set.Serve(ctx, sockets[name], nil, quiet) })
		metricstest.Scrape(t, sockets[name])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	serve(t, addr, func(ctx context.Context) error { return metrics.Serve(ctx, addr, metrics.Merge(sockets), quiet) })
	told := metricstest.Scrape(t, addr)
	told.Want(t, 3, "made_total", "service", "orders", "kind", "a")
	told.Want(t, 6, "made_total")
	told.Want(t, 1, "makegood_process_up", "service", "payments")
	told.Want(t, 0, "makegood_process_up", "service", "gone")
}

func TestOffIsOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- metrics.New("shop").Serve(ctx, "", nil, quiet) }()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheAddress(t *testing.T) {
	for addr, good := range map[string]bool{"": true, "127.0.0.1:9090": true, ":9090": true, "unix:/run/orders.sock": true, "unix:orders.sock": false, "9090": false} {
		r := config.NewReader(func(string) (string, bool) { return addr, true })
		if got := metrics.LoadAddr(r); got != addr || (r.Err() == nil) != good {
			t.Errorf("%q: %q, %v", addr, got, r.Err())
		}
	}
}
