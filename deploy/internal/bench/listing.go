package bench

import (
	"context"
	"fmt"
)

// listing compares our reading of Stripe's pages with the Stripe library's, by the
// Go benchmark that lies beside that code: from the simulator, which makes every
// page anew, and from a server that has them ready.
func (b *bench) listing(ctx context.Context) error {
	got, err := b.metrics(ctx, "services/payments/internal/stripegw", "BenchmarkListCharges")
	if err != nil {
		return err
	}
	for _, from := range []string{"ready", "simulator"} {
		ratio, rate := got[from]["x-iterator"], got[from]["charges/s"]
		if ratio == 0 {
			return fmt.Errorf("the benchmark says nothing of %s: %v", from, got)
		}
		what := map[string]string{"ready": "pages that are ready", "simulator": "the simulator"}[from]
		b.say("  from %s: %.0f charges a second, %.1f of the iterator", what, rate, ratio)
		b.report.goal("reading charges from "+what+", of stripe-go's iterator", ">= 3", "%.1f (%.0f a second)", ratio, rate)
	}
	return nil
}
