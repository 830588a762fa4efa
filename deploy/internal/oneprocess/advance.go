package oneprocess

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// moments are times at which the test wants the clock to stop.
type moments []time.Time

// Alarm has the clock stop at a time, on its way.
func (w *World) Alarm(at time.Time) { w.alarms = append(w.alarms, at) }

// AdvanceTo lets time pass. The clock jumps from moment to moment: to whatever is
// due next at Stripe, in the product, in the post or by alarm, and at least once a
// day. At each, all that is due is done, and then stop is called; nil is nobody.
func (w *World) AdvanceTo(to time.Time, stop func()) {
	w.t.Helper()
	for {
		next := w.nextMoment(to)
		w.Clock.set(next)
		w.Settle()
		if stop != nil {
			stop()
		}
		if !next.Before(to) {
			return
		}
	}
}

// Advance lets a duration pass.
func (w *World) Advance(d time.Duration, stop func()) {
	w.t.Helper()
	w.AdvanceTo(w.Clock.Now().Add(d), stop)
}

func (w *World) nextMoment(to time.Time) time.Time {
	now, next := w.Clock.Now(), to
	consider := func(at time.Time) {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	w.alarms = slices.DeleteFunc(w.alarms, func(at time.Time) bool { return !at.After(now) })
	for _, at := range w.alarms {
		consider(at)
	}
	for _, l := range w.mail.letters {
		consider(l.at)
	}
	for _, job := range w.aside {
		consider(job.at)
	}
	w.mu.Lock()
	for _, at := range w.fallen {
		consider(at)
	}
	w.mu.Unlock()
	consider(w.Stripe.nextTimer())
	if due, _ := w.pending(); due != nil {
		consider(*due)
	}
	consider(now.Add(stopAtLeast))
	return next
}

const (
	// stopAtLeast is how often the clock stops when nothing happens.
	stopAtLeast = 25 * time.Hour
	// settleTimeout is real time: all work of one moment on a slow machine.
	settleTimeout = 4 * time.Minute
	// settleRounds is how often work may make further work in one moment.
	settleRounds = 200
)

// Settle lets everything that is due now be done: at Stripe, on the way of the
// events that are to arrive, in the services' own looks and in their jobs.
func (w *World) Settle() {
	w.t.Helper()
	deadline := time.Now().Add(settleTimeout)
	for range settleRounds {
		w.raise()
		w.takeBack()
		news := len(w.collect()) + w.deliver()
		w.raise()
		due, jobs := w.pending()
		if news == 0 && jobs == 0 && !w.isDue(due) {
			return
		}
		if w.isDue(due) {
			// Where services are killed, a claim may be cut off; it is made again.
			if rows, err := w.pulse.Beat(); err != nil && w.between == nil {
				w.t.Fatalf("at %s: %v", w.Clock.Now(), err)
			} else if rows == 0 && w.between != nil {
				time.Sleep(2 * time.Millisecond) // who was just begun may not look yet
			}
		}
		for wait := 2 * time.Millisecond; jobs > 0; _, jobs = w.pending() {
			if time.Now().After(deadline) {
				w.t.Fatalf("at %s %d jobs never end: %s", w.Clock.Now(), jobs, w.whatIsDue())
			}
			time.Sleep(wait)
			wait = min(wait*3/2, 20*time.Millisecond) // asking, too, keeps the machine from the jobs
			w.raise()
		}
		if time.Now().After(deadline) {
			break
		}
	}
	w.t.Fatalf("at %s the world does not settle: %s", w.Clock.Now(), w.whatIsDue())
}

func (w *World) isDue(at *time.Time) bool { return at != nil && !at.After(w.Clock.Now()) }

// dueTable is one whose rows carry their own next look, or one of jobs.
type dueTable struct {
	service, name string
	jobs          bool
}

// findDueTables looks for them.
func (w *World) findDueTables() {
	w.t.Helper()
	rows, err := w.DB.Query(w.t.Context(), `SELECT table_schema, quote_ident(table_schema) || '.' || quote_ident(table_name), table_name = 'river_job'
		FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_type = 'BASE TABLE' AND (column_name = 'next_look_at' OR table_name = 'river_job' AND column_name = 'finalized_at')`)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.dueTables, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (found dueTable, err error) {
		return found, row.Scan(&found.service, &found.name, &found.jobs)
	}); err != nil {
		w.t.Fatal(err)
	}
	w.askForDue()
}

// askForDue prepares what pending asks: only of services that run.
func (w *World) askForDue() {
	due, jobs := []string{"SELECT NULL::timestamptz AS at"}, []string{"SELECT 0 AS ready, 0 AS waiting"}
	for _, table := range w.dueTables {
		switch {
		case !w.isRunning(table.service):
		case table.jobs:
			jobs = append(jobs, `SELECT count(*) FILTER (WHERE state = 'running' OR scheduled_at <= now()),
				count(*) FILTER (WHERE state <> 'running' AND scheduled_at > now() AND scheduled_at < now() + `+asideBy+`) FROM `+table.name+` WHERE finalized_at IS NULL`)
		case table.name == "reconciliation.sweeps" && w.settings["RECONCILE_EVERY"] == "off": // nobody looks
		case table.name == "provisioning.app_access" && w.settings["ACCESS_HOOK_URL"] == "": // nobody looks
		default:
			skew := time.Duration(w.skews[table.service].Load()).Microseconds()
			due = append(due, fmt.Sprintf("SELECT min(next_look_at) - interval '%d microseconds' FROM %s", skew, table.name))
		}
	}
	w.dueRows = fmt.Sprintf("SELECT (SELECT min(at) FROM (%s) AS due), sum(ready), sum(waiting) FROM (%s) AS jobs",
		strings.Join(due, " UNION ALL "), strings.Join(jobs, " UNION ALL "))
}

// pending is when the next row is due, and how many jobs are there to be done
// now. Those that wait for another try are put aside.
func (w *World) pending() (due *time.Time, jobs int) {
	w.t.Helper()
	var waiting int
	if err := w.DB.QueryRow(w.t.Context(), w.dueRows).Scan(&due, &jobs, &waiting); err != nil {
		w.t.Fatal(err)
	}
	if waiting > 0 {
		w.putAside()
	}
	return due, jobs
}

// whatIsDue says what a world that does not settle is busy with.
func (w *World) whatIsDue() string {
	var said []string
	for _, q := range []string{
		`SELECT 'order ' || id || ' ' || state || ' ' || next_look_at FROM orders.orders WHERE next_look_at <= $1`,
		`SELECT 'attempt ' || id || ' ' || status || ' ' || next_look_at FROM payments.attempts WHERE next_look_at <= $1`,
		`SELECT 'event ' || stripe_event_id || ' ' || type || ' ' || coalesce(last_error, '') FROM payments.webhook_events WHERE next_look_at <= $1`,
		`SELECT 'job ' || kind || ' ' || state || ' ' || coalesce(errors[array_upper(errors, 1)]->>'error', '') FROM orders.river_job WHERE finalized_at IS NULL AND $1::timestamptz IS NOT NULL`,
		`SELECT 'job ' || kind || ' ' || state || ' ' || coalesce(errors[array_upper(errors, 1)]->>'error', '') FROM notifications.river_job WHERE finalized_at IS NULL AND $1::timestamptz IS NOT NULL`,
	} {
		rows, err := w.DB.Query(w.t.Context(), q, w.Clock.Now())
		if err != nil {
			return err.Error()
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				line = err.Error()
			}
			said = append(said, line)
		}
		rows.Close()
	}
	return strings.Join(said, "; ")
}
