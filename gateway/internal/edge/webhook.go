package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/batch"
)

const webhookPath = "/webhooks/stripe"

// webhookTimeout is about as long as Stripe waits for an answer.
const webhookTimeout = 20 * time.Second

// Deliveries that wait for a call to Payments share the next one.
const (
	// filers is how many such calls are under way at once.
	filers = 4
	// filedMost bounds the deliveries of one call, and filedBody the bytes of a
	// delivery that shares one: all of them fit into a message.
	filedMost = 64
	filedBody = 16 << 10
	// signatureMost is how long a signature that Payments looks at may be, in bytes.
	signatureMost = 4 << 10
)

// entrance is where Stripe delivers.
type entrance struct {
	payments paymentsv1.PaymentsServiceClient
	filing   batch.Group[*paymentsv1.ReceiveWebhookRequest, string]
	// arriving are those whose body is still read too; inHand has room for deliveries
	// alone, and only for whole ones.
	arriving, inHand *turnstile
}

// stripeWebhook hands deliveries to Payments exactly as they came: a signature
// is over these bytes. It acknowledges only what Payments acknowledges.
func stripeWebhook(payments paymentsv1.PaymentsServiceClient) http.Handler {
	e := &entrance{payments: payments, arriving: newTurnstile(deliveriesPerAddress, unbounded), inHand: newTurnstile(unbounded, deliveriesInAll)}
	e.filing = batch.Group[*paymentsv1.ReceiveWebhookRequest, string]{Do: e.file, Hands: filers, Most: filedMost, Timeout: webhookTimeout}
	return e
}

// webhooksFirst takes deliveries around what surrounds REST, of which they need
// nothing. The mux knows their path, too: it answers other methods.
func webhooksFirst(webhooks, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != webhookPath || r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		infoOf(r.Context()).route = webhookPath
		webhooks.ServeHTTP(w, r)
	})
}

func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from := network(infoOf(r.Context()).clientIP)
	if status := e.arriving.enter(from); status != 0 {
		refuse(w, r, status, 5)
		return
	}
	defer e.arriving.leave(from)
	payload, status, problem := readBody(w, r, MaxWebhookBody)
	if problem != nil {
		writeError(w, r, status, problem)
		return
	}
	if status := e.inHand.enter(from); status != 0 {
		refuse(w, r, status, 5)
		return
	}
	defer e.inHand.leave(from)
	ctx, cancel := context.WithTimeout(UntilServerStops(r.Context()), webhookTimeout)
	defer cancel()
	became, err := e.deliver(ctx, &paymentsv1.ReceiveWebhookRequest{Payload: payload, Signature: signature(r)})
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, map[string]string{"status": became})
	case apperr.CodeOf(err) == codes.InvalidArgument:
		_, e := classify(err)
		writeError(w, r, http.StatusBadRequest, e)
	default:
		// Whatever went wrong, the event's effects are not durable: 503 has
		// Stripe deliver it again.
		_, e := classify(err)
		writeError(w, r, http.StatusServiceUnavailable, e)
	}
}

// signature is the delivery's. What no call can carry is none: it is refused as
// any that does not fit, and those who share its call do not hear of it.
func signature(r *http.Request) string {
	if s := r.Header.Get("Stripe-Signature"); len(s) <= signatureMost && utf8.ValidString(s) {
		return s
	}
	return ""
}

// deliver answers with what became of the event. From most nothing follows: these
// are filed together with those that came meanwhile. One that must be handled is
// handed over by itself, so that nobody waits for it.
func (e *entrance) deliver(ctx context.Context, d *paymentsv1.ReceiveWebhookRequest) (status string, err error) {
	if len(d.GetPayload()) <= filedBody {
		if status, err = e.filing.Run(ctx, d); status != "" || err != nil {
			return status, err
		}
	}
	reply, err := e.payments.ReceiveWebhook(ctx, d)
	return reply.GetStatus(), err
}

// file is one call for all who wait.
func (e *entrance) file(ctx context.Context, deliveries []*paymentsv1.ReceiveWebhookRequest) ([]string, error) {
	reply, err := e.payments.FileWebhooks(ctx, &paymentsv1.FileWebhooksRequest{Deliveries: deliveries})
	if err != nil {
		return nil, err
	}
	return append(reply.GetStatuses(), make([]string, len(deliveries))...)[:len(deliveries)], nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
