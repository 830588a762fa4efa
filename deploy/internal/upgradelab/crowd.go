package upgradelab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"makegood.example/deploy/internal/crashlab"
	"makegood.example/deploy/internal/stack"
)

// abreast is how many customers are on their way at once.
const abreast = 4

// crowd are the people who use the product while it is upgraded: customers on
// the paths of money, the SaaS's own app that asks about an account, and a
// colleague at the desk.
type crowd struct {
	people *crashlab.Travellers
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu      sync.Mutex
	leaving bool
	next    int
	gone    int // who had what is theirs
	turn    int // of comeAndGo: who set out before it counts for none
	inTurn  int
	found   []string
	changed chan struct{}
}

// gather has everybody come. One has bought before, whose access the app asks
// for all the while.
func gather(ctx context.Context, people *crashlab.Travellers, s *stack.Stack) (*crowd, error) {
	first, cancel := context.WithTimeout(ctx, stepMost)
	defer cancel()
	if err := people.Travel(first, crashlab.Travelled[0]); err != nil {
		return nil, err
	}
	var account string
	err := s.DB().QueryRow(ctx, `SELECT account_id::text FROM provisioning.grants WHERE revoked_at IS NULL ORDER BY created_at LIMIT 1`).Scan(&account)
	if err != nil {
		return nil, err
	}
	service, err := s.Token("service")
	if err != nil {
		return nil, err
	}
	admin, err := s.Token("admin")
	if err != nil {
		return nil, err
	}
	c := &crowd{people: people, changed: make(chan struct{})}
	ctx, c.cancel = context.WithCancel(ctx)
	for range abreast {
		c.all.Go(func() { c.travel(ctx) })
	}
	c.all.Go(func() {
		c.repeat(ctx, func() { c.checkAccess(ctx, s.URL()+"/v1/accounts/"+account+"/access", service) })
	})
	page := 0
	c.all.Go(func() {
		c.repeat(ctx, func() {
			_, _, _ = people.Ask(ctx, s.AdminURL()+desk[page%len(desk)], admin) // the answer is told
			page++
		})
	})
	return c, nil
}

// desk is what a colleague looks at, again and again.
var desk = []string{
	"/", "/lookup", "/tickets", "/runs", "/integrity", "/events", "/incidents", "/audit", "/charging",
	"/admin/v1/cases", "/admin/v1/integrity", "/admin/v1/reconciliation/runs", "/admin/v1/tickets", "/admin/v1/audit", "/admin/v1/hooks", "/admin/v1/whoami",
}

// travel sends one customer after the other along the paths.
func (c *crowd) travel(ctx context.Context) {
	for {
		c.mu.Lock()
		path, turn, leaving := crashlab.Travelled[c.next%len(crashlab.Travelled)], c.turn, c.leaving
		c.next++
		c.mu.Unlock()
		if leaving {
			return
		}
		bounded, cancel := context.WithTimeout(ctx, stepMost)
		err := c.people.Travel(bounded, path)
		cancel()
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		if err != nil {
			c.found = append(c.found, err.Error())
		} else if c.gone++; turn == c.turn {
			c.inTurn++
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
	}
}

var errStranded = errors.New("customers do not get what is theirs any more")

// comeAndGo returns when as many as there are paths have set out and have what is
// theirs.
func (c *crowd) comeAndGo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*stepMost)
	defer cancel()
	c.mu.Lock()
	c.turn++
	c.inTurn = 0
	c.mu.Unlock()
	for {
		c.mu.Lock()
		enough, stranded, changed := c.inTurn >= len(crashlab.Travelled), len(c.found) > 0, c.changed
		c.mu.Unlock()
		switch {
		case stranded:
			return errStranded
		case enough:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errStranded, ctx.Err())
		}
	}
}

// leave lets everybody finish, and tells of those who could not. Once there is
// one, the others are not waited for.
func (c *crowd) leave() []string {
	c.mu.Lock()
	c.leaving = true
	if len(c.found) > 0 {
		c.cancel()
	}
	c.mu.Unlock()
	c.all.Wait() // each of them is bounded
	c.cancel()
	return c.found
}

func (c *crowd) number() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

func (c *crowd) repeat(ctx context.Context, ask func()) {
	for {
		c.mu.Lock()
		leaving := c.leaving
		c.mu.Unlock()
		if leaving {
			return
		}
		ask()
		select {
		case <-ctx.Done():
			return
		case <-time.After(poll):
		}
	}
}

// checkAccess asks as the app does for an account that has paid.
func (c *crowd) checkAccess(ctx context.Context, url, token string) {
	status, body, err := c.people.Ask(ctx, url, token)
	if err != nil || status != http.StatusOK {
		return // the answer is told
	}
	var access struct{ Active bool }
	if err := json.Unmarshal(body, &access); err != nil || !access.Active {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.found = append(c.found, fmt.Sprintf("an account that has paid has no access: %s", body))
	}
}
