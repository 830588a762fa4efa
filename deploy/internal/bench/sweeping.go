package bench

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/deploy/internal/stack"
)

// multiply makes history of what one purchase left.
//
//go:embed multiply.sql
var multiply string

// newPurchases are what every sweep meets within its overlap.
const newPurchases = 20

// sweeping compares sweeps that find nothing wrong beside a short history and a
// long one, taking turns: two whole products on one PostgreSQL.
func (b *bench) sweeping(ctx context.Context) error {
	// No body goes, so that all that leave the ledger are in their months.
	b.extra = []string{"RAW_BODY_RETENTION=87600h"}
	defer func() { b.extra = nil }()
	return b.withStack(ctx, "", func(short *stack.Stack) error {
		if _, err := short.DB().Exec(ctx, "CREATE DATABASE long_history"); err != nil {
			return err
		}
		address, err := url.Parse(short.Env("DATABASE_URL"))
		if err != nil {
			return err
		}
		address.Path = "/long_history"
		return b.withStackOn(ctx, "", address.String(), func(long *stack.Stack) error {
			both := []*stack.Stack{short, long}
			for i, s := range both {
				if err := b.remember(ctx, s, []int{1000, b.scale.purchases}[i]); err != nil {
					return err
				}
			}
			if err := b.sizes(ctx, long); err != nil {
				return err
			}
			if err := b.retention(ctx, long); err != nil {
				return err
			}
			if err := b.compareSweeps(ctx, both); err != nil {
				return err
			}
			return b.integrity(ctx, both)
		})
	})
}

// remember gives a product a history: one purchase, seen by a sweep, many times
// over, and some that are new.
func (b *bench) remember(ctx context.Context, s *stack.Stack, purchases int) error {
	if err := buy(ctx, s, 1); err != nil {
		return err
	}
	if _, err := sweep(ctx, s); err != nil {
		return err
	}
	began := time.Now()
	err := pgx.BeginFunc(ctx, s.DB(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('bench.copies', $1::text, true)", strconv.Itoa(purchases)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, multiply)
		return err
	})
	if err != nil {
		return fmt.Errorf("multiply: %w", err)
	}
	if err := tidy(ctx, s); err != nil {
		return err
	}
	for _, table := range []string{"orders.orders", "payments.payments", "payments.webhook_events", "provisioning.grants", "notifications.messages",
		"reconciliation.charge_dispositions", "reconciliation.balance_transactions"} {
		var rows int
		if err := s.DB().QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&rows); err != nil || rows <= purchases {
			return fmt.Errorf("%s has %d rows instead of more than %d: %w", table, rows, purchases, err)
		}
	}
	b.say("  a history of %d purchases in %s", purchases, time.Since(began).Round(time.Second))
	return buy(ctx, s, newPurchases)
}

