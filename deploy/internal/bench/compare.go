package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// contender is one way of doing the same work.
type contender struct {
	name    string
	measure func(ctx context.Context, clients int, lasts time.Duration) (rate, error)
	// addr is where an endpoint listens; the database has none.
	addr string
}

// results are the medians of each contender at each number of clients.
type results map[string]map[int]rate

func (r results) at(name string, clients int) rate { return r[name][clients] }

// ratio is how many times as fast as the other; 0 when one is not known.
func (r results) ratio(name, other string, clients int) float64 {
	if r.at(other, clients).perSecond == 0 {
		return 0
	}
	return r.at(name, clients).perSecond / r.at(other, clients).perSecond
}

// compare lets the contenders take turns, so that whatever else the machine
// does meets all of them, and keeps the median of each.
func (b *bench) compare(ctx context.Context, contenders []contender, clients []int, rounds int, lasts time.Duration) (results, error) {
	out := results{}
	for _, c := range contenders {
		out[c.name] = map[int]rate{}
	}
	for _, n := range clients {
		seen := map[string][]rate{}
		for round := range rounds {
			for i := range contenders {
				c := contenders[(i+round)%len(contenders)] // nobody always goes first
				r, err := c.measure(ctx, n, lasts)
				if err != nil {
					return nil, fmt.Errorf("%s at %d clients: %w", c.name, n, err)
				}
				if r.refused > 0 {
					return nil, fmt.Errorf("%s at %d clients: %d deliveries were not acknowledged", c.name, n, r.refused)
				}
				seen[c.name] = append(seen[c.name], r)
			}
		}
		for _, c := range contenders {
			out[c.name][n] = median(seen[c.name])
			b.say("  %4d clients  %-12s %s", n, c.name, out[c.name][n])
		}
	}
	return out, nil
}

func median(rates []rate) rate {
	rates = slices.Clone(rates)
	slices.SortFunc(rates, func(a, b rate) int { return int(a.perSecond - b.perSecond) })
	return rates[len(rates)/2]
}

func (r rate) String() string {
	text := fmt.Sprintf("%8.0f /s", r.perSecond)
	if r.p50 > 0 {
		text += fmt.Sprintf("   p50 %s   p99 %s", milliseconds(r.p50), milliseconds(r.p99))
	}
	return text
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

// delivering measures an endpoint with fresh mixed events.
func delivering(name, addr, secret string, prefix uint8) (contender, error) {
	events, err := newMixed(secret, prefix)
	if err != nil {
		return contender{}, err
	}
	expect := 8000.0 // a second; then what it last was
	return contender{name, func(ctx context.Context, clients int, lasts time.Duration) (rate, error) {
		r, err := drive(ctx, addr, events.requests(int(2*expect*lasts.Seconds())), clients, lasts)
		expect = max(1000, r.perSecond)
		return r, err
	}, addr}, nil
}
