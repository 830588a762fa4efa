package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// hold stops Orders, from the database and as its owner, at one moment: when it
// is about to write that an order is CHARGED.
type hold struct {
	conn *pgxpool.Conn // has the lock that the trigger waits for
}

// poll is the pause between two questions to the database.
const poll = 10 * time.Millisecond

const installHold = `
CREATE FUNCTION orders.demo_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(249, 1);
	RETURN NEW;
END $$;
CREATE TRIGGER demo_hold BEFORE UPDATE ON orders.orders FOR EACH ROW
	WHEN (OLD.state = 'PENDING' AND NEW.state = 'CHARGED') EXECUTE FUNCTION orders.demo_hold();`

func newHold(ctx context.Context, db *pgxpool.Pool) (*hold, error) {
	conn, err := db.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	h := &hold{conn: conn}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(249, 1)"); err != nil {
		conn.Release()
		return nil, err
	}
	if _, err := conn.Exec(ctx, installHold); err != nil {
		conn.Release()
		return nil, fmt.Errorf("install the trigger: %w", err)
	}
	return h, nil
}

// await returns when Orders waits in the trigger and Payments has committed
// that Stripe took the money.
func (h *hold) await(ctx context.Context) error {
	return until(ctx, poll, func() (bool, error) {
		var waits bool
		err := h.conn.QueryRow(ctx, `
			SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 249 AND objid = 1 AND NOT granted)
			   AND EXISTS (SELECT 1 FROM payments.payments WHERE status = 'SUCCEEDED')`).Scan(&waits)
		return waits, err
	})
}

// remove takes the trigger away after Orders was killed. PostgreSQL notices a
// dead client only when it next reads from it, which here is after the wait; so
// its connections are ended first, as they would have been anyway: the killed
// transaction has sent no COMMIT.
func (h *hold) remove(ctx context.Context) error {
	err := until(ctx, poll, func() (bool, error) {
		var left int
		err := h.conn.QueryRow(ctx, `
			SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND usename = current_database() || '_orders'`).Scan(&left)
		return left == 0, err
	})
	if err != nil {
		return fmt.Errorf("end the connections of the killed process: %w", err)
	}
	_, err = h.conn.Exec(ctx, `DROP TRIGGER demo_hold ON orders.orders; DROP FUNCTION orders.demo_hold(); SELECT pg_advisory_unlock(249, 1)`)
	return err
}

// close gives the connection back, also when the story ends before its time:
// the database could not be closed otherwise.
func (h *hold) close() { h.conn.Release() }

// until asks again and again, with pauses, until the answer is yes.
func until(ctx context.Context, pause time.Duration, ask func() (bool, error)) error {
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
