package service

import (
	"testing"
	"time"
)

// Until somebody is asked to look at a subscription, what is away for an hour is back.
func TestASubscriptionIsLookedAtForHoursBeforeItIsACase(t *testing.T) {
	for first, least := range map[time.Duration]time.Duration{0: time.Hour, 30 * time.Second: 5 * time.Hour, 2 * time.Hour: 24 * time.Hour} {
		var all, before time.Duration
		for look := range int32(subscriptionCaseAfterLooks) {
			wait := soon(first, look)
			if wait < before || wait > max(first, time.Hour) || wait < first {
				t.Errorf("rescue after %s: %s after look %d, and %s before", first, wait, look, before)
			}
			all, before = all+wait, wait
		}
		if all < least {
			t.Errorf("rescue after %s: a case after %s", first, all)
		}
		if wait := soon(first, 1<<30); wait != max(first, time.Hour) {
			t.Errorf("rescue after %s: %s after many looks", first, wait)
		}
	}
}
