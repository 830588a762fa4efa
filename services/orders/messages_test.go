package orders_test

import (
	"fmt"
	"testing"
	"time"
)

// tries is how often Notifications was asked to take a message.
func (f *fakeNotifications) triesNow() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tries
}

func TestNotificationsAwayNeverFailsAPurchase(t *testing.T) {
	s := newScene(t)
	s.peers.notifications.set(func(f *fakeNotifications) { f.err = away })
	o := s.mustPlace(purchase{}, complete)
	await(t, "a try", func() bool { return s.peers.notifications.triesNow() >= 1 })
	s.peers.notifications.set(func(f *fakeNotifications) { f.err = nil })
	await(t, "the message is taken", func() bool { return len(s.peers.notifications.sent()) > 0 })
	if got, want := fmt.Sprint(s.peers.notifications.sent()), "[CONFIRMATION order/"+o.GetId()+"/confirmation]"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	s.wantCases()
}

func TestAMessageThatIsNeverTakenBecomesACaseAndGoesOn(t *testing.T) {
	s := newScene(t)
	s.peers.notifications.set(func(f *fakeNotifications) { f.err = away })
	o := s.mustPlace(purchase{}, complete)
	settled := func(attempt int) func() bool {
		return func() bool {
			return s.count("SELECT count(*) FROM orders.river_job WHERE state IN ('available', 'retryable') AND attempt = $1", attempt) == 1
		}
	}
	await(t, "the first try", settled(1))
	s.exec("UPDATE orders.river_job SET attempt = 6, state = 'available', scheduled_at = now()")
	await(t, "the seventh try", settled(7))
	s.wantCases()
	if n := s.count("SELECT count(*) FROM orders.river_job WHERE scheduled_at BETWEEN now() + interval '55 s' AND now() + interval '65 s'"); n != 1 {
		t.Error("the eighth try is not about a minute away")
	}
	s.exec("UPDATE orders.river_job SET state = 'available', scheduled_at = now()")
	await(t, "the eighth try", settled(8))
	s.wantCases("UNDELIVERED_MESSAGE message/order/" + o.GetId() + "/confirmation")

	s.exec("UPDATE orders.river_job SET attempt = 900, state = 'available', scheduled_at = now()")
	await(t, "a try after weeks", settled(901))
	if n := s.count("SELECT count(*) FROM orders.river_job WHERE scheduled_at <= now() + interval '1 hour'"); n != 1 {
		t.Error("it is not tried again within the hour")
	}
	s.peers.notifications.set(func(f *fakeNotifications) { f.err = nil })
	s.exec("UPDATE orders.river_job SET state = 'available', scheduled_at = now()")
	await(t, "the message is taken", func() bool { return len(s.peers.notifications.sent()) == 1 })
}

func TestAMessageSurvivesARestart(t *testing.T) {
	for name, c := range map[string]struct{ left string }{
		// What a kill -9 leaves behind: the job still marked as being worked on.
		"killed while handing it over": {"UPDATE orders.river_job SET state = 'running', attempted_at = now()"},
		"stopped while waiting to try": {"UPDATE orders.river_job SET state = 'retryable', scheduled_at = now() + interval '1 hour'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.peers.notifications.set(func(f *fakeNotifications) { f.err = away })
			o := s.mustPlace(purchase{}, complete)
			await(t, "a try is over", func() bool { return s.peers.notifications.triesNow() > 0 })
			s.stop()
			s.exec(c.left)
			s.peers.notifications.set(func(f *fakeNotifications) { f.err = nil })
			began := time.Now()
			s.start()
			await(t, "the message is taken", func() bool { return len(s.peers.notifications.sent()) > 0 })
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			if got, want := fmt.Sprint(s.peers.notifications.sent()), "[CONFIRMATION order/"+o.GetId()+"/confirmation]"; got != want {
				t.Errorf("sent %s, want %s", got, want)
			}
		})
	}
}
