package stripegw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stripe/stripe-go/v76"

	"makegood.example/services/payments/internal/payment"
)

// Stripe's lists are read here by one request a page and decoded into the few
// fields that are needed: stripe-go decodes every field of every object, which
// for a million charges costs several times as much as reading them, and its
// streaming call panics on a connection that fails.

const (
	// pageSize is the most that Stripe gives in one page.
	pageSize = 100
	// pageMax bounds what one page may weigh: a hundred of the largest events.
	pageMax = 64 << 20
	// keptMax bounds what is kept for the next page.
	keptMax = 4 << 20
	// idMax bounds what Stripe may call an object.
	idMax = 255
	// triesWhenLimited is how often a page is asked for while Stripe answers 429.
	triesWhenLimited = 5
	// triesWhenBroken heals one connection that had gone stale, or one 5xx.
	triesWhenBroken = 2
	firstPause      = 200 * time.Millisecond
	longestPause    = 5 * time.Second
)

// errPage means that a page came and cannot be what Stripe meant to send.
var errPage = errors.New("the page cannot be read")

// listed is what every object of a list has.
type listed interface {
	place() (id string, created int64)
}

type stamp struct {
	ID      string `json:"id"`
	Created int64  `json:"created"`
}

func (s stamp) place() (string, int64) { return s.ID, s.Created }

// readPage reads one page of a list within a window, newest first, after an id.
// next is empty on the last page. Errors: ErrUnknown, and nothing counts as
// read; ErrRefused for an id that Stripe does not have.
func readPage[T listed](ctx context.Context, g *Gateway, path string, w payment.Window, after string, expand ...string) (items []T, next string, err error) {
	from, before := w.Seconds()
	if from >= before {
		return nil, "", nil
	}
	items, next, err = readList[T](ctx, g, path, url.Values{
		"created[gte]": {strconv.FormatInt(from, 10)},
		"created[lt]":  {strconv.FormatInt(before, 10)},
	}, after, expand...)
	if err != nil {
		return nil, "", err
	}
	for _, item := range items {
		if _, created := item.place(); created < from || created >= before {
			return nil, "", fmt.Errorf("%w: %w: it has what was not asked for", ErrUnknown, errPage)
		}
	}
	return items, next, nil
}

