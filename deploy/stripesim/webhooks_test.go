package stripesim_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"makegood.example/deploy/stripesim"
)

const secret = "whsec_example"

// receiver is an endpoint that checks what it gets with Stripe's own library.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []stripe.Event
}

func receive(t *testing.T) *receiver {
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		ev, err := webhook.ConstructEvent(body, req.Header.Get("Stripe-Signature"), secret)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, ev)
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) types() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range r.got {
		out = append(out, string(ev.Type))
	}
	return out
}

func hooked(t *testing.T, r *receiver) *sim {
	return start(t, stripesim.Config{RetryBase: 10 * time.Millisecond, Endpoints: []stripesim.Endpoint{{URL: r.URL, Secret: secret}}})
}

func (s *sim) deliveries() (out []stripesim.Delivery) {
	var view struct{ Deliveries []stripesim.Delivery }
	s.control("GET", "webhooks", nil, &view)
	return view.Deliveries
}

func (s *sim) newCustomer() *stripe.Customer {
	s.t.Helper()
	return must[*stripe.Customer](s.t)(s.stripe.Customers.New(&stripe.CustomerParams{Email: stripe.String("jane@example.com")}))
}

func TestWebhooksAreSignedAndRetried(t *testing.T) {
	r := receive(t)
	s := hooked(t, r)
	r.answer(http.StatusServiceUnavailable)
	cus := s.newCustomer()
	await(t, "three attempts", func() bool { return len(r.types()) >= 3 })
	r.answer(http.StatusOK)
	await(t, "the delivery", func() bool { return s.deliveries()[0].State == "delivered" })
	d := s.deliveries()[0]
	if d.LastStatus != 200 || d.Attempts != len(r.types()) || d.EventType != "customer.created" {
		t.Errorf("%+v", d)
	}
	ids := map[string]bool{}
	for _, ev := range r.got {
		ids[ev.ID] = true
		if ev.Data.Object["id"] != cus.ID || ev.APIVersion != stripe.APIVersion {
			t.Errorf("%+v", ev)
		}
	}
	if len(ids) != 1 {
		t.Errorf("a retry is another event: %v", ids)
	}
}

func TestWebhooksPausedDuplicatedDroppedRedelivered(t *testing.T) {
	r := receive(t)
	s := hooked(t, r)
	s.control("POST", "webhooks", map[string]any{"paused": true, "duplicate": 2}, nil)
	s.newCustomer()
	if got := s.deliveries(); len(got) != 3 || got[0].State != "pending" {
		t.Fatalf("%+v", got)
	}
	if got := r.types(); len(got) != 0 {
		t.Errorf("delivered while paused: %v", got)
	}
	s.control("POST", "webhooks", map[string]any{"paused": false}, nil)
	await(t, "three copies", func() bool { return len(r.types()) == 3 })

	s.control("POST", "webhooks", map[string]any{"drop": true, "duplicate": 0}, nil)
	s.newCustomer()
	all := s.deliveries()
	lost := all[len(all)-1]
	if lost.State != "dropped" || lost.Attempts != 0 {
		t.Fatalf("%+v", lost)
	}
	s.control("POST", "webhooks/deliver", map[string]string{"event_id": lost.EventID}, nil)
	if got := r.types(); len(got) != 4 {
		t.Errorf("redelivered: %v", got)
	}
}

func TestWebhooksReordered(t *testing.T) {
	r := receive(t)
	s := hooked(t, r)
	s.control("POST", "webhooks", map[string]any{"reorder": true, "delay_ms": 250}, nil)
	began := time.Now()
	var order []string
	for range 8 {
		order = append(order, s.newCustomer().ID)
	}
	await(t, "all events", func() bool { return len(r.types()) == 8 })
	var got []string
	for _, ev := range r.got {
		got = append(got, ev.Data.Object["id"].(string))
	}
	if slices.Equal(got, order) { // one in 40320 by chance
		t.Error("the order was kept")
	}
	slices.Sort(got)
	slices.Sort(order)
	if !slices.Equal(got, order) || time.Since(began) > 5*time.Second {
		t.Errorf("got %v, want %v", got, order)
	}
}
