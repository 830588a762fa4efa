package bench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"makegood.example/deploy/internal/stack"
)

// growth has more and more buyers buy, and tells at which rate that ends, and whose
// processor time a purchase then takes: what is at its limit first.
func (b *bench) growth(ctx context.Context, s *stack.Stack) error {
	table := fmt.Sprintf("\npurchases while buyers grow in number\n%8s %9s %9s %9s %7s   %s", "buyers", "a second", "p50 ms", "p99 ms", "cores", "ms of a processor for a purchase")
	for _, buyers := range b.scale.crowds {
		before, began := processorTime(s), time.Now()
		got, err := purchases(ctx, s, buyers, 2*b.scale.lasts, 0)
		if err != nil {
			return err
		}
		lasted := time.Since(began)
		bought := got.perSecond * lasted.Seconds()
		var busy time.Duration
		for _, took := range between(before, processorTime(s)) {
			busy += took
		}
		if err := rest(ctx, s); err != nil { // mails come after the answer, and are the purchase's too
			return err
		}
		spent := between(before, processorTime(s))
		var each []string
		for _, name := range slices.SortedFunc(maps.Keys(spent), func(a, b string) int { return cmp.Compare(spent[b], spent[a]) }) {
			each = append(each, fmt.Sprintf("%s %.1f", name, ms(spent[name])/bought))
		}
		line := fmt.Sprintf("%8d %9.0f %9.1f %9.1f %7.1f   %s", buyers, got.perSecond, ms(got.p50), ms(got.p99), busy.Seconds()/lasted.Seconds(), strings.Join(each, ", "))
		table += "\n" + line
		b.say("  %s", line)
	}
	b.report.rates = append(b.report.rates, table)
	return nil
}
