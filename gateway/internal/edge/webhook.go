package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
)

const webhookPath = "/webhooks/stripe"

// webhookTimeout is about as long as Stripe waits for an answer.
const webhookTimeout = 20 * time.Second

// stripeWebhook hands a delivery to Payments exactly as it came: the signature
// is over these bytes. It acknowledges only what Payments acknowledges.
func stripeWebhook(payments paymentsv1.PaymentsServiceClient) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, status, problem := readBody(w, r, MaxWebhookBody)
		if problem != nil {
			writeError(w, r, status, problem)
			return
		}
		ctx, cancel := context.WithTimeout(untilServerStops(r.Context()), webhookTimeout)
		defer cancel()
		reply, err := payments.ReceiveWebhook(ctx, &paymentsv1.ReceiveWebhookRequest{
			Payload: payload, Signature: r.Header.Get("Stripe-Signature"),
		})
		switch {
		case err == nil:
			writeJSON(w, http.StatusOK, map[string]string{"status": reply.GetStatus()})
		case apperr.CodeOf(err) == codes.InvalidArgument:
			_, e := classify(err)
			writeError(w, r, http.StatusBadRequest, e)
		default:
			// Whatever went wrong, the event's effects are not durable: 503 has
			// Stripe deliver it again.
			_, e := classify(err)
			writeError(w, r, http.StatusServiceUnavailable, e)
		}
	})
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