// readList reads one page of a list, newest first, after an id; query narrows it.
// next is empty on the last page. Errors: ErrUnknown, and nothing counts as read;
// ErrRefused and ErrNotFound for an id that Stripe does not have.
func readList[T listed](ctx context.Context, g *Gateway, path string, query url.Values, after string, expand ...string) (items []T, next string, err error) {
	query = maps.Clone(query)
	query.Set("limit", strconv.Itoa(pageSize))
	if after != "" {
		query.Set("starting_after", after)
	}
	if len(expand) > 0 {
		query["expand[]"] = expand
	}
	err = g.get(ctx, path, query, func(body []byte) (err error) {
		items, next, err = decodePage[T](body)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return items, next, nil
}

// lenient allows what Stripe never sends and what is dear to look for.
var lenient = jsontext.AllowDuplicateNames(true)

// decodePage reads a page that is whole, or nothing.
func decodePage[T listed](body []byte) (items []T, next string, err error) {
	var page struct {
		Object  string `json:"object"`
		Data    []T    `json:"data"`
		HasMore *bool  `json:"has_more"`
	}
	page.Data = make([]T, 0, pageSize)
	if err := json.Unmarshal(body, &page, lenient); err != nil {
		return nil, "", errPage // its text may quote the body
	}
	if page.Object != "list" || page.HasMore == nil || *page.HasMore && len(page.Data) == 0 {
		return nil, "", fmt.Errorf("%w: it is no page of a list", errPage)
	}
	for _, item := range page.Data {
		if id, _ := item.place(); id == "" || len(id) > idMax || strings.ContainsRune(id, 0) {
			return nil, "", fmt.Errorf("%w: an object has no proper id", errPage)
		}
	}
	if *page.HasMore {
		next, _ = page.Data[len(page.Data)-1].place()
	}
	return page.Data, next, nil
}

// getOne reads one object. Errors: ErrUnknown, ErrNotFound.
func getOne[T listed](ctx context.Context, g *Gateway, path string, expand ...string) (one T, err error) {
	err = g.get(ctx, path, url.Values{"expand[]": expand}, func(body []byte) error {
		if json.Unmarshal(body, &one, lenient) != nil {
			return errPage
		}
		if id, _ := one.place(); id == "" {
			return fmt.Errorf("%w: the object has no id", errPage)
		}
		return nil
	})
	return one, err
}

// bodies are the buffers into which answers are read: growing one for each page
// would cost about as much as decoding it.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// get asks for an address until there is an answer: a few times while Stripe
// says that too much is asked of it, as long as the context allows. decode reads
// the answer and keeps nothing of it.
func (g *Gateway) get(ctx context.Context, path string, query url.Values, decode func([]byte) error) error {
	body := bodies.Get().(*bytes.Buffer)
	defer func() {
		if body.Cap() <= keptMax {
			bodies.Put(body)
		}
	}()
	for try := 1; ; try++ {
		if !g.pace.wait(ctx) {
			return fmt.Errorf("%w: too much is read of Stripe for it to be asked in time", ErrUnknown)
		}
		wait, err := g.getOnce(ctx, path+"?"+query.Encode(), body)
		if err == nil {
			g.pace.answered(false)
			if err := decode(withoutNUL(body.Bytes())); err != nil {
				return fmt.Errorf("%w: %w", ErrUnknown, err)
			}
			return nil
		}
		var se *stripe.Error
		tries := triesWhenBroken
		if errors.As(err, &se) {
			switch {
			case se.HTTPStatusCode == http.StatusTooManyRequests:
				g.pace.answered(true)
				tries = triesWhenLimited
			case se.HTTPStatusCode < 500:
				tries = 1
			}
		}
		if try >= tries || !pause(ctx, try, wait) {
			return classify(err)
		}
	}
}

var (
	escapedNUL  = []byte(`\u0000`)
	replacement = []byte(`\ufffd`)
)

// withoutNUL replaces, in place, the one character that PostgreSQL stores in no text:
// metadata that somebody else wrote must not keep a whole page from being read.
func withoutNUL(body []byte) []byte {
	for rest := body; ; {
		at := bytes.Index(rest, escapedNUL)
		if at < 0 {
			return body
		}
		rest = rest[at+copy(rest[at:], replacement):]
	}
}

// pause waits before another try, no less than Stripe asked for; false says that
// the context leaves no time for it.
func pause(ctx context.Context, try int, atLeast time.Duration) bool {
	d := firstPause << (try - 1)
	d = min(max(d/2+rand.N(d), atLeast), longestPause)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// getOnce sends one request and reads the answer into body. One that is no
// success is a *stripe.Error; wait is what it asks for before the next.
func (g *Gateway) getOnce(ctx context.Context, address string, body *bytes.Buffer) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.base+address, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+g.cfg.SecretKey)
	req.Header.Set("Stripe-Version", stripe.APIVersion)
	req.Header.Set("User-Agent", "makegood")
	res, err := g.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	body.Reset()
	if _, err := body.ReadFrom(io.LimitReader(res.Body, pageMax+1)); err != nil {
		return 0, err
	}
	if body.Len() > pageMax {
		return 0, errors.New("the answer is too large")
	}
	if res.StatusCode == http.StatusOK {
		return 0, nil
	}
	refusal := struct {
		Error *stripe.Error `json:"error"`
	}{}
	_ = json.Unmarshal(body.Bytes(), &refusal) // a proxy's page says no more than its status
	if refusal.Error == nil {
		refusal.Error = &stripe.Error{}
	}
	refusal.Error.HTTPStatusCode = res.StatusCode
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		wait = min(time.Duration(seconds), longestPause/time.Second) * time.Second
	}
	return wait, refusal.Error
}
