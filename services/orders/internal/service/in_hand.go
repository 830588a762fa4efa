package service

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
)

// patience is how long a webhook leaves an order to the buyer's own request. A
// request that waits longer waits for Stripe, and the webhook knows more.
const patience = 2 * time.Second

// inHand are the orders that buyers' own requests are working on in this
// process. Stripe's webhook often overtakes the answer to the request; without
// patience it would be chance who finished an undisturbed purchase.
type inHand struct {
	mu     sync.Mutex
	orders map[uuid.UUID]*requests
}

type requests struct {
	count int
	done  chan struct{}
}

// advanceForBuyer advances an order for the buyer's own request.
func (s *Service) advanceForBuyer(ctx context.Context, id uuid.UUID) (order.Order, error) {
	defer s.inHand.take(id)()
	return s.Advance(ctx, id, order.ByRequest, nil)
}

// awaitBuyer waits until no request of the buyer's has the order in hand, but
// not for long.
func (s *Service) awaitBuyer(ctx context.Context, id uuid.UUID) {
	done := s.inHand.of(id)
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(patience):
	}
}

func (h *inHand) take(id uuid.UUID) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.orders[id]
	if r == nil {
		if h.orders == nil {
			h.orders = map[uuid.UUID]*requests{}
		}
		r = &requests{done: make(chan struct{})}
		h.orders[id] = r
	}
	r.count++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if r.count--; r.count == 0 {
			delete(h.orders, id)
			close(r.done)
		}
	}
}

func (h *inHand) of(id uuid.UUID) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.orders[id]; r != nil {
		return r.done
	}
	return nil
}
