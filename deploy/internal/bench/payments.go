package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"makegood.example/deploy/internal/stack"
)

// payments measures events that pay for an order: each is answered when the
// order is CHARGED, durably, which takes two services and two databases' worth
// of transactions.
func (b *bench) payments(ctx context.Context, s *stack.Stack, contenders []contender) error {
	clients := historyClients
	if b.opts.Quick {
		clients = []int{2}
	}
	b.say("events that pay for an order, to the order CHARGED (%d orders for each number of clients)", b.scale.orders)
	secret, err := webhookSecret(s)
	if err != nil {
		return err
	}
	got := results{ours: {}, inserts: {}, theirs: {}}
	for _, n := range clients {
		if err := placeOrders(ctx, s, b.scale.orders); err != nil {
			return fmt.Errorf("placing orders: %w", err)
		}
		paid, err := payingEvents(ctx, s, secret)
		if err != nil {
			return err
		}
		r, err := drive(ctx, hostOf(s.URL()), paid, n, time.Minute)
		if err != nil {
			return err
		}
		var charged int
		if err := s.DB().QueryRow(ctx, "SELECT count(*) FROM orders.orders WHERE state NOT IN ('PENDING', 'FAILED', 'EXPIRED')").Scan(&charged); err != nil {
			return err
		}
		if want := len(paid); r.refused > 0 || charged%b.scale.orders != 0 || want != b.scale.orders {
			return fmt.Errorf("of %d events %d were refused, and %d orders are charged", want, r.refused, charged)
		}
		got[ours][n] = r
		b.say("  %4d clients  %-12s %s", n, ours, r)
		for _, c := range contenders {
			switch c.name {
			case inserts:
				got[inserts][n], err = c.measure(ctx, n, b.scale.lasts)
			case theirs: // the same events; it keeps the intent, and has no order
				got[theirs][n], err = drive(ctx, c.addr, paid, n, time.Minute)
			default:
				continue
			}
			if err != nil {
				return err
			}
			b.say("  %4d clients  %-12s %s", n, c.name, got[c.name][n])
		}
		if peers := got.ratio(ours, theirs, n); peers > 0 {
			b.report.goal(fmt.Sprintf("payments to CHARGED, of the peer's payment intents, %d clients", n), ">= 1", "%.2f", peers)
		}
		b.report.goal(fmt.Sprintf("payments to CHARGED, of the database's inserts, %d clients", n), "", "%.2f (%.0f /s, p50 %.1f ms, p99 %.1f ms)",
			got.ratio(ours, inserts, n), r.perSecond, ms(r.p50), ms(r.p99))
	}
	return nil
}

// placeOrders has buyers begin to pay in the browser: each order then waits for
// the word that its payment intent succeeded.
func placeOrders(ctx context.Context, s *stack.Stack, n int) error {
	placing, ctx := errgroup.WithContext(ctx)
	placing.SetLimit(8)
	for range n {
		placing.Go(func() error {
			reference := uuid.NewString()
			body, err := json.Marshal(map[string]string{"plan_id": "annual", "email": reference + "@example.com", "checkout": "CLIENT"})
			if err != nil {
				return err
			}
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/v1/orders", bytes.NewReader(body))
			if err != nil {
				return err
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Idempotency-Key", reference)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode >= http.StatusMultipleChoices {
				return fmt.Errorf("an order is answered with %s", response.Status)
			}
			return nil
		})
	}
	return placing.Wait()
}

// payingEvents are deliveries that say that the waiting orders are paid.
func payingEvents(ctx context.Context, s *stack.Stack, secret string) ([][]byte, error) {
	rows, err := s.DB().Query(ctx, `SELECT p.payment_intent_id, p.customer_id, p.amount_minor, p.currency, p.order_id::text, p.reference::text, p.plan_id
		FROM payments.payments p JOIN orders.orders o ON o.id = p.order_id WHERE o.state = 'PENDING' AND p.status = 'REQUIRES_PAYMENT_METHOD'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]byte
	for rows.Next() {
		var intent, customer, currency, order, reference, plan string
		var amount int64
		if err := rows.Scan(&intent, &customer, &amount, &currency, &order, &reference, &plan); err != nil {
			return nil, err
		}
		body, err := renderEvent("payment_intent.succeeded", "payment_intent", map[string]string{
			"serial": strings.TrimPrefix(intent, "pi_"), "intent": intent, "customer": customer,
			"amount": strconv.FormatInt(amount, 10), "currency": strings.ToLower(currency),
			// As Payments gave them to the intent, and Stripe repeats them.
			"metadata": metadata("makegood_app", s.Env("APP_ID"), "order_id", order, "reference", reference, "plan_id", plan),
		})
		if err != nil {
			return nil, err
		}
		out = append(out, delivery(secret, body))
	}
	return out, rows.Err()
}
