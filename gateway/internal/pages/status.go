// Package pages draws the HTML that people see: how an order stands, served
// also while the service that knows is down, and the list of calls. A page
// needs no script, no other resource, and never fails.
package pages

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/apperr"
)

// askTimeout is how long a reader waits for Orders before the page is drawn
// without it.
const askTimeout = 800 * time.Millisecond

// Config is what the pages say about us.
type Config struct {
	AppName      string
	HomeURL      string
	SupportEmail string
	// Now decides whether a time lies ahead.
	Now func() time.Time
	Log *slog.Logger
}

// Orders is what the status page asks.
type Orders interface {
	GetOrder(ctx context.Context, in *ordersv1.GetOrderRequest, opts ...grpc.CallOption) (*ordersv1.Order, error)
}

//go:embed style.css
var style string

//go:embed status.html
var statusHTML string

var statusTemplate = template.Must(template.New("status").Parse(statusHTML))

// contentPolicy allows this one stylesheet, by its hash, and nothing else.
var contentPolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// NewStatus is the page that tells a customer how the order stands whose
// reference is in ?ref=. It answers 200 whatever happens behind it.
func NewStatus(cfg Config, orders Orders) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := look(r.Context(), cfg, orders, r.URL.Query().Get("ref"))
		write(w, statusTemplate, v)
	})
}

// look asks Orders and chooses what to say. It says nothing that Orders did
// not: without an answer, only that we are checking.
func look(ctx context.Context, cfg Config, orders Orders, ref string) (v view) {
	id, err := uuid.Parse(ref)
	if err != nil || len(ref) != 36 {
		return newView(cfg, noReference, "")
	}
	reference := id.String()
	defer func() {
		if p := recover(); p != nil {
			cfg.Log.Error("panic", "route", "status page", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			v = newView(cfg, unreachable, reference)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	order, err := orders.GetOrder(ctx, &ordersv1.GetOrderRequest{Reference: reference})
	switch {
	case err == nil:
		return orderView(cfg, order, reference)
	case apperr.CodeOf(err) == codes.NotFound && apperr.Of(err) != nil && apperr.Of(err).Reason == "ORDER_NOT_FOUND":
		return newView(cfg, notFound, reference)
	default:
		cfg.Log.Warn("status page drawn without Orders", "reference_short", short(reference), "code", apperr.CodeOf(err).String())
		return newView(cfg, unreachable, reference)
	}
}

// situationOf reads an order. Of a state it does not know it says no more than
// if Orders had not answered.
func situationOf(order *ordersv1.Order, now time.Time) situation {
	renewal := order.GetKind() == ordersv1.Order_RENEWAL
	switch order.GetState() {
	case ordersv1.Order_COMPLETE, ordersv1.Order_RECOVERED:
		if until := order.GetAccessUntil(); until != nil && !until.AsTime().After(now) {
			return accessEnded
		}
		if renewal {
			return renewed
		}
		return ready
	case ordersv1.Order_CHARGED, ordersv1.Order_ORPHANED:
		if renewal {
			return extending
		}
		return settingUp
	case ordersv1.Order_FAILED:
		return declined
	case ordersv1.Order_EXPIRED:
		return nothingCharged
	case ordersv1.Order_REFUNDED:
		return refunded
	case ordersv1.Order_PENDING:
		switch order.GetNextAction().GetType() {
		case ordersv1.NextAction_USE_STRIPE_SDK:
			return buyerMustAct
		case ordersv1.NextAction_REDIRECT:
			return payElsewhere
		}
		return checking
	default:
		return unreachable
	}
}

// Rests says that nothing about an order changes any more unless somebody does
// something: neither we nor a bank have anything left to do.
func Rests(order *ordersv1.Order) bool {
	switch order.GetState() {
	case ordersv1.Order_COMPLETE, ordersv1.Order_RECOVERED:
		return order.GetRefundAskedAt() == nil
	case ordersv1.Order_FAILED, ordersv1.Order_EXPIRED, ordersv1.Order_REFUNDED:
		return true
	}
	return false
}

// write renders to memory first, so that a page is whole or not sent.
func write(w http.ResponseWriter, t *template.Template, data any) {
	var page bytes.Buffer
	if err := t.Execute(&page, data); err != nil {
		panic(fmt.Errorf("draw %s: %w", t.Name(), err))
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	_, _ = w.Write(page.Bytes())
}

func short(reference string) string { return strings.ToUpper(reference[:8]) }

// mailTo is a mailto: link with the reference filled in.
func mailTo(address, reference string) string {
	link := "mailto:" + url.PathEscape(address) + "?subject="
	if reference == "" {
		return link + url.PathEscape(mailSubjectBare)
	}
	return link + url.PathEscape(fmt.Sprintf(mailSubject, short(reference))) +
		"&body=" + url.PathEscape(fmt.Sprintf(mailBody, reference))
}
