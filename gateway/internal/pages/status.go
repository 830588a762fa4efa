// Package pages draws the HTML that people see: how an order stands, served
// also while the service that knows is down, the refund that was offered, and
// the list of calls. A page needs no script and no other resource, and never
// fails.
package pages

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/apperr"
)

// askTimeout is how long a reader waits for Orders before the page is drawn
// without it.
const askTimeout = 800 * time.Millisecond

// Config is what the pages say about us.
type Config struct {
	AppName string
	HomeURL string
	// CheckoutURL is where another card can be tried.
	CheckoutURL  string
	SupportEmail string
	// RefundDays is how long banks usually take, in words.
	RefundDays string
	// Now decides whether a time lies ahead.
	Now func() time.Time
	Log *slog.Logger
}

// Orders is what the pages ask.
type Orders interface {
	GetOrder(ctx context.Context, in *ordersv1.GetOrderRequest, opts ...grpc.CallOption) (*ordersv1.Order, error)
	RefundOrder(ctx context.Context, in *ordersv1.RefundOrderRequest, opts ...grpc.CallOption) (*ordersv1.Order, error)
}

//go:embed status.html
var statusHTML string

var statusTemplate = template.Must(template.New("status").Parse(statusHTML))

// status is the page of one order.
type status struct {
	Config
	orders Orders
}

// NewStatus is the page that tells a customer how the order stands whose
// reference is in ?ref=. It answers 200 whatever happens behind it. With
// &refund= from the mail that offered a refund it asks whether to; only a POST
// makes one.
func NewStatus(cfg Config, orders Orders) http.Handler {
	return &status{cfg, orders}
}

func (s *status) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		s.refund(w, r)
		return
	}
	query := r.URL.Query()
	write(w, http.StatusOK, s.look(r.Context(), query.Get("ref"), query.Get("refund")))
}

// look asks Orders and chooses what to say. It says nothing that Orders did
// not: without an answer, only that we are checking.
func (s *status) look(ctx context.Context, ref, token string) (v view) {
	reference, ok := readReference(ref)
	if !ok {
		return newView(s.Config, noReference, "")
	}
	defer func() {
		if p := recover(); p != nil {
			s.Log.ErrorContext(ctx, "panic", "route", "status page", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			v = newView(s.Config, unreachable, reference)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	order, err := s.orders.GetOrder(ctx, &ordersv1.GetOrderRequest{Reference: reference})
	switch {
	case err == nil && token != "" && offered(order, s.Now()):
		return askView(s.Config, order, reference, token)
	case err == nil && token != "" && paid(order):
		return answerView(s.Config, text.Refund.NotOffered, reference, "")
	case err == nil:
		return orderView(s.Config, order, reference)
	case reasonOf(err) == "ORDER_NOT_FOUND":
		return newView(s.Config, notFound, reference)
	default:
		s.Log.WarnContext(ctx, "status page drawn without Orders", "reference_short", short(reference), "code", apperr.CodeOf(err).String())
		return newView(s.Config, unreachable, reference)
	}
}

// readReference takes a reference only in the one form that we write it in.
func readReference(ref string) (string, bool) {
	id, err := uuid.Parse(ref)
	if err != nil || len(ref) != 36 {
		return "", false
	}
	return id.String(), true
}

func reasonOf(err error) string {
	if e := apperr.Of(err); e != nil {
		return e.Reason
	}
	return ""
}
