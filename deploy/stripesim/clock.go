package stripesim

import (
	"net/http"
	"time"
)

// clockSetting is how far the account's clock is ahead of the configured one.
type clockSetting struct {
	Header
	OffsetNS int64 `json:"offset_ns"`
}

const clockID = "clock"

// now is the account's time: both modes share one clock.
func (s *Server) now() time.Time {
	return s.cfg.Clock().Add(time.Duration(s.offset.Load()))
}

func (s *Server) resumeClock() {
	if c, ok := s.worlds[false].clocks.get(clockID); ok {
		s.offset.Store(c.OffsetNS)
	}
}

// advance moves the clock to a later moment; what falls due on the way happens
// in the order of time, dated at its own.
func (s *Server) advance(to time.Time) error {
	s.runDue(to)
	offset := to.Sub(s.cfg.Clock())
	s.offset.Store(int64(offset))
	t := s.newTx(s.worlds[false])
	save(t, t.w.clocks, &clockSetting{Header: Header{ID: clockID, Object: t.w.clocks.kind}, OffsetNS: int64(offset)})
	return t.commit()
}

type clockView struct {
	Now    time.Time  `json:"now"`
	Unix   int64      `json:"unix"`
	Ahead  string     `json:"ahead"` // of the configured clock
	Due    int        `json:"due"`   // how much is waiting for its time
	NextAt *time.Time `json:"next_at"`
}

func (s *Server) controlClock(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answerClock(w)
}

func (s *Server) answerClock(w http.ResponseWriter) {
	now := s.now().UTC()
	v := clockView{Now: now, Unix: now.Unix(), Ahead: time.Duration(s.offset.Load()).String()}
	for _, mode := range s.worlds {
		v.Due += len(mode.timers.ordered)
	}
	if _, next := s.nextTimer(); next != nil {
		at := time.Unix(next.Created, 0).UTC()
		v.NextAt = &at
	}
	answer(w, http.StatusOK, v)
}

func (s *Server) controlSetClock(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Advance string    `json:"advance"` // a duration such as 720h
		Now     time.Time `json:"now"`
	}
	if !read(w, r, &in) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host = r.Host // of the pages that what falls due points at
	to := in.Now
	if in.Advance != "" {
		step, err := time.ParseDuration(in.Advance)
		if err != nil || !in.Now.IsZero() {
			refuse(w, http.StatusBadRequest, "give either advance, a duration such as 720h, or now")
			return
		}
		to = s.now().Add(step)
	}
	if to.Before(s.now()) {
		refuse(w, http.StatusBadRequest, "the clock only goes forward")
		return
	}
	if err := s.advance(to); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	s.answerClock(w)
}
