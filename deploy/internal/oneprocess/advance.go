package oneprocess

import (
	"fmt"
	"slices"
	"strings"
	"sync"
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
	p := w.pending()
	for {
		next := w.nextMoment(to, p)
		w.Clock.set(next)
		p = w.settle()
		if stop != nil {
			stop()
			p = w.pending()
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

func (w *World) nextMoment(to time.Time, p pending) time.Time {
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
	consider(p.next)
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
	w.settle()
}

func (w *World) settle() pending {
	w.t.Helper()
	deadline := time.Now().Add(settleTimeout)
	for range settleRounds {
		w.raise()
		w.takeBack()
		news := len(w.collect()) + w.deliver()
		w.raise()
		p := w.pending()
		if news == 0 && p.jobs == 0 && len(p.due) == 0 {
			return p
		}
		if len(p.due) > 0 {
			// Where services are killed, a claim may be cut off; it is made again.
			if rows, err := w.beat(p.due); err != nil && w.between == nil {
				w.t.Fatalf("at %s: %v", w.Clock.Now(), err)
			} else if rows == 0 && w.between != nil {
				time.Sleep(2 * time.Millisecond) // who was just begun may not look yet
			}
		}
		for wait := 2 * time.Millisecond; p.jobs > 0; p = w.pending() {
			if time.Now().After(deadline) {
				w.t.Fatalf("at %s %d jobs never end: %s", w.Clock.Now(), p.jobs, w.whatIsDue())
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
	return pending{}
}

// beat has services look at what is due, and says how many rows they handled.
func (w *World) beat(due []string) (rows int, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	everybody := !w.sparing || slices.Contains(due, "reconciliation")
	for name, pulse := range w.pulses {
		if !everybody && !slices.Contains(due, name) {
			continue
		}
		all.Go(func() {
			n, failed := pulse.Beat()
			mu.Lock()
			defer mu.Unlock()
			rows += n
			if err == nil {
				err = failed
			}
		})
	}
	all.Wait()
	return rows, err
}

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
	due, jobs := []string{}, []string{"SELECT 0 AS ready, 0 AS waiting"}
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
			due = append(due, fmt.Sprintf("SELECT '%s', min(next_look_at) - interval '%d microseconds', 0, 0 FROM %s", table.service, skew, table.name))
		}
	}
	due = append(due, fmt.Sprintf("SELECT '', NULL::timestamptz, sum(ready)::int, sum(waiting)::int FROM (%s) AS jobs", strings.Join(jobs, " UNION ALL ")))
	w.dueRows = strings.Join(due, " UNION ALL ")
}

// pending is what there is to be done.
type pending struct {
	next time.Time // when the next row is due; zero for never
	due  []string  // the services that have rows which are due now
	jobs int       // that are to be done now
}

// pending reads what there is to be done. Jobs that wait for another try are put
// aside.
func (w *World) pending() (p pending) {
	w.t.Helper()
	rows, err := w.DB.Query(w.t.Context(), w.dueRows)
	if err != nil {
		w.t.Fatal(err)
	}
	waiting := 0
	now := w.Clock.Now()
	var service string
	var at *time.Time
	var jobs, later int
	if _, err := pgx.ForEachRow(rows, []any{&service, &at, &jobs, &later}, func() error {
		p.jobs, waiting = p.jobs+jobs, waiting+later
		if at == nil {
			return nil
		}
		if p.next.IsZero() || at.Before(p.next) {
			p.next = *at
		}
		if !at.After(now) && !slices.Contains(p.due, service) {
			p.due = append(p.due, service)
		}
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	if waiting > 0 {
		w.putAside()
	}
	return p
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