// tidy has the database do at once what it would do by and by.
func tidy(ctx context.Context, s *stack.Stack) error {
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if _, err := s.DB().Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// costRounds is how many sweeps the database's own counts are taken over.
const costRounds = 5

// compareSweeps lets sweeps take turns.
func (b *bench) compareSweeps(ctx context.Context, both []*stack.Stack) error {
	for _, s := range both { // what a first sweep after a long silence does, and prepared statements
		for range 6 {
			if _, err := sweep(ctx, s); err != nil {
				return err
			}
		}
	}
	var took [2][]time.Duration
	for round := range b.scale.sweeps {
		for i := range both {
			which := (i + round) % 2
			one, err := sweep(ctx, both[which])
			if err != nil {
				return err
			}
			took[which] = append(took[which], one)
		}
	}
	var cost [2]used
	var whole string
	for i, s := range both {
		before, err := usedSoFar(ctx, s)
		if err != nil {
			return err
		}
		for range costRounds {
			if _, err := sweep(ctx, s); err != nil {
				return err
			}
		}
		after, err := usedSoFar(ctx, s)
		if err != nil {
			return err
		}
		cost[i] = used{commits: (after.commits - before.commits) / costRounds, rows: (after.rows - before.rows) / costRounds, pages: (after.pages - before.pages) / costRounds}
		whole = readWhole(before, after)
	}
	for i := range took {
		slices.Sort(took[i])
	}
	small, large := took[0][len(took[0])/2], took[1][len(took[1])/2]
	b.say("  a sweep takes %s after 1000 purchases, %s after %d", small, large, b.scale.purchases)
	behind := fmt.Sprintf("%d purchases behind it, of 1000", b.scale.purchases)
	b.report.goal("a sweep's time, "+behind, "<= 1.2", "%.2f (%.0f ms, %.0f ms)", float64(large)/float64(small), ms(large), ms(small))
	b.report.goal("a sweep's transactions, "+behind, "<= 1.2", "%.2f (%.0f, %.0f)", cost[1].commits/cost[0].commits, cost[1].commits, cost[0].commits)
	b.report.goal("rows that the database reads for a sweep, "+behind, "<= 1.2", "%.2f (%.0f, %.0f)", cost[1].rows/cost[0].rows, cost[1].rows, cost[0].rows)
	// No goal: indexes of more rows are deeper.
	b.report.goal("pages that the database looks at for a sweep, "+behind, "", "%.2f (%.0f, %.0f)", cost[1].pages/cost[0].pages, cost[1].pages, cost[0].pages)
	b.report.goal("tables of history that were read from end to end meanwhile", "none", "%s", cmp.Or(whole, "none"))
	return nil
}

// buy has buyers buy the plan, and waits until all of it rests.
func buy(ctx context.Context, s *stack.Stack, n int) error {
	for range n {
		reference := uuid.NewString()
		request := map[string]string{"plan_id": "annual", "email": reference + "@example.com", "name": "Jane Example", "payment_method": "pm_card_visa"}
		if err := call(ctx, http.MethodPost, s.URL()+"/v1/orders", http.Header{"Idempotency-Key": {reference}}, request, nil); err != nil {
			return err
		}
	}
	return rest(ctx, s)
}

// rest waits until nothing is left to do.
func rest(ctx context.Context, s *stack.Stack) error {
	for resting := 0; ; {
		err := s.DB().QueryRow(ctx, `SELECT
			(SELECT count(*) FROM orders.orders WHERE next_look_at IS NOT NULL) + (SELECT count(*) FROM payments.attempts WHERE next_look_at IS NOT NULL) +
			(SELECT count(*) FROM payments.webhook_events WHERE status = 'RECEIVED' OR next_look_at IS NOT NULL) +
			(SELECT count(*) FROM notifications.messages WHERE state IN ('QUEUED', 'SENDING')) +
			(SELECT count(*) FROM orders.orders AS o WHERE state = 'COMPLETE' AND completed_at > now() - interval '1 hour' AND NOT EXISTS (
				SELECT FROM notifications.messages AS m WHERE m.dedupe_key = 'order/' || o.id || '/confirmation'))`).Scan(&resting)
		if err != nil {
			return err
		}
		if resting == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d things do not come to rest: %w", resting, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// sweep has one run, and says how long it took.
func sweep(ctx context.Context, s *stack.Stack) (took time.Duration, err error) {
	token, err := s.Token("admin")
	if err != nil {
		return 0, err
	}
	var run struct {
		Status  string
		Details []string
	}
	began := time.Now()
	if err := call(ctx, http.MethodPost, s.AdminURL()+"/admin/v1/reconciliation/runs", http.Header{"Authorization": {"Bearer " + token}}, struct{}{}, &run); err != nil {
		return 0, err
	}
	if took = time.Since(began); run.Status != "SUCCEEDED" {
		return 0, fmt.Errorf("the run %s: %v", run.Status, run.Details)
	}
	return took, nil
}

// used is what the database has done for the services.
type used struct {
	commits, rows, pages float64
	// scans is how often each long table was read from one end to the other.
	scans map[string]int64
}

// usedSoFar waits until the sessions have told what they did, which they do when
// they are idle for a moment.
func usedSoFar(ctx context.Context, s *stack.Stack) (u used, err error) {
	select {
	case <-ctx.Done():
		return u, ctx.Err()
	case <-time.After(1500 * time.Millisecond):
	}
	err = s.DB().QueryRow(ctx, "SELECT xact_commit, tup_returned + tup_fetched, blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()").Scan(&u.commits, &u.rows, &u.pages)
	if err != nil {
		return u, err
	}
	rows, err := s.DB().Query(ctx, "SELECT t.relid::regclass::text, t.seq_scan FROM pg_stat_user_tables AS t WHERE t.n_live_tup > 500")
	if err != nil {
		return u, err
	}
	u.scans = map[string]int64{}
	var table string
	var scans int64
	_, err = pgx.ForEachRow(rows, []any{&table, &scans}, func() error {
		u.scans[table] = scans
		return nil
	})
	return u, err
}

// readWhole names the tables that were read from one end to the other.
func readWhole(before, after used) string {
	var tables []string
	for table, scans := range after.scans {
		if times := scans - before.scans[table]; times > 0 {
			tables = append(tables, fmt.Sprintf("%s (%d times)", table, times))
		}
	}
	slices.Sort(tables)
	return strings.Join(tables, ", ")
}

// keepingAlive has a connection for each buyer of the largest crowd.
var keepingAlive = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// call sends JSON and reads JSON.
func call(ctx context.Context, method, address string, header http.Header, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	request.Header = header.Clone()
	request.Header.Set("Content-Type", "application/json")
	response, err := keepingAlive.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s is answered with %s: %.300s", method, request.URL.Path, response.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
