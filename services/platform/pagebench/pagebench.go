// Package pagebench measures statements that work by the page next to the usual
// way, one statement for each row: in one run, taking turns, with one worker and
// with four, on a database that is near and on one that is a millisecond away.
// Benchmarks that lie beside such statements use it, and `make bench` adds them up.
package pagebench

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/process"
)

// PageSize is how many rows make a page: as many as Stripe lists at once.
const PageSize = 100

// Away is how much longer each round trip takes to the database that is far.
const Away = time.Millisecond

// Spread is a number's eight hexadecimal digits, spread as the ids that we make are, no
// two the same. SpreadSQL is the same in SQL, of a column n. It is cheap, because both
// ways make their ids while they are measured: a million of them would not be flat memory.
func Spread(n int) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, spread(n)))
}

// SpreadSQL is Spread in SQL.
const SpreadSQL = "lpad(to_hex((n + 1)::bigint * 2654435761 % 4294967296), 8, '0')"

func spread(n int) uint32 { return uint32(n+1) * 2654435761 }

// SpreadUUID is a number's UUID; in SQL it is Spread with the rest behind it.
func SpreadUUID(n int) (id uuid.UUID) {
	binary.BigEndian.PutUint32(id[:], spread(n))
	return id
}

// StripeID is a number's id as Stripe makes those of charges and payment intents: the
// second in which it was made in five digits to base 62, ten that are the account's, and
// eight by chance. So neighbors in time are neighbors in an index. StripeSQL is the same
// in SQL, of a column n. One is made every ten seconds.
func StripeID(prefix string, n int) string {
	id := make([]byte, 0, len(prefix)+2+second62+len(account)+8)
	id = append(append(id, prefix...), "_3"...)
	at := firstSecond + 10*n
	for place := pow62; place > 0; place /= 62 {
		id = append(id, base62[at/place%62])
	}
	return string(append(append(id, account...), Spread(n)...))
}

// StripeSQL is StripeID in SQL.
func StripeSQL(prefix string) string {
	var digits strings.Builder
	for place := pow62; place > 0; place /= 62 {
		fmt.Fprintf(&digits, " || substr('%s', ((%d + 10 * n) / %d %% 62)::int + 1, 1)", base62, firstSecond, place)
	}
	return fmt.Sprintf("('%s_3'%s || '%s' || %s)", prefix, digits.String(), account, SpreadSQL)
}

const (
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	second62    = 5                 // digits of a second
	pow62       = 62 * 62 * 62 * 62 // what the first of them counts
	firstSecond = 425_000_000       // since Stripe began to count, of an id of 2026
	account     = "ExampleAcc"
)

// Ways are two ways of doing the same.
type Ways struct {
	// Page does rows [from, from+n) in as many statements as the product takes for a
	// page. lap is another for each contender, so that they do not write the same rows.
	Page func(ctx context.Context, lap, from, n int) error
	// Row does one row the usual way.
	Row func(ctx context.Context, i int) error
}

// Rows is how many rows there are to work on: ROWS, else 20,000.
func Rows() int {
	if n, err := strconv.Atoi(os.Getenv("ROWS")); err == nil && n >= PageSize {
		return n
	}
	return 20_000
}

// turns is how often the contenders take turns.
const turns = 10

// Compare measures on a database that is filled. It reports row/s, page1/s and
// page4/s, the ratios x1 and x4, and the most memory that the process held while it
// worked, in the first tenth and over all.
func Compare(b *testing.B, db *Database, open func(*pgxpool.Pool) Ways) {
	defer debug.SetGCPercent(debug.SetGCPercent(process.GCPercent)) // as the services have it
	for _, at := range []struct {
		name  string
		delay time.Duration
		share int // the row way does so much less, because it is so much slower
	}{{"near", 0, 20}, {"far", Away, 200}} {
		b.Run(at.name, func(b *testing.B) {
			to := db.url
			if at.delay > 0 {
				to = farAway(b, to, at.delay)
			}
			pool, err := pg.Open(b.Context(), to, db.service)
			if err != nil {
				b.Fatal(err)
			}
			defer pool.Close()
			for b.Loop() {
				db.laps += 2
				compare(b, open(pool), db.laps, at.share)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func compare(b *testing.B, ways Ways, lap, share int) {
	n := Rows() / turns / PageSize * PageSize
	rows := max(n/share, 5)
	if err := errors.Join(ways.Row(b.Context(), 0), work(b.Context(), 4, PageSize*8, 0, func(ctx context.Context, from int) error {
		return ways.Page(ctx, 0, from, PageSize)
	})); err != nil {
		b.Fatal(err) // warm: statements are prepared, caches filled
	}
	held := WatchMemory()
	var took [3]time.Duration
	var first int64
	for turn := range turns {
		from := turn * n
		for i := range took {
			which := (i + turn) % len(took) // nobody always goes first
			began := time.Now()
			var err error
			switch which {
			case 0:
				for r := range rows {
					err = errors.Join(err, ways.Row(b.Context(), from+r*(n/rows)))
				}
			default:
				workers := []int{1: 1, 2: 4}[which]
				err = work(b.Context(), workers, n, from, func(ctx context.Context, from int) error {
					return ways.Page(ctx, lap+which, from, PageSize)
				})
			}
			if err != nil {
				b.Fatal(err)
			}
			took[which] += time.Since(began)
		}
		if turn == 0 {
			first = held.most()
		}
	}
	row := float64(turns*rows) / took[0].Seconds()
	one, four := float64(turns*n)/took[1].Seconds(), float64(turns*n)/took[2].Seconds()
	b.ReportMetric(row, "row/s")
	b.ReportMetric(one, "page1/s")
	b.ReportMetric(four, "page4/s")
	b.ReportMetric(one/row, "x1")
	b.ReportMetric(four/row, "x4")
	b.ReportMetric(float64(first)/(1<<20), "MB-first-tenth")
	b.ReportMetric(float64(held.Stop())/(1<<20), "MB")
}

// work does n rows from one on by the page.
func work(ctx context.Context, workers, n, from int, page func(ctx context.Context, from int) error) error {
	todo := make(chan int)
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for at := range todo {
				if err := page(ctx, at); err != nil && errs[w] == nil {
					errs[w] = err
				}
			}
		})
	}
	for at := from; at < from+n; at += PageSize {
		todo <- at
	}
	close(todo)
	all.Wait()
	return errors.Join(errs...)
}

// Memory is watched.
type Memory struct {
	mu     sync.Mutex
	peak   int64
	ended  chan struct{}
	closed chan struct{}
}

// WatchMemory watches what the process holds resident until it is stopped.
func WatchMemory() *Memory {
	m := &Memory{ended: make(chan struct{}), closed: make(chan struct{})}
	go func() {
		defer close(m.closed)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			m.look()
			select {
			case <-tick.C:
			case <-m.ended:
				return
			}
		}
	}()
	return m
}

func (m *Memory) look() {
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return // no Linux: nothing is known
	}
	fields := strings.Fields(string(status))
	if len(fields) < 2 {
		return
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peak = max(m.peak, pages*int64(os.Getpagesize()))
}

func (m *Memory) most() int64 {
	m.look()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peak
}

// Stop answers with the most that was held, in bytes; 0 where that is not known.
func (m *Memory) Stop() int64 {
	close(m.ended)
	<-m.closed
	return m.most()
}
