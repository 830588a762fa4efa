package notifications_test

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// tryTwice has two more attempts made of each message, so that the first of
// them has ended.
func (w *world) tryTwice(keys ...string) {
	w.t.Helper()
	goal := map[string]int{}
	for _, key := range keys {
		goal[key] = w.row(key).Attempts + 2
	}
	w.until("two more attempts", func() bool {
		if _, err := w.owner.Exec(w.t.Context(), `UPDATE notifications.river_job SET state = 'available', scheduled_at = now() WHERE state IN ('retryable', 'scheduled')`); err != nil {
			w.t.Fatal(err)
		}
		for key, n := range goal {
			if w.row(key).Attempts < n {
				return false
			}
		}
		return true
	})
}

func (w *world) cases() []*reconciliationv1.OpenCaseRequest {
	w.peers.mu.Lock()
	defer w.peers.mu.Unlock()
	return append([]*reconciliationv1.OpenCaseRequest(nil), w.peers.cases...)
}

func TestAMailServerThatLetsNobodyInIsOneCase(t *testing.T) {
	w := newWorld(t)
	closed := func(string) error {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "log in first, <jane@example.com>"}
	}
	keys := []string{key, key + "/2"}
	at := func(d time.Duration) { w.later.Store(int64(d)) }

	w.mail.answer(closed, nil)
	for _, k := range keys {
		w.send(k, confirmation)
	}
	w.tryTwice(keys...)
	at(55 * time.Minute)
	w.tryTwice(keys...)
	if got := w.cases(); len(got) != 0 {
		t.Fatalf("within the hour: %v", got)
	}
	at(61 * time.Minute)
	w.tryTwice(keys...)
	reported := w.cases()
	for _, c := range reported {
		if c.GetKind() != reconciliationv1.Case_UNDELIVERED_MESSAGE || c.GetSubject() != "mail-server" || !strings.Contains(c.GetSummary(), "530") ||
			!strings.Contains(c.GetSummary(), "the connection is not encrypted") || strings.Contains(c.GetSummary(), "jane") {
			t.Errorf("case: %v", c)
		}
	}
	if len(reported) == 0 {
		t.Error("after an hour there is no case")
	}
	for _, k := range keys {
		if r := w.row(k); r.State != "SENDING" || !strings.Contains(r.LastError, "530") {
			t.Errorf("after an hour, %+v", r)
		}
	}

	w.mail.answer(nil, nil)
	w.until("both mails to be sent", func() bool {
		w.hurryAll() // an attempt that was on its way may have been the one
		return w.row(keys[0]).State == "SENT" && w.row(keys[1]).State == "SENT"
	})
	w.untilIdle()

	// A new trouble has an hour of its own, and two blips hours apart are none.
	before := len(w.cases())
	w.mail.answer(nil, func(conn *smtp.Conn, _ int) error { return conn.Close() })
	last := key + "/3"
	w.send(last, confirmation)
	at(100 * time.Minute)
	w.tryTwice(last)
	at(10 * time.Hour)
	w.tryTwice(last)
	if got := w.cases()[before:]; len(got) != 0 {
		t.Errorf("after the server had worked again: %v", got)
	}
}

// What is about one mail says that the server works.
func TestARefusedRecipientIsNotTheServersTrouble(t *testing.T) {
	w := newWorld(t)
	w.mail.answer(func(string) error {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "later"}
	}, nil)
	w.send(key, confirmation)
	w.tryTwice(key)
	w.later.Store(int64(2 * time.Hour))
	w.tryTwice(key)
	if got := w.cases(); len(got) != 0 {
		t.Errorf("cases: %v", got)
	}
}
