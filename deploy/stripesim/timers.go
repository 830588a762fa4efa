package stripesim

import "time"

// timer is something that happens by itself when its time has come. It is
// journaled, so that a restart forgets nothing that is due.
type timer struct {
	Header        // Created is when it is due
	Action string `json:"action"`
	Ref    string `json:"ref"` // id of the object it is about
}

// timerActions are what timers do; each finds its object and looks whether
// there is still something to do.
var timerActions = map[string]func(t *tx, ref string){
	"settle":     (*tx).settleLater,
	"refund":     (*tx).settleRefund,
	"payout":     (*tx).payOut,
	"arrival":    (*tx).payoutArrives,
	"session":    (*tx).expireSession,
	"cycle":      (*tx).cycle,
	"finalize":   (*tx).finalizeAndPay,
	"retry":      (*tx).retryInvoice,
	"incomplete": (*tx).expireIncomplete,
	"cancel":     (*tx).cancelLater,
	"resume":     (*tx).resumeCollection,
}

// at schedules an action, in place of one of the same kind for the same object.
func (t *tx) at(due int64, action, ref string) {
	save(t, t.w.timers, &timer{Header: Header{ID: action + ":" + ref, Object: t.w.timers.kind, Created: due}, Action: action, Ref: ref})
}

func (t *tx) after(d time.Duration, action, ref string) { t.at(t.now.Add(d).Unix(), action, ref) }

func (t *tx) unschedule(action, ref string) { discard(t, t.w.timers, action+":"+ref) }

// nextTimer is the one that is due first, in either mode.
func (s *Server) nextTimer() (*world, *timer) {
	var of *world
	var first *timer
	for _, w := range s.worlds {
		if len(w.timers.ordered) > 0 {
			if tm := w.timers.ordered[0]; first == nil || tm.Created < first.Created {
				of, first = w, tm
			}
		}
	}
	return of, first
}

// runDue does everything that is due until the given moment, each thing in a
// change of its own and dated at its own time. The mutex is held.
func (s *Server) runDue(until time.Time) {
	for s.broken == nil {
		w, tm := s.nextTimer()
		if tm == nil || tm.Created > until.Unix() {
			return
		}
		t := &tx{s: s, w: w, now: time.Unix(tm.Created, 0)}
		discard(t, w.timers, tm.ID)
		timerActions[tm.Action](t, tm.Ref)
		if err := t.commit(); err != nil {
			s.log.Error("the journal cannot be written", "error", err)
			s.broken = err
		}
	}
}

// watchTimers lets time pass for an account that nobody asks anything.
func (s *Server) watchTimers() {
	const every = 200 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-ticker.C:
			s.mu.Lock()
			s.runDue(s.now())
			s.mu.Unlock()
		}
	}
}
