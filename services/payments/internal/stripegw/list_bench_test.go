package stripegw

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"makegood.example/deploy/stripesim"
	"makegood.example/services/payments/internal/payment"
)

const benchCharges = 2000

// What reading Stripe's list by pages is worth next to stripe-go's iterator, in
// one run, taking turns: from the simulator, which makes each page anew, and from
// a server that has them ready, where only the reading counts.
func BenchmarkListCharges(b *testing.B) {
	sim, err := stripesim.New(stripesim.Config{Clock: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sim.Close() }()
	at := time.Now().Add(-time.Hour)
	seed := httptest.NewRecorder()
	sim.Handler().ServeHTTP(seed, httptest.NewRequest(http.MethodPost, "/_sim/seed/charges", strings.NewReader(
		`{"count": 2000, "customer": "cus_{n}", "metadata": {"makegood_app": "makegood", "order_id": "00000000-0000-4000-8000-{x12}", "plan_id": "annual"}}`)))
	if seed.Code != http.StatusOK {
		b.Fatal(seed.Body.String())
	}
	w := payment.Window{From: at.Add(-60 * 24 * time.Hour), Before: at.Add(2 * time.Hour)}
	for name, handler := range map[string]http.Handler{"simulator": sim.Handler(), "ready": &ready{from: sim.Handler(), pages: map[string][]byte{}}} {
		b.Run(name, func(b *testing.B) {
			server := httptest.NewServer(handler)
			defer server.Close()
			g := New(Config{SecretKey: "sk_test_bench", BaseURL: server.URL, Timeout: time.Minute, AppID: "makegood", Log: slog.New(slog.DiscardHandler)})
			ways := []func(*testing.B, *Gateway, payment.Window) int{byPages, byIterator}
			for _, way := range ways { // warm, and the pages are ready
				way(b, g, w)
			}
			var ratios []float64
			var own time.Duration
			for b.Loop() {
				for round := range 4 {
					var took [2]time.Duration
					for i := range 2 {
						which := (i + round) % 2
						began := time.Now()
						if n := ways[which](b, g, w); n != benchCharges {
							b.Fatalf("%d charges", n)
						}
						took[which] = time.Since(began)
					}
					own += took[0]
					ratios = append(ratios, float64(took[1])/float64(took[0]))
				}
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-iterator")
			b.ReportMetric(float64(len(ratios)*benchCharges)/own.Seconds(), "charges/s")
		})
	}
}

func byPages(b *testing.B, g *Gateway, w payment.Window) (n int) {
	after := ""
	for {
		page, next, err := g.ListCharges(context.Background(), w, after)
		if err != nil {
			b.Fatal(err)
		}
		if n += len(page); next == "" {
			return n
		}
		after = next
	}
}

func byIterator(b *testing.B, g *Gateway, w payment.Window) (n int) {
	from, before := w.Seconds()
	params := &stripe.ChargeListParams{ListParams: stripe.ListParams{Limit: stripe.Int64(pageSize)}}
	params.CreatedRange = &stripe.RangeQueryParams{GreaterThanOrEqual: from, LesserThan: before}
	it := g.api.Charges.List(params)
	for it.Next() {
		if it.Charge().ID != "" {
			n++
		}
	}
	if it.Err() != nil {
		b.Fatal(it.Err())
	}
	return n
}

// ready answers again with what a handler answered once.
type ready struct {
	from  http.Handler
	mu    sync.Mutex
	pages map[string][]byte
}

func (r *ready) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := req.URL.Query().Encode()
	if r.pages[key] == nil {
		res := httptest.NewRecorder()
		r.from.ServeHTTP(res, req)
		r.pages[key] = res.Body.Bytes()
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(r.pages[key])
}
