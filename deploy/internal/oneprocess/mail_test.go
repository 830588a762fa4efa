package oneprocess_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"makegood.example/deploy/inbox"
	"makegood.example/deploy/internal/oneprocess"
)

// number is a number from the database.
func number(t *testing.T, w *oneprocess.World, sql string, args ...any) (n int) {
	t.Helper()
	if err := w.DB.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func TestMailThatIsDownForAnHourIsCaughtUpAndSlowsNobody(t *testing.T) {
	t.Parallel()
	const buyers = 50
	w := oneprocess.New(t, oneprocess.Options{})
	purchase := func(name string) (*oneprocess.Buyer, time.Duration) {
		b, began := w.Buyer(name), time.Now()
		o := b.Buys("annual", "pm_card_visa") // COMPLETE in the answer
		took := time.Since(began)
		if a := w.Access(account(t, w, o.ID)); !a.Active {
			t.Errorf("%s has no access", b.Email)
		}
		return b, took
	}
	median := func(took []time.Duration) time.Duration { slices.Sort(took); return took[len(took)/2] }
	var before, during []time.Duration
	for i := range 10 {
		_, took := purchase(fmt.Sprintf("before%d", i))
		before = append(before, took)
	}
	w.Settle()
	w.StopMail()
	var all []*oneprocess.Buyer
	for i := range buyers {
		b, took := purchase(fmt.Sprintf("jane%d", i))
		all, during = append(all, b), append(during, took)
	}
	if median(during) > median(before)+5*time.Second { // half of what one mail may take
		t.Error("purchases wait for the mail server")
	}
	t.Logf("a purchase took %s with mail and %s without", median(before), median(during))
	w.Advance(time.Hour, nil)
	const sent = "SELECT count(*) FROM notifications.messages WHERE state = $1"
	if n := number(t, w, sent, "SENT"); n != 10 {
		t.Errorf("%d mails are said to be sent while the mail server is down, want the 10 before", n)
	}
	if n := number(t, w, sent, "FAILED"); n != 0 {
		t.Errorf("%d mails were given up within the hour", n)
	}
	w.StartMail()
	w.Advance(2*time.Hour, nil)
	for _, b := range all {
		if got := kinds(w.Mails(b.Email)); !slices.Equal(got, []string{"confirmation"}) {
			t.Errorf("%s got %v, want one confirmation", b.Email, got)
		}
	}
	if n := number(t, w, sent, "SENT"); n != 10+buyers {
		t.Errorf("%d mails are said to be sent, want %d", n, 10+buyers)
	}
	for _, c := range w.Cases() { // that the server let nobody in for an hour may be one
		if !strings.HasPrefix(c, "UNDELIVERED_MESSAGE mail-server") {
			t.Errorf("a case: %s", c)
		}
	}
}

// The order is complete while the mail server still holds its answer, and what it
// does not acknowledge comes once more, as the same mail.
func TestALostAcknowledgementIsOneMoreCopyOfTheSameMail(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]inbox.Faults{
		"the connection is dropped": {DropAfterData: true, Times: 1},
		"the answer is held":        {HangAfterData: true, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneprocess.New(t, oneprocess.Options{})
			w.MailFaults(fault)
			jane := w.Buyer("jane")
			jane.Buys("annual", "pm_card_visa")
			w.Settle()
			w.Advance(24*time.Hour, nil)
			mails := w.Mails(jane.Email)
			if len(mails) != 2 || mails[0].MessageID != mails[1].MessageID || mails[0].MessageID == "" {
				t.Errorf("%d mails: %v", len(mails), mails)
			}
			if n := number(t, w, "SELECT count(*) FROM notifications.messages WHERE state = 'SENT'"); n != 1 {
				t.Errorf("%d messages are sent", n)
			}
			if got := w.Cases(); len(got) != 0 {
				t.Errorf("cases: %v", got)
			}
		})
	}
}

func TestAnAddressThatIsRefusedForGoodIsACaseAndNotTriedForEver(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{})
	jane := w.Buyer("jane")
	w.MailFaults(inbox.Faults{Refuse: "permanent", To: jane.Email})
	o := jane.Buys("annual", "pm_card_visa")
	w.Advance(30*24*time.Hour, nil)
	if got := w.Cases(); len(got) != 1 || !strings.HasPrefix(got[0], "UNDELIVERED_MESSAGE message/order/"+o.ID+"/confirmation") {
		t.Errorf("cases: %v", got)
	}
	if n := number(t, w, "SELECT sum(attempt_count) FROM notifications.messages WHERE state = 'FAILED'"); n != 1 {
		t.Errorf("tried %d times", n)
	}
	if n := number(t, w, "SELECT count(*) FROM notifications.river_job WHERE finalized_at IS NULL"); n != 0 {
		t.Errorf("%d deliveries are left to do", n)
	}
	if a := w.Access(account(t, w, o.ID)); !a.Active {
		t.Error("the access went with the mail")
	}
}
