package jobs

import (
	"testing"
	"time"
)

func TestDelaysGrowAndFitTheDaysOfTrying(t *testing.T) {
	var total time.Duration
	attempts := 1
	for n := 1; total < 72*time.Hour; n++ {
		if n > 1 && delay(n) < delay(n-1) {
			t.Errorf("delay %d is shorter than the one before", n)
		}
		total += delay(n)
		attempts++
	}
	if attempts < 20 || attempts > 40 {
		t.Errorf("%d attempts in three days", attempts)
	}
	if delay(1) != time.Second || delay(3) != 30*time.Second {
		t.Error("the first retries are not quick")
	}
}
