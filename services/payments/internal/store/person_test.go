package store

import (
	"slices"
	"testing"
	"time"

	personalv1 "makegood.example/proto/gen/personal/v1"
	"makegood.example/services/platform/personal"
	"makegood.example/services/platform/pgtest"
)

// A body that the walk moves while its person is erased is erased with them; what an
// event of theirs is about is named, for the cases about it.
func TestABodyThatMovesDuringAnErasureIsErased(t *testing.T) {
	db := pgtest.New(t)
	owner, pool, ctx := db.Owner(t), db.Pool(t, "payments"), t.Context()
	now := time.Date(2026, 12, 15, 0, 0, 0, 0, time.UTC)
	if _, err := owner.Exec(ctx, `INSERT INTO payments.webhook_events (stripe_event_id, type, livemode, api_version, object_id, customer_email, status, attempt_count, payload, received_at, processed_at)
		VALUES ('evt_1', 'x', false, '', 'ch_1', 'jane@example.com', 'IGNORED', 1, 'body', $1, $1)`, now.AddDate(0, -1, 0)); err != nil {
		t.Fatal(err)
	}
	// The walk has moved the body and not ended yet.
	walk, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = walk.Rollback(ctx) }()
	if _, err := walk.Exec(ctx, `SELECT payments.open_body_month($1);`, now.AddDate(0, -1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := walk.Exec(ctx, `WITH e AS (UPDATE payments.webhook_events SET payload = NULL RETURNING stripe_event_id, received_at)
		INSERT INTO payments.webhook_bodies (received_at, stripe_event_id, body) SELECT received_at, stripe_event_id, 'body' FROM e`); err != nil {
		t.Fatal(err)
	}
	server := &personal.Server{Keeper: Person, Pool: pool, Now: func() time.Time { return now }}
	erased := make(chan error, 1)
	go func() {
		answer, err := server.ErasePerson(ctx, &personalv1.ErasePersonRequest{Pseudonym: "erased-0d4a2a3e-5a26-4d2c-8d5a-3f0a7c1f9e11@erased.invalid", Person: &personalv1.Person{Email: "jane@example.com"}})
		if err == nil && !slices.ContainsFunc(answer.GetNames(), func(n *personalv1.Names) bool {
			return n.GetOf() == personal.Objects && slices.Contains(n.GetIds(), "ch_1")
		}) {
			t.Errorf("what the event is about is not named: %v", answer.GetNames())
		}
		erased <- err
	}()
	for waits := 0; waits == 0; {
		if err := owner.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if err := walk.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-erased; err != nil {
		t.Fatal(err)
	}
	var left int
	if err := owner.QueryRow(ctx, "SELECT (SELECT count(*) FROM payments.webhook_bodies) + (SELECT count(*) FROM payments.webhook_events WHERE num_nonnulls(payload, customer_email) > 0)").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d are left, %v", left, err)
	}
}
