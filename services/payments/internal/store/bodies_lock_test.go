package store

import (
	"context"
	"testing"
	"time"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/platform/pgtest"
)

// A backup reads every table, for as long as it takes. The walk opens its months beside
// it, and nobody who handles events stands in line behind the walk.
func TestAWalkBesideABackupKeepsNobodyWaiting(t *testing.T) {
	db := pgtest.New(t)
	owner, s := db.Owner(t), New(db.Pool(t, "payments"), false)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	now := time.Date(2026, 12, 15, 0, 0, 0, 0, time.UTC)
	if _, err := owner.Exec(ctx, `INSERT INTO payments.webhook_events (stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, payload, received_at, processed_at)
		VALUES ('evt_1', 'x', false, '', '', 'PROCESSED', 1, 'body', $1, $1)`, now.AddDate(0, -1, 0)); err != nil {
		t.Fatal(err)
	}
	backup, err := owner.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = backup.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := backup.Exec(ctx, "LOCK TABLE payments.webhook_events, payments.webhook_bodies IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	w, err := s.WalkBodies(ctx, now, now.AddDate(0, -6, 0), now, now.Add(time.Hour))
	if err != nil || w.Moved != 1 {
		t.Fatalf("beside a backup: %+v, %v", w, err)
	}

	// And while a step of the walk is under way, events are handled.
	walk, err := s.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = walk.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := walk.Exec(ctx, "SELECT payments.open_body_month($1)", now); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Take(ctx, Act{EventID: "evt_1", At: now}, now.Add(time.Minute)); err != nil && payment.ErrNoBody != err {
		t.Errorf("an event cannot be taken while a month is opened: %v", err)
	}
}
