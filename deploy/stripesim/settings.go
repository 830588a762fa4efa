package stripesim

import (
	"net/http"
	"slices"
	"time"
)

// settings are the account's, as its owner sets them in Stripe's dashboard, and
// how long the simulated world takes. They live in memory.
type settings struct {
	AsyncSettleHours int64 `json:"async_settle_hours"` // from processing to the bank's answer
	RefundHours      int64 `json:"refund_hours"`       // until a slow refund succeeds or fails
	// RetryHours are the waits before each new attempt to collect a renewal.
	RetryHours []int64 `json:"retry_hours"`
	// AfterRetries is what becomes of the subscription then: cancel, unpaid or
	// past_due, which changes nothing.
	AfterRetries string `json:"after_retries"`
}

func defaultSettings() settings {
	return settings{AsyncSettleHours: 72, RefundHours: 120, RetryHours: []int64{72, 120, 168}, AfterRetries: "cancel"}
}

func (v settings) settleDelay() time.Duration { return time.Duration(v.AsyncSettleHours) * time.Hour }
func (v settings) refundDelay() time.Duration { return time.Duration(v.RefundHours) * time.Hour }

func (v settings) check() string {
	if v.AsyncSettleHours < 0 || v.RefundHours < 0 {
		return "hours must not be negative"
	}
	if slices.ContainsFunc(v.RetryHours, func(h int64) bool { return h < 1 }) {
		return "retry_hours are at least 1"
	}
	if !slices.Contains([]string{"cancel", "unpaid", "past_due"}, v.AfterRetries) {
		return "after_retries must be cancel, unpaid or past_due"
	}
	return ""
}

func (s *Server) controlSettings(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	v := s.settings
	s.mu.Unlock()
	answer(w, http.StatusOK, v)
}

// controlSetSettings changes the settings that are named and keeps the others.
func (s *Server) controlSetSettings(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	v := s.settings
	s.mu.Unlock()
	if !read(w, r, &v) {
		return
	}
	if wrong := v.check(); wrong != "" {
		refuse(w, http.StatusBadRequest, wrong)
		return
	}
	s.mu.Lock()
	s.settings = v
	s.mu.Unlock()
	answer(w, http.StatusOK, v)
}

// change runs a control that changes an object and answers with it. The
// function returns what it changed; or nothing, when there is no such object; or
// why it refuses.
func (s *Server) change(w http.ResponseWriter, do func() (t *tx, changed object, refused string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue(s.now())
	t, o, refused := do()
	switch {
	case refused != "":
		refuse(w, http.StatusConflict, refused)
	case t == nil:
		refuse(w, http.StatusNotFound, "no such object")
	default:
		if err := t.commit(); err != nil {
			refuse(w, http.StatusInternalServerError, err.Error())
			return
		}
		answer(w, http.StatusOK, o)
	}
}
