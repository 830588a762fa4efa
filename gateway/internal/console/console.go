// Package console is the desk of the people on support in a browser: pages drawn
// here from what the services answer to the person's own token. It has no data and
// no rules of its own; who may do what is decided by the services.
package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"log/slog"
	"net/http"
	"time"

	"makegood.example/gateway/internal/docs"
	"makegood.example/gateway/internal/edge"
	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

const (
	// askTimeout bounds what a page waits for; without an answer it is drawn without.
	askTimeout = 5 * time.Second
	// actTimeout bounds what a person has asked to be done.
	actTimeout = 60 * time.Second
	// maxForm bounds what a form may send, in bytes.
	maxForm = 64 << 10
)

// Config is what the console is made of.
type Config struct {
	Peers   edge.Peers
	AppName string
	Now     func() time.Time
	Log     *slog.Logger
	// Docs is the contract of this listener.
	Docs docs.Docs
}

// console serves the pages.
type console struct {
	Config
	orders        ordersv1.OrdersAdminServiceClient
	payments      paymentsv1.PaymentsAdminServiceClient
	provisioning  provisioningv1.ProvisioningAdminServiceClient
	notifications notificationsv1.NotificationsServiceClient
	recon         reconciliationv1.ReconciliationServiceClient
	support       reconciliationv1.SupportServiceClient
	attempts      attempts
}

//go:embed style.css console.js icon.svg
var assets embed.FS

// New builds the console.
func New(cfg Config) http.Handler {
	c := &console{
		Config:        cfg,
		orders:        ordersv1.NewOrdersAdminServiceClient(edge.Guard(cfg.Peers.Orders)),
		payments:      paymentsv1.NewPaymentsAdminServiceClient(edge.Guard(cfg.Peers.Payments)),
		provisioning:  provisioningv1.NewProvisioningAdminServiceClient(edge.Guard(cfg.Peers.Provisioning)),
		notifications: notificationsv1.NewNotificationsServiceClient(edge.Guard(cfg.Peers.Notifications)),
		recon:         reconciliationv1.NewReconciliationServiceClient(edge.Guard(cfg.Peers.Reconciliation)),
		support:       reconciliationv1.NewSupportServiceClient(edge.Guard(cfg.Peers.Reconciliation)),
		attempts:      attempts{now: cfg.Now, failed: map[string][]time.Time{}},
	}
	mux := http.NewServeMux()
	open := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, named(pattern, h)) }
	for file, contentType := range map[string]string{"style.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		open("GET "+assetPaths[file], asset(file, contentType))
	}
	open("GET /sign-in", c.askForToken)
	open("POST /sign-in", c.signIn)
	open("POST /sign-out", c.signOut)
	for pattern, h := range map[string]handler{
		"GET /{$}":                     c.queue,
		"GET /cases/{id}":              c.showCase,
		"POST /cases/{id}/{verb}":      c.workCase,
		"GET /lookup":                  c.lookup,
		"POST /lookup":                 c.askLookup,
		"GET /do/{deed}":               c.preview,
		"POST /do/{deed}":              c.do,
		"GET /reply":                   c.reply,
		"POST /reply":                  c.reply,
		"GET /tickets":                 c.listTickets,
		"POST /tickets":                c.openTicket,
		"GET /tickets/new":             c.newTicket,
		"GET /tickets/{id}":            c.showTicket,
		"POST /tickets/{id}":           c.changeTicket,
		"GET /runs":                    c.listRuns,
		"POST /runs":                   c.startRun,
		"GET /integrity":               c.integrity,
		"GET /events":                  c.listEvents,
		"GET /events/{id}":             c.showEvent,
		"GET /hooks":                   c.listHooks,
		"GET /incidents":               c.listIncidents,
		"GET /incidents/{key}":         c.showIncident,
		"POST /incidents/{key}/{verb}": c.workIncident,
		"GET /audit":                   c.audit,
		"GET /charging":                c.charging,
		"GET /more":                    c.more,
		"GET /docs":                    signedInOnly(c.Docs.Page),
		"GET /openapi.json":            signedInOnly(c.Docs.Document),
		"/":                            c.nowhere,
	} {
		mux.Handle(pattern, named(pattern, c.signedIn(h)))
	}
	return safely(parsed(mux))
}

// handler answers somebody who is signed in.
type handler func(http.ResponseWriter, *http.Request, *visit)

// signedInOnly is something that looks the same to everybody who is signed in. No
// service of its own would refuse a token that nobody could be asked about.
func signedInOnly(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request, v *visit) {
		if v.Unknown {
			http.Error(w, "It cannot be asked right now who you are. Try again in a minute.", http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	}
}

func named(pattern string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edge.Named(r.Context(), "console "+pattern)
		next.ServeHTTP(w, r)
	})
}

// policy allows our own stylesheet, script, icon and forms, and nothing inline.
const policy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'"

// safely sets the headers in which pages differ from other answers. The referrer stays with us: with
// none at all, browsers would hide from our own forms where they come from, which
// is what protects them.
func safely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Robots-Tag", "noindex, nofollow")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// parsed reads a form before anything else does, so that one that is too large or
// broken is refused as a whole.
func parsed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if err := r.ParseForm(); err != nil {
				http.Error(w, "The form could not be read: it is too large, or was cut off. Nothing was done.", http.StatusBadRequest)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// assetPaths carry a hash of what is served there, so that it may be kept for ever.
var assetPaths = func() map[string]string {
	paths := map[string]string{}
	for _, file := range []string{"style.css", "console.js", "icon.svg"} {
		sum := sha256.Sum256(read(file))
		paths[file] = "/assets/" + hex.EncodeToString(sum[:6]) + "/" + file
	}
	return paths
}()

func read(file string) []byte {
	b, err := assets.ReadFile(file)
	if err != nil {
		panic(err) // it is embedded
	}
	return b
}

func asset(file, contentType string) http.HandlerFunc {
	content := read(file)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(content))
	}
}

// asking is the context in which a page asks the services for its reader.
func (v *visit) asking(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(withToken(r.Context(), v.token), askTimeout)
}

// within is asking with another bound, for what takes its time.
func (v *visit) within(r *http.Request, bound time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(withToken(r.Context(), v.token), bound)
}

// acting is the context of something that a person wants done: it goes on when
// their browser goes away.
func (v *visit) acting(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(withToken(edge.UntilServerStops(r.Context()), v.token), actTimeout)
}
