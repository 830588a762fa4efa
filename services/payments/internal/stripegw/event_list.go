package stripegw

import (
	"bytes"
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"makegood.example/services/payments/internal/payment"
)

// listedEvent is an event of which the whole is kept.
type listedEvent struct {
	stamp
	Type string
	raw  []byte
}

// UnmarshalJSONFrom keeps the event as it came.
func (e *listedEvent) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var head struct {
		stamp
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &head, lenient); err != nil {
		return err
	}
	*e = listedEvent{head.stamp, head.Type, bytes.Clone(raw)}
	return nil
}

// ListEvents reads one page of the account's events, newest first; Stripe shows
// those of thirty days. Errors: ErrUnknown, ErrRefused for an after that Stripe
// does not have.
func (g *Gateway) ListEvents(ctx context.Context, w payment.Window, after string) (page []payment.SeenEvent, next string, err error) {
	listed, next, err := readPage[listedEvent](ctx, g, "/v1/events", w, after)
	for _, e := range listed {
		page = append(page, payment.SeenEvent{ID: e.ID, Type: e.Type, Raw: e.raw})
	}
	return page, next, err
}
