// Package demo is a small shop that sells the plans with makegood.js, for
// development: it shows what a checkout page has to do, and lets people break
// things and watch. It is served only where it is asked for.
package demo

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// RealStripeJS is where Stripe serves its script; it may not be served by
// anybody else.
const RealStripeJS = "https://js.stripe.com/v3"

// Config is what the shop's page is made of.
type Config struct {
	AppName        string
	PublishableKey string
	// StripeJS is the address of Stripe.js, or of the simulator's stand-in.
	StripeJS string
	// StateDir is make up's folder, where the pids of the processes are.
	StateDir string
	// InboxURL is where the mails arrive; empty when they are real.
	InboxURL string
}

var (
	//go:embed shop.html
	shopHTML string
	//go:embed shop.css
	style []byte
	//go:embed shop.js
	script []byte

	shop = template.Must(template.New("shop").Parse(shopHTML))
)

// view is the page's data. Simulator is the stand-in's origin, empty with the
// real Stripe: then there is nothing to break but our own processes.
type view struct {
	Config
	Simulator string
	PIDFile   string
}

// Page is the shop, at /.
func Page(cfg Config) (http.Handler, error) {
	v := view{Config: cfg, PIDFile: filepath.Join(cfg.StateDir, "run", "orders.pid")}
	u, err := url.Parse(cfg.StripeJS)
	if err != nil {
		return nil, err
	}
	stripe := u.Scheme + "://" + u.Host
	connect, frames := stripe, stripe
	if cfg.StripeJS == RealStripeJS {
		connect, frames = "https://api.stripe.com", "https://js.stripe.com https://hooks.stripe.com"
	} else {
		v.Simulator = stripe
	}
	policy := strings.Join([]string{"default-src 'none'", "script-src 'self' " + stripe, "style-src 'self'", "img-src 'self' data:",
		"connect-src 'self' " + connect, "frame-src " + frames, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}, "; ")
	var page bytes.Buffer
	if err := shop.Execute(&page, v); err != nil {
		return nil, err
	}
	return serve("text/html; charset=utf-8", policy, page.Bytes()), nil
}

// Style and Script are what the page loads, beside makegood.js.
func Style() http.Handler { return serve("text/css; charset=utf-8", "", style) }

// Script is the shop's own script.
func Script() http.Handler { return serve("text/javascript; charset=utf-8", "", script) }

func serve(contentType, policy string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("X-Robots-Tag", "noindex")
		if policy != "" {
			h.Set("Content-Security-Policy", policy)
		}
		_, _ = w.Write(body)
	})
}
