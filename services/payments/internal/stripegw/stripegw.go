// Package stripegw is the only room that speaks to Stripe. It turns domain
// words into requests, and every answer into one of: a fact, a refusal, or
// "unknown", which never decays to failed.
package stripegw

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
)

// Errors by which callers decide.
var (
	// ErrUnknown: Stripe gave no definite word; it may or may not have been done.
	ErrUnknown = errors.New("stripe gave no definite word")
	// ErrNoAccess comes with ErrUnknown when Stripe refuses our key: an incident of
	// ours, and no word about the purchase.
	ErrNoAccess = errors.New("stripe refuses our key")
	// ErrRefused: Stripe definitely did not do it; read the object to learn why.
	ErrRefused = errors.New("stripe refused the request")
	// ErrKeyReused: the idempotency key was used with other parameters, or its
	// stored result is an error of Stripe's own.
	ErrKeyReused = errors.New("stripe holds another result under this idempotency key")
	// ErrNotFound: Stripe says there is no such object.
	ErrNotFound = errors.New("stripe has no such object")
	// ErrNoCustomer comes with ErrRefused when the Customer that we named is gone.
	ErrNoCustomer = errors.New("stripe has no such customer")
)

// Config is how to reach Stripe.
type Config struct {
	SecretKey string
	// BaseURL is another server that speaks Stripe; empty is Stripe itself.
	BaseURL string
	// Timeout bounds one HTTP request.
	Timeout time.Duration
	// ReadsPerSecond bounds what is read of Stripe's lists, and by id for whole pages
	// of them; 0 is no limit.
	ReadsPerSecond int
	// AppID marks what is ours at Stripe.
	AppID string
	// PromotionCodes: Stripe's page lets buyers enter one.
	PromotionCodes bool
	Log            *slog.Logger
	// Metrics counts the requests.
	Metrics *Metrics
}

// Gateway speaks to one Stripe account.
type Gateway struct {
	api *client.API
	cfg Config
	// http and base reach Stripe without stripe-go, for its lists.
	http *http.Client
	base string
	pace *pace
}

// New makes a gateway.
func New(cfg Config) *Gateway {
	caller := &http.Client{Timeout: cfg.Timeout, Transport: cfg.Metrics.around(transport())}
	backend := &stripe.BackendConfig{
		HTTPClient: caller,
		// One more try with the same key heals a connection that had gone stale.
		MaxNetworkRetries: stripe.Int64(1),
		LeveledLogger:     quiet{cfg.Log},
	}
	base := stripe.APIURL
	if cfg.BaseURL != "" {
		base = cfg.BaseURL
		backend.URL = stripe.String(base)
	}
	return &Gateway{cfg: cfg, http: caller, base: base, pace: newPace(cfg.ReadsPerSecond), api: client.New(cfg.SecretKey, &stripe.Backends{
		API: stripe.GetBackendWithConfig(stripe.APIBackend, backend),
	})}
}

// transport keeps enough connections to one host for many purchases at once.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return t
}

// Livemode says whether the key moves real money.
func (g *Gateway) Livemode() bool {
	return strings.HasPrefix(g.cfg.SecretKey, "sk_live_") || strings.HasPrefix(g.cfg.SecretKey, "rk_live_")
}

// IsOurs says whether an object's metadata carries our marker.
func (g *Gateway) IsOurs(metadata map[string]string) bool {
	return metadata["makegood_app"] == g.cfg.AppID
}

// classify names the kind of failure. The text of a Stripe error is not kept:
// it may quote what the buyer typed.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var se *stripe.Error
	if !errors.As(err, &se) {
		return fmt.Errorf("%w: no answer", ErrUnknown)
	}
	what := fmt.Sprintf("status %d, type %s, code %s", se.HTTPStatusCode, se.Type, se.Code)
	switch status := se.HTTPStatusCode; {
	case se.Type == stripe.ErrorTypeIdempotency && status == http.StatusBadRequest:
		return fmt.Errorf("%w: %s", ErrKeyReused, what)
	case status >= 500 && replayed(se.LastResponse):
		return fmt.Errorf("%w: %s", ErrKeyReused, what)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w: %w: %s", ErrUnknown, ErrNoAccess, what)
	case status == http.StatusConflict, status == http.StatusTooManyRequests, status >= 500, status < 400:
		return fmt.Errorf("%w: %s", ErrUnknown, what)
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, what)
	case se.Code == stripe.ErrorCodeResourceMissing && se.Param == "customer":
		return fmt.Errorf("%w: %w: %s", ErrRefused, ErrNoCustomer, what)
	default:
		return fmt.Errorf("%w: %s", ErrRefused, what)
	}
}

func replayed(r *stripe.APIResponse) bool {
	return r != nil && r.Header.Get("Idempotent-Replayed") == "true"
}

func request(ctx context.Context, key string) stripe.Params {
	p := stripe.Params{Context: ctx}
	if key != "" {
		p.IdempotencyKey = stripe.String(key)
	}
	return p
}

// quiet keeps stripe-go's log to a line without bodies or personal data.
type quiet struct{ log *slog.Logger }

func (quiet) Debugf(string, ...any)   {}
func (quiet) Infof(string, ...any)    {}
func (q quiet) Warnf(string, ...any)  { q.log.Warn("stripe client warning") }
func (q quiet) Errorf(string, ...any) { q.log.Debug("stripe request failed") }
