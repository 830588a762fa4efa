package crashlab

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"makegood.example/deploy/internal/judge"
	"makegood.example/deploy/internal/stack"
)

// Travellers are customers on the paths of money of a product that somebody else
// disturbs. They may go side by side.
type Travellers struct {
	lab    *lab
	relay  *relay
	shop   *shop
	number atomic.Int64
}

// Answer is what a customer's browser got for a request.
type Answer struct {
	Asked, Came time.Time
	Request     string
	Status      int   // 0 when there was no answer
	Err         error // of the connection
}

// Travelled are the paths that travellers go.
var Travelled = []string{purchase, webhook, lateWebhook, refunding, refundThere, renewal, reconciling}

// NewTravellers opens the way for Stripe's webhooks to a product that is yet to
// start.
func NewTravellers() (*Travellers, error) {
	t := &Travellers{lab: newLab()}
	var err error
	t.relay, err = newRelay(t.lab)
	return t, err
}

// Settings are those that the product needs to be travelled, and to be done soon.
func (t *Travellers) Settings() []string {
	return append(slices.Clone(quick), "RECONCILE_EVERY=3s", "STRIPESIM_WEBHOOK_URL="+t.relay.url, "ATTEMPTS_PER_IP=1000000", "REQUESTS_PER_IP=1000000")
}

// Enter leads them to the product. Each answer that a browser gets is told.
func (t *Travellers) Enter(ctx context.Context, s *stack.Stack, told func(Answer)) error {
	token, err := s.Token("admin")
	if err != nil {
		return err
	}
	t.shop = &shop{Stack: s, token: token, told: told}
	target := s.URL() + "/webhooks/stripe"
	t.relay.target.Store(&target)
	return t.shop.retryWebhooksSoon(ctx)
}

// Sources are what a judge of this product reads.
func (t *Travellers) Sources() judge.Sources { return t.shop.sources() }

// Travel goes a path until the customer has what is theirs and was told.
func (t *Travellers) Travel(ctx context.Context, name string) error {
	r := newRun(name, int(t.number.Add(1)))
	r.ready = func(context.Context) error { return nil }
	t.lab.join(r)
	defer t.lab.part(r)
	p := paths[name]
	err := p.travel(ctx, t.shop, r)
	if err == nil {
		err = r.await(ctx, t.shop, "what was paid for", p.arrived)
	}
	if err == nil && p.after != nil {
		err = p.after(ctx, t.shop, r)
	}
	if err != nil {
		var lines []string
		for _, l := range r.lines {
			lines = append(lines, l.At.UTC().Format("15:04:05.000 ")+l.What)
		}
		return fmt.Errorf("%s of %s: %w\n    %s", name, r.reference, err, strings.Join(lines, "\n    "))
	}
	return nil
}

// Ask makes a request for somebody who is no customer, and tells of the answer.
func (t *Travellers) Ask(ctx context.Context, url, bearer string) (int, []byte, error) {
	return t.shop.call(ctx, http.MethodGet, url, map[string]string{"Authorization": "Bearer " + bearer}, nil)
}

// Close ends the way for webhooks; the product must be stopped.
func (t *Travellers) Close() error { return t.relay.close() }

// part lets a run go.
func (l *lab) part(r *run) {
	r.hold(false)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs = slices.DeleteFunc(l.runs, func(other *run) bool { return other == r })
}

// call is call, told to whoever wants to hear.
func (s *shop) call(ctx context.Context, method, url string, header map[string]string, body any) (int, []byte, error) {
	asked := time.Now()
	status, raw, err := call(ctx, method, url, header, body)
	if s.told != nil && ctx.Err() == nil { // whoever left heard nothing
		s.told(Answer{asked, time.Now(), method + " " + strings.TrimPrefix(url, s.URL()), status, err})
	}
	return status, raw, err
}

func (s *shop) retryWebhooksSoon(ctx context.Context) error {
	status, said, err := call(ctx, http.MethodPost, s.StripeURL()+"/_sim/webhooks", nil, map[string]int{"retry_ms": 300, "retry_max_ms": 1000})
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the webhooks at Stripe: %d %s", status, said)
	}
	return err
}

func (s *shop) sources() judge.Sources {
	return judge.Sources{DB: s.DB(), StripeURL: s.StripeURL(), InboxURL: s.InboxURL(), AppID: appID}
}
