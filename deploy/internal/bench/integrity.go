package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"makegood.example/deploy/internal/stack"
)

// integrity makes the report over all time, beside a short and a long history, and
// watches what the services hold meanwhile.
func (b *bench) integrity(ctx context.Context, both []*stack.Stack) error {
	for i, s := range both {
		token, err := s.Token("admin")
		if err != nil {
			return err
		}
		var report struct {
			DifferenceCount string `json:"difference_count"`
			Charges         []struct {
				ChargeCount string `json:"charge_count"`
			}
		}
		before, stop := watch(s, "reconciliation", "orders")
		began := time.Now()
		err = call(ctx, http.MethodGet, s.AdminURL()+"/admin/v1/integrity", http.Header{"Authorization": {"Bearer " + token}}, nil, &report)
		peaks := stop()
		if err != nil {
			return err
		}
		purchases := []int{1000, b.scale.purchases}[i]
		b.report.goal(fmt.Sprintf("the integrity report over all time, %d purchases", purchases), "", "%s (%s differences; Reconciliation %d to %d MB, Orders %d to %d MB)",
			time.Since(began).Round(10*time.Millisecond), report.DifferenceCount, before["reconciliation"]>>20, peaks["reconciliation"]>>20, before["orders"]>>20, peaks["orders"]>>20)
		b.say("  the integrity report over all time, %d purchases: %s, %v", purchases, time.Since(began).Round(10*time.Millisecond), report)
	}
	return nil
}

// watch samples what processes hold resident until stop, which answers with the
// most of each.
func watch(s *stack.Stack, names ...string) (before map[string]int64, stop func() map[string]int64) {
	before, peaks := map[string]int64{}, map[string]int64{}
	ended, closed := make(chan struct{}), make(chan struct{})
	for _, name := range names {
		before[name] = resident(s, name)
	}
	go func() {
		defer close(closed)
		for {
			for _, name := range names {
				peaks[name] = max(peaks[name], resident(s, name))
			}
			select {
			case <-ended:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return before, func() map[string]int64 {
		close(ended)
		<-closed
		return peaks
	}
}
