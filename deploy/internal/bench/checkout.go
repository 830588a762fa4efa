package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/deploy/internal/stack"
)

// buyers is how many buy at the same time.
const buyers = 8

// idleFor is how long the product is watched while nobody buys.
const idleFor = 10 * time.Second

// idlers are the processes of the product.
var idlers = []string{"orders", "payments", "provisioning", "notifications", "reconciliation", "gateway"}

// checkout measures purchases through all services and the simulator, beside six
// commits for each order on the same server; and what the product takes when nobody
// buys. Sweeps and looks are on, as they always are.
func (b *bench) checkout(ctx context.Context) error {
	b.extra = []string{"RECONCILE_EVERY=2m", "RESCUE_AFTER=30s", "ATTEMPTS_PER_IP=1000000", "REQUESTS_PER_IP=1000000"}
	defer func() { b.extra = nil }()
	return b.withStack(ctx, "", func(s *stack.Stack) error {
		if err := buy(ctx, s, 10); err != nil { // warm
			return err
		}
		if err := b.idle(ctx, s); err != nil {
			return err
		}
		lasts := b.scale.lasts * 2
		var ours, commits []rate
		for range b.scale.rounds {
			for _, m := range []struct {
				into *[]rate
				way  func() (rate, error)
			}{
				{&ours, func() (rate, error) { return purchases(ctx, s, buyers, lasts, 0) }},
				{&commits, func() (rate, error) { return sixCommits(ctx, s, lasts) }},
			} {
				r, err := m.way()
				if err != nil {
					return err
				}
				*m.into = append(*m.into, r)
			}
		}
		full, floor := median(ours), median(commits)
		b.say("  purchases to COMPLETE %s; six commits an order %s", full, floor)
		b.report.goal(fmt.Sprintf("purchases to COMPLETE, of six commits an order, %d buyers", buyers), ">= 0.33", "%.2f (%.0f of %.0f a second)",
			full.perSecond/floor.perSecond, full.perSecond, floor.perSecond)

		// Long enough that its p99 is not one moment in which everybody waited for the disk.
		since := time.Now()
		half, err := purchases(ctx, s, buyers, 10*lasts, full.perSecond/2)
		if err != nil {
			return err
		}
		b.report.goal("purchases at half of that, p99 of p50, the simulator's time included", "<= 4", "%.1f (%.1f ms, %.1f ms)",
			float64(half.p99)/float64(half.p50), ms(half.p99), ms(half.p50))
		if err := buy(ctx, s, 1); err != nil { // and wait until all mails are sent
			return err
		}
		var jobs int
		var pickup time.Duration
		err = s.DB().QueryRow(ctx, `SELECT count(*), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY attempted_at - greatest(scheduled_at, created_at)), '0')
			FROM orders.river_job WHERE created_at >= $1 AND attempt = 1 AND attempted_at IS NOT NULL`, since).Scan(&jobs, &pickup)
		if err != nil {
			return err
		}
		b.report.goal(fmt.Sprintf("job pickup, p50, at %.0f a second", half.perSecond), "< 10 ms", "%.1f ms (%d jobs)", ms(pickup), jobs)
		return b.growth(ctx, s)
	})
}

// idle watches the product while nobody buys.
func (b *bench) idle(ctx context.Context, s *stack.Stack) error {
	lasts := idleFor
	if b.opts.Quick {
		lasts = time.Second
	}
	before := processorTime(s)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(lasts):
	}
	spent := sum(between(before, processorTime(s)), idlers...)
	var held int64
	for _, name := range idlers {
		held += resident(s, name)
	}
	b.report.goal("six processes idle, of one core", "<= 3 %", "%.1f %%", 100*spent.Seconds()/lasts.Seconds())
	b.report.goal("six processes idle, memory", "<= 300 MB", "%d MB", held>>20)
	return nil
}

// purchases has buyers buy for a while, one after the other, as fast as they can or
// so many a second in all.
func purchases(ctx context.Context, s *stack.Stack, buyers int, lasts time.Duration, perSecond float64) (rate, error) {
	var mu sync.Mutex
	var took []time.Duration
	return during(buyers, lasts, func(turn int, began time.Time) error {
		if perSecond > 0 {
			due := began.Add(time.Duration(float64(turn) / perSecond * float64(time.Second)))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Until(due)):
			}
		}
		reference := uuid.NewString()
		request := map[string]string{"plan_id": "annual", "email": reference + "@example.com", "name": "Jane Example", "payment_method": "pm_card_visa"}
		var order struct{ State string }
		sent := time.Now()
		if err := call(ctx, http.MethodPost, s.URL()+"/v1/orders", http.Header{"Idempotency-Key": {reference}}, request, &order); err != nil {
			return err
		}
		if order.State != "COMPLETE" && order.State != "RECOVERED" {
			return fmt.Errorf("an order is %s", order.State)
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(sent))
		return nil
	}, &took)
}

// sixCommits is the floor under a checkout: six small transactions for each order.
func sixCommits(ctx context.Context, s *stack.Stack, lasts time.Duration) (rate, error) {
	if _, err := s.DB().Exec(ctx, "CREATE SCHEMA IF NOT EXISTS bench; CREATE TABLE IF NOT EXISTS bench.commits (id uuid PRIMARY KEY, step int NOT NULL, note text NOT NULL)"); err != nil {
		return rate{}, err
	}
	conns := make(chan *pgx.Conn, buyers)
	for range buyers {
		conn, err := pgx.Connect(ctx, s.Env("DATABASE_URL"))
		if err != nil {
			return rate{}, err
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		conns <- conn
	}
	note := strings.Repeat("what is known of an order ", 15)
	return during(buyers, lasts, func(int, time.Time) error {
		conn := <-conns
		defer func() { conns <- conn }()
		id := uuid.New()
		_, err := conn.Exec(ctx, "INSERT INTO bench.commits (id, step, note) VALUES ($1, 1, $2)", id, note)
		for step := 2; step <= 6 && err == nil; step++ {
			_, err = conn.Exec(ctx, "UPDATE bench.commits SET step = $2 WHERE id = $1", id, step)
		}
		return err
	}, nil)
}

// during does something again and again by so many at a time.
func during(many int, lasts time.Duration, do func(turn int, began time.Time) error, took *[]time.Duration) (rate, error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	failed := make([]error, many)
	began := time.Now()
	next := func() int {
		mu.Lock()
		defer mu.Unlock()
		done++
		return done - 1
	}
	for i := range many {
		all.Go(func() {
			for time.Since(began) < lasts && failed[i] == nil {
				failed[i] = do(next(), began)
			}
		})
	}
	all.Wait()
	r := rate{perSecond: float64(done) / time.Since(began).Seconds()}
	if took != nil && len(*took) > 0 {
		slices.Sort(*took)
		r.p50, r.p99 = (*took)[len(*took)/2], (*took)[len(*took)*99/100]
	}
	return r, errors.Join(failed...)
}
