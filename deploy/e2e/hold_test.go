package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// held is a step of the product that is being held.
type held struct {
	// reached waits until the product has come to the step.
	reached func(t *testing.T)
	// letGo ends the hold. What the named dead processes had in hand is lost with
	// them; everybody else goes on.
	letGo func(t *testing.T, dead []string)
}

// moment arranges that a step will be held.
type moment func(t *testing.T, s *shop) held

// stripe holds requests to Stripe: hang_before (on its way), hang_during (begun)
// or hang_after (done, the reply is not back).
func stripe(mode, method, path string) moment {
	return func(t *testing.T, s *shop) held {
		t.Helper()
		var fault struct {
			ID string `json:"id"`
		}
		s.sim(t, http.MethodPost, "/_sim/faults", map[string]any{"method": method, "path": path, "mode": mode, "times": 1}, &fault)
		return held{
			reached: func(t *testing.T) {
				t.Helper()
				await(t, fmt.Sprintf("%s %s to be held (%s)", method, path, mode), func() bool { return s.heldAtStripe(t, fault.ID) == 1 })
			},
			letGo: func(t *testing.T, dead []string) {
				t.Helper()
				for _, name := range dead {
					if name == "payments" { // its connection ends with it: what was not executed never will be
						await(t, "Stripe to see the dead client", func() bool { return s.heldAtStripe(t, fault.ID) == 0 })
					}
				}
				s.sim(t, http.MethodDelete, "/_sim/faults/"+fault.ID, nil, nil)
			},
		}
	}
}

func (s *shop) heldAtStripe(t *testing.T, id string) int {
	t.Helper()
	var list struct {
		Faults []struct {
			ID   string `json:"id"`
			Held int    `json:"held"`
		} `json:"faults"`
	}
	s.sim(t, http.MethodGet, "/_sim/faults", nil, &list)
	for _, f := range list.Faults {
		if f.ID == id {
			return f.Held
		}
	}
	t.Fatalf("the simulator lost fault %s", id)
	return 0
}

// sim speaks to the simulator's controls.
func (s *shop) sim(t *testing.T, method, path string, body, into any) {
	t.Helper()
	control(t, method, s.StripeURL()+path, body, into)
}

// control speaks JSON to a stand-in, which must agree.
func control(t *testing.T, method, url string, body, into any) {
	t.Helper()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		sent = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, sent)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s: %s", method, url, response.Status, read)
	}
	if into != nil {
		if err := json.Unmarshal(read, into); err != nil {
			t.Fatalf("%s %s: %v", method, url, err)
		}
	}
}

// holdKey is the advisory lock for which held writes wait.
const holdKey = 4711

// write holds the next write that fits: event is INSERT or UPDATE, when an SQL
// condition on NEW and OLD, or empty. The write waits inside its transaction,
// before the row changes, for a lock that the test has.
func write(event, table, when string) moment {
	return func(t *testing.T, s *shop) held {
		t.Helper()
		owner, err := s.DB().Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		run := func(sql string, args ...any) {
			t.Helper()
			if _, err := owner.Exec(t.Context(), sql, args...); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		run("SELECT pg_advisory_lock($1::bigint)", holdKey)
		run("CREATE SCHEMA IF NOT EXISTS e2e")
		run(fmt.Sprintf(`CREATE OR REPLACE FUNCTION e2e.wait() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM pg_advisory_xact_lock_shared(%d); RETURN NEW; END $$`, holdKey))
		condition := ""
		if when != "" {
			condition = "WHEN (" + when + ")"
		}
		run(fmt.Sprintf("CREATE TRIGGER e2e_hold BEFORE %s ON %s FOR EACH ROW %s EXECUTE FUNCTION e2e.wait()", event, table, condition))
		return held{
			reached: func(t *testing.T) {
				t.Helper()
				await(t, strings.TrimSpace(fmt.Sprintf("%s of %s %s to be held", event, table, when)), func() bool { return len(waiting(t, s.DB())) > 0 })
			},
			letGo: func(t *testing.T, dead []string) {
				t.Helper()
				// PostgreSQL notices a dead client only when it speaks to it, so
				// its backend would go on and commit: the process died before that.
				run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ANY($1)`, dead)
				await(t, "the sessions of the dead to end", func() bool {
					var left int
					if err := s.DB().QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = ANY($1)", dead).Scan(&left); err != nil {
						t.Fatal(err)
					}
					return left == 0
				})
				run("SELECT pg_advisory_unlock($1::bigint)", holdKey)
				run("DROP TRIGGER e2e_hold ON " + table)
				owner.Release()
			},
		}
	}
}

// waiting lists the sessions that are held.
func waiting(t *testing.T, db *pgxpool.Pool) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'advisory' AND l.objid = $1 AND NOT l.granted`, holdKey)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// mailServer holds the answer to a mail that it has accepted.
func mailServer(t *testing.T, s *shop) held {
	t.Helper()
	faults := s.InboxURL() + "/api/faults"
	control(t, http.MethodPost, faults, map[string]any{"hang_after_data": true, "times": 1}, nil)
	return held{
		reached: func(t *testing.T) {
			t.Helper()
			await(t, "the mail server to hold its answer", func() bool {
				var now struct {
					Held int `json:"held"`
				}
				control(t, http.MethodGet, faults, nil, &now)
				return now.Held == 1
			})
		},
		letGo: func(t *testing.T, _ []string) {
			t.Helper()
			control(t, http.MethodPost, faults, map[string]any{}, nil)
		},
	}
}
