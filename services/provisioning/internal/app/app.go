// Package app speaks to the SaaS's own app: it posts hooks in the format of
// Standard Webhooks (https://www.standardwebhooks.com).
package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/otel/trace"

	"makegood.example/services/platform/tracing"
	"makegood.example/services/provisioning/internal/hook"
)

// timeout bounds one delivery; the app should write the hook down and answer.
const timeout = 10 * time.Second

// retryAfterMost is the longest pause that the app may ask for.
const retryAfterMost = time.Hour

// Refused is an answer other than 2xx, or none.
type Refused struct {
	// Why has nothing of the app's answer but its status.
	Why string
	// RetryAfter is how long the app asked us to wait; 0 when it did not.
	RetryAfter time.Duration
}

func (r *Refused) Error() string { return r.Why }

// App is where hooks go.
type App struct {
	url     string
	signers []*standardwebhooks.Webhook
	client  *http.Client
}

// New makes an App. Every hook is signed with each of the secrets ("whsec_" and
// base64), so that the app can change from one to the next. Unless allowPrivate,
// addresses that are not public are refused when they are dialed, whatever name
// they go by.
func New(url string, secrets []string, allowPrivate bool) (*App, error) {
	a := &App{url: url}
	if len(secrets) == 0 {
		return nil, errors.New("at least one secret is needed")
	}
	for i, secret := range secrets {
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil || !strings.HasPrefix(secret, "whsec_") || len(secret) < len("whsec_")+32 {
			return nil, fmt.Errorf("secret %d is not whsec_ and the base64 of at least 24 bytes", i+1)
		}
		a.signers = append(a.signers, signer)
	}
	dialer := &net.Dialer{Timeout: timeout}
	if !allowPrivate {
		dialer.Control = publicOnly
	}
	a.client = &http.Client{
		Timeout: timeout,
		// No proxy: it would dial for us, and could reach what we must not.
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: timeout, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute},
		// A hook goes where it was configured to go, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a, nil
}

var errPrivate = errors.New("the address is not public; ACCESS_HOOK_ALLOW_PRIVATE allows it")

// special are addresses that lead to nobody in public although they look like it:
// this network, a provider's own (RFC 6598), tests, reserved, and IPv4 inside IPv6.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}

// publicOnly refuses a connection by the address that is dialed, after the name
// was resolved: a name that changes its mind cannot get around it.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errPrivate
	}
	ip := at.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return errPrivate
	}
	return nil
}

// Tell posts a hook. Its error is a *Refused unless ctx ended; it may have been
// taken all the same, and the app knows it again by its id.
func (a *App) Tell(ctx context.Context, h hook.Hook, now time.Time) (err error) {
	ctx, span := tracing.Begin(ctx, "hook POST", trace.SpanKindClient)
	defer func() { tracing.End(span, err) }()
	payload, err := h.Body()
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	var signatures []string
	for _, signer := range a.signers {
		signature, err := signer.Sign(h.ID.String(), now, payload)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Makegood")
	r.Header.Set(standardwebhooks.HeaderWebhookID, h.ID.String())
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	if tracing.On() { // the app's own spans can go on with ours
		r.Header.Set("Traceparent", tracing.Parent(ctx))
	}
	answer, err := a.client.Do(r)
	switch {
	case errors.Is(err, errPrivate):
		return &Refused{Why: errPrivate.Error()}
	case err != nil:
		return &Refused{Why: unanswered(err)}
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode/100 == 2 {
		return nil
	}
	return &Refused{Why: "it answered " + strconv.Itoa(answer.StatusCode), RetryAfter: retryAfter(answer.Header.Get("Retry-After"))}
}

// unanswered says why there was no answer, without the address, which may hold a
// secret.
func unanswered(err error) string {
	var timeoutErr net.Error
	switch {
	case errors.As(err, &timeoutErr) && timeoutErr.Timeout():
		return "it did not answer within " + timeout.String()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it refused the connection"
	default:
		return "it could not be reached"
	}
}

func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, retryAfterMost)
}
