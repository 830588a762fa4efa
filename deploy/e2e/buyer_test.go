package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// buyer is a person with a browser: one purchase, one reference.
type buyer struct {
	shop      *shop
	email     string
	reference string
}

// buyer arrives, with an address of their own.
func (s *shop) buyer(name string) *buyer {
	return &buyer{shop: s, email: strings.NewReplacer(" ", "-", ",", "").Replace(name) + "@example.com", reference: uuid.NewString()}
}

// order is an order as REST shows it.
type order struct {
	ID             string     `json:"id"`
	Reference      string     `json:"reference"`
	ReferenceShort string     `json:"reference_short"`
	Kind           string     `json:"kind"`
	State          string     `json:"state"`
	PlanID         string     `json:"plan_id"`
	AmountMinor    string     `json:"amount_minor"`
	Currency       string     `json:"currency"`
	AmountDisplay  string     `json:"amount_display"`
	EmailMasked    string     `json:"email_masked"`
	CreatedAt      *time.Time `json:"created_at"`
	ChargedAt      *time.Time `json:"charged_at"`
	CompletedAt    *time.Time `json:"completed_at"`
	AccessUntil    *time.Time `json:"access_until"`
	RecoveredBy    string     `json:"recovered_by"`
	PaymentError   *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"payment_error"`
	NextAction struct {
		Type         string `json:"type"`
		ClientSecret string `json:"client_secret"`
		URL          string `json:"url"`
	} `json:"next_action"`
}

// answer is what the edge said: an order, or an error with its reason.
type answer struct {
	Status int
	Body   string
	order
	Reason   string
	Metadata map[string]string
}

// fulfilled are the states in which the buyer has what was paid.
var fulfilled = []string{"COMPLETE", "RECOVERED"}

func (a answer) fulfilled() bool {
	return a.Status == http.StatusOK && slices.Contains(fulfilled, a.State)
}

// call sends one request to the edge. Any HTTP answer is an answer.
func (s *shop) call(method, path string, header map[string]string, body any) (answer, error) {
	var sent []byte
	switch b := body.(type) {
	case nil:
	case string:
		sent = []byte(b)
	default:
		var err error
		if sent, err = json.Marshal(b); err != nil {
			return answer{}, err
		}
	}
	request, err := http.NewRequest(method, s.URL()+path, bytes.NewReader(sent))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	for key, value := range header {
		request.Header.Set(key, value)
	}
	client := http.Client{Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{Status: response.StatusCode, Body: string(read)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		err = a.parse(read)
	}
	return a, err
}

func (a *answer) parse(body []byte) error {
	if a.Status < 400 || a.Status == http.StatusPaymentRequired {
		return json.Unmarshal(body, &a.order)
	}
	var refused struct {
		Details []struct {
			Reason   string            `json:"reason"`
			Metadata map[string]string `json:"metadata"`
		} `json:"details"`
	}
	if err := json.Unmarshal(body, &refused); err != nil {
		return err
	}
	for _, d := range refused.Details {
		if d.Reason != "" {
			a.Reason, a.Metadata = d.Reason, d.Metadata
		}
	}
	return nil
}

func (b *buyer) call(t *testing.T, method, path string, header map[string]string, body any) answer {
	t.Helper()
	a, err := b.shop.call(method, path, header, body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err) // may run beside the test
	}
	return a
}

// request is the body of a purchase of the annual plan.
func (b *buyer) request(card string) map[string]any {
	return map[string]any{"plan_id": "annual", "email": b.email, "name": "Jane Doe", "payment_method": card}
}

// key is the header that makes a repeated request the same request.
func (b *buyer) key() map[string]string { return map[string]string{"Idempotency-Key": b.reference} }

// pays sends the purchase with a card.
func (b *buyer) pays(t *testing.T, card string) answer {
	t.Helper()
	return b.call(t, http.MethodPost, "/v1/orders", b.key(), b.request(card))
}

// startsToPay sends the purchase while the test goes on.
func (b *buyer) startsToPay(t *testing.T, card string) <-chan answer {
	answered := make(chan answer, 1)
	go func() { answered <- b.pays(t, card) }()
	return answered
}

// paysAgain tries another card for the same order.
func (b *buyer) paysAgain(t *testing.T, card string) answer {
	t.Helper()
	return b.call(t, http.MethodPost, "/v1/orders/"+b.reference+":pay", nil,
		map[string]any{"attempt_id": uuid.NewString(), "payment_method": card})
}

// looks reads the order, as its page does.
func (b *buyer) looks(t *testing.T) answer {
	t.Helper()
	return b.call(t, http.MethodGet, "/v1/orders/"+b.reference, nil, nil)
}
