package simulation

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"makegood.example/deploy/internal/oneprocess"
)

// Post is how Stripe's events fare on their way: of a hundred, so many are lost,
// come twice at once, come again later, and are late.
type Post struct {
	Lost, Twice, Again, Late int
	seed                     uint64
}

func drawPost(p planner, seed uint64) Post {
	post := one(p, []Post{{}, {Lost: 15, Twice: 10, Again: 10, Late: 20}, {Lost: 30, Twice: 10, Again: 10, Late: 30}, {Lost: 100}, {Late: 100}, {Twice: 50, Again: 50}})
	post.seed = seed
	return post
}

func (p Post) String() string {
	return fmt.Sprintf("of 100 events %d are lost, %d come twice at once, %d again, %d late", p.Lost, p.Twice, p.Again, p.Late)
}

// postman delivers by a Post until the history is to come to rest.
type postman struct {
	Post
	struck func(Kind, string)

	mu    sync.Mutex
	seen  map[string]int // events by type
	quiet bool
}

// deliver decides by the type of an event and by how many of it came before, so
// that the same history decides the same, whichever was made a moment earlier.
func (m *postman) deliver(e oneprocess.Event) []time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen[e.Type]++
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d %s %d", m.seed, e.Type, m.seen[e.Type])
	draw := planner{rand.New(rand.NewPCG(m.seed, hash.Sum64()))}
	after := []time.Duration{0}
	if m.quiet {
		return after
	}
	if draw.in(m.Lost) {
		m.struck(EventLost, e.Type)
		return nil
	}
	if draw.in(m.Late) {
		m.struck(EventOvertook, e.Type)
		after[0] = draw.within(one(draw, []time.Duration{time.Minute, 30 * time.Minute, 5 * time.Hour}))
	}
	if draw.in(m.Twice) {
		m.struck(EventTwice, e.Type)
		after = append(after, after[0])
	}
	if draw.in(m.Again) {
		m.struck(EventAgain, e.Type)
		after = append(after, after[0]+draw.within(5*time.Hour))
	}
	return after
}
