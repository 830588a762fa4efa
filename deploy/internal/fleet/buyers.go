package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/deploy/internal/judge"
)

// What everybody uses in development.
const (
	good        = "pm_card_visa"
	bad         = "pm_card_visa_chargeDeclined"
	secret      = "sk_test_makegood"
	publishable = "pk_test_makegood"
	appID       = "makegood"
)

// The bounds of a buyer.
const (
	buyers    = 12
	hadWithin = 2 * time.Minute // until they have what they paid for
	retried   = 300 * time.Millisecond
	looked    = 250 * time.Millisecond
)

// purchase is one, from setting out to what it came to.
type purchase struct {
	way, reference, email string
	began                 time.Time
	took                  time.Duration // until there was access
}

// crowd buys until it is told to stop, each buyer one thing after the other.
type crowd struct {
	door   *door
	db     *pgxpool.Pool // for what the account's owner sees at Stripe
	stripe string
	seed   uint64

	mu       sync.Mutex
	done     []purchase
	findings []judge.Finding
}

// buy is one buyer's day. A purchase that was begun is ended.
func (c *crowd) buy(ctx context.Context, n int) {
	random := rand.New(rand.NewPCG(c.seed, uint64(n)+1))
	for ctx.Err() == nil {
		way := ways[random.IntN(len(ways))]
		p := &purchase{way: way.name, reference: uuid.NewString(), began: time.Now()}
		p.email = "buyer-" + p.reference[:8] + "@example.com"
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), hadWithin)
		err := way.travel(bounded, c, p, random)
		cancel()
		c.mu.Lock()
		if err != nil {
			c.findings = append(c.findings, judge.Finding{Rule: judge.Stranded, Subject: p.reference, Evidence: p.way + ": " + err.Error()})
		} else {
			c.done = append(c.done, *p)
		}
		c.mu.Unlock()
		_ = pause(ctx, between(random, 50*time.Millisecond, 500*time.Millisecond)) // the loop looks
	}
}

// way is a kind of purchase; a name that comes twice is twice as usual.
type way struct {
	name   string
	travel func(context.Context, *crowd, *purchase, *rand.Rand) error
}

var ways = []way{
	{"by card", byCard}, {"by card", byCard}, {"by card", byCard},
	{"declined, then another card", declinedFirst},
	{"in the browser", inTheBrowser}, {"in the browser", inTheBrowser},
	{"leaves while paying", leaves},
	{"refunded at Stripe", refunded},
}

func byCard(ctx context.Context, c *crowd, p *purchase, _ *rand.Rand) error {
	if _, err := c.place(ctx, p, good); err != nil {
		return err
	}
	return c.served(ctx, p)
}

func declinedFirst(ctx context.Context, c *crowd, p *purchase, _ *rand.Rand) error {
	if _, err := c.place(ctx, p, bad); err != nil {
		return err
	}
	if err := c.rests(ctx, p, "FAILED"); err != nil {
		return err
	}
	// The same attempt, however often it is asked for.
	body, err := json.Marshal(map[string]any{"attempt_id": uuid.NewString(), "payment_method": good})
	if err != nil {
		return err
	}
	for {
		if status, _, err := c.door.ask(ctx, http.MethodPost, "/v1/orders/"+p.reference+":pay", p.reference, body); err == nil && status < 300 {
			return c.served(ctx, p)
		}
		if err := pause(ctx, retried); err != nil {
			return err
		}
	}
}

func inTheBrowser(ctx context.Context, c *crowd, p *purchase, _ *rand.Rand) error {
	o, err := c.place(ctx, p, "")
	if err != nil {
		return err
	}
	for o.NextAction.ClientSecret == "" {
		if o, err = c.look(ctx, p); err != nil {
			return err
		}
	}
	intent, _, _ := strings.Cut(o.NextAction.ClientSecret, "_secret_")
	if err := c.atStripe(ctx, "/v1/payment_intents/"+intent+"/confirm", publishable, url.Values{"client_secret": {o.NextAction.ClientSecret}, "payment_method": {good}}); err != nil {
		return err
	}
	return c.served(ctx, p)
}

// leaves goes away in the middle, and comes back.
func leaves(ctx context.Context, c *crowd, p *purchase, random *rand.Rand) error {
	gone, cancel := context.WithTimeout(ctx, between(random, 5*time.Millisecond, 300*time.Millisecond))
	_, _ = c.place(gone, p, good)
	cancel()
	if err := pause(ctx, between(random, 0, time.Second)); err != nil {
		return err
	}
	return byCard(ctx, c, p, random)
}

func refunded(ctx context.Context, c *crowd, p *purchase, _ *rand.Rand) error {
	if err := byCard(ctx, c, p, nil); err != nil {
		return err
	}
	var charge string
	for c.db.QueryRow(ctx, `SELECT charge_id FROM orders.orders WHERE reference = $1`, p.reference).Scan(&charge) != nil {
		if err := pause(ctx, retried); err != nil { // the database may just be away
			return err
		}
	}
	if err := c.atStripe(ctx, "/v1/refunds", secret, url.Values{"charge": {charge}}); err != nil {
		return err
	}
	return c.rests(ctx, p, "REFUNDED")
}

// order is what the edge tells of one.
type order struct {
	State      string
	NextAction struct {
		ClientSecret string `json:"client_secret"`
	} `json:"next_action"`
}

// place is the browser's request, made again as it was until it is answered.
func (c *crowd) place(ctx context.Context, p *purchase, card string) (o order, err error) {
	wish := map[string]any{"plan_id": "annual", "email": p.email, "name": "Sam Example"}
	if card != "" {
		wish["payment_method"] = card
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return o, err
	}
	for {
		status, raw, err := c.door.ask(ctx, http.MethodPost, "/v1/orders", p.reference, body)
		if err == nil && (status < 300 || status == http.StatusPaymentRequired) {
			return o, json.Unmarshal(raw, &o)
		}
		if err == nil && status < 500 && status != http.StatusTooManyRequests && status != http.StatusConflict {
			return o, fmt.Errorf("the shop refuses: %d %s", status, raw)
		}
		if err := pause(ctx, retried); err != nil {
			return o, fmt.Errorf("the order was never taken: %d %s: %w", status, raw, err)
		}
	}
}

// look reads the order once, as its page does.
func (c *crowd) look(ctx context.Context, p *purchase) (o order, err error) {
	if err := pause(ctx, looked); err != nil {
		return o, fmt.Errorf("waited in vain: %w", err)
	}
	if status, raw, err := c.door.ask(ctx, http.MethodGet, "/v1/orders/"+p.reference, p.reference, nil); err == nil && status == http.StatusOK {
		return o, json.Unmarshal(raw, &o)
	}
	return o, nil
}

// served waits for the access.
func (c *crowd) served(ctx context.Context, p *purchase) error {
	err := c.rests(ctx, p, "COMPLETE", "RECOVERED")
	p.took = time.Since(p.began)
	return err
}

func (c *crowd) rests(ctx context.Context, p *purchase, states ...string) error {
	last := ""
	for {
		o, err := c.look(ctx, p)
		if err != nil {
			return fmt.Errorf("%w: it is %q and not %s", err, last, strings.Join(states, " or "))
		}
		if o.State != "" {
			last = o.State
		}
		if slices.Contains(states, o.State) {
			return nil
		}
	}
}

// atStripe calls the API as the account's owner, or a browser, does.
func (c *crowd) atStripe(ctx context.Context, path, key string, form url.Values) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.stripe+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := c.door.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(response.Body)
		return fmt.Errorf("at Stripe, %s: %d %s", path, response.StatusCode, said)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
