package oneprocess

import (
	"strings"
	"time"
)

// Jobs are River's, which lives in real time. A job that waits for its next try
// is put aside until so much time has passed on the world's clock.

// asideBy is how far a job is put aside in real time; nobody waits that long.
const asideBy = "interval '1000 years'"

// aside is a job that waits on the world's clock.
type aside struct {
	table string
	id    int64
	at    time.Time
}

// putAside takes the jobs out of real time that wait for their next try.
func (w *World) putAside() {
	w.t.Helper()
	for _, table := range w.dueTables {
		if !table.jobs {
			continue
		}
		rows, err := w.DB.Query(w.t.Context(), `UPDATE `+table.name+` SET scheduled_at = scheduled_at + `+asideBy+`
			WHERE finalized_at IS NULL AND state <> 'running' AND scheduled_at > now() AND scheduled_at < now() + `+asideBy+`
			RETURNING id, extract(epoch FROM scheduled_at - `+asideBy+` - now())::float8`)
		if err != nil {
			w.t.Fatal(err)
		}
		for rows.Next() {
			var id int64
			var seconds float64
			if err := rows.Scan(&id, &seconds); err != nil {
				w.t.Fatal(err)
			}
			w.aside = append(w.aside, aside{table.name, id, w.Clock.Now().Add(time.Duration(seconds * float64(time.Second)))})
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// takeBack makes the jobs whose time has come available.
func (w *World) takeBack() {
	w.t.Helper()
	now, waiting := w.Clock.Now(), w.aside[:0]
	for _, job := range w.aside {
		if job.at.After(now) {
			waiting = append(waiting, job)
			continue
		}
		schema, _, _ := strings.Cut(job.table, ".")
		if _, err := w.DB.Exec(w.t.Context(), `UPDATE `+job.table+` SET state = 'available', scheduled_at = now() WHERE id = $1 AND finalized_at IS NULL`, job.id); err != nil {
			w.t.Fatal(err)
		}
		// River would find it within a second.
		if _, err := w.DB.Exec(w.t.Context(), `SELECT pg_notify($1, '{"queue": "default"}')`, schema+".river_insert"); err != nil {
			w.t.Fatal(err)
		}
	}
	w.aside = waiting
}
