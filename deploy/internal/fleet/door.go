package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// door is how the world reaches several edges: one after the other, of those that say
// that they are ready, and the next at once when a connection is refused, as every
// load balancer does.
type door struct {
	client http.Client

	mu    sync.Mutex
	urls  []string
	ready []string // of them, at the last check: who says yes, or else who answers at all
	next  int

	asked, repeated atomic.Int64
	failures        struct {
		sync.Mutex
		n   int64
		how map[string]int
	}
}

// answerWithin is how long a browser waits before it asks again.
const answerWithin = 15 * time.Second

func newDoor() *door {
	d := &door{client: http.Client{Timeout: answerWithin, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	d.failures.how = map[string]int{}
	return d
}

// checked is how often the edges are asked whether they are ready, notReady how long
// they have to answer.
const (
	checked  = 250 * time.Millisecond
	notReady = time.Second
)

// lead opens the door to these edges, and watches them until ctx ends.
func (d *door) lead(ctx context.Context, urls []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.urls, d.ready = urls, urls
	said := make([]int, len(urls))
	for i, url := range urls {
		said[i] = saysYes
		go func() {
			for pause(ctx, checked) == nil {
				says := d.check(ctx, url)
				d.mu.Lock()
				said[i] = says
				best := slices.Max(said)
				d.ready = nil
				for j, says := range said {
					if says == best {
						d.ready = append(d.ready, urls[j])
					}
				}
				d.mu.Unlock()
			}
		}()
	}
}

// What an edge says when it is asked whether it is ready.
const (
	saysNothing = iota
	saysNo
	saysYes
)

func (d *door) check(ctx context.Context, url string) int {
	ctx, cancel := context.WithTimeout(ctx, notReady)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return saysNothing
	}
	response, err := d.client.Do(request)
	if err != nil {
		return saysNothing
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return saysNo
	}
	return saysYes
}

// turn is the next edge.
func (d *door) turn() (url string, edges int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ready) == 0 {
		return "", 0
	}
	d.next++
	return d.ready[d.next%len(d.ready)], len(d.urls)
}

// try makes a request at one edge after the other until one takes it.
func (d *door) try(ctx context.Context, method, path string, header http.Header, body []byte) (status int, raw []byte, err error) {
	err = errors.New("there is no edge yet")
	for n := 0; ; n++ {
		url, edges := d.turn()
		if n >= edges {
			return 0, nil, err
		}
		var request *http.Request
		if request, err = http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body)); err != nil {
			return 0, nil, err
		}
		request.Header = header.Clone()
		var response *http.Response
		if response, err = d.client.Do(request); err == nil {
			raw, err = io.ReadAll(response.Body)
			response.Body.Close()
			return response.StatusCode, raw, err
		}
		if refused := (*net.OpError)(nil); !errors.As(err, &refused) || refused.Op != "dial" {
			return 0, nil, err
		}
		d.repeated.Add(1)
	}
}

// ask is try for a buyer, whose failures are counted: everything but an answer that
// means something.
func (d *door) ask(ctx context.Context, method, path, key string, body []byte) (int, []byte, error) {
	status, raw, err := d.try(ctx, method, path, http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {key}}, body)
	if ctx.Err() != nil {
		return status, raw, err // the buyer left
	}
	d.asked.Add(1)
	if err != nil || status >= 500 || status == http.StatusTooManyRequests {
		how := fmt.Sprintf("%d %.120s", status, raw)
		if err != nil {
			how = "no answer"
			if e := (net.Error)(nil); !errors.As(err, &e) || !e.Timeout() {
				how = "the connection broke"
			}
		}
		d.failures.Lock()
		d.failures.n++
		d.failures.how[method+" "+how]++
		d.failures.Unlock()
	}
	return status, raw, err
}

// failed is how many requests of buyers were not answered so far, and how.
func (d *door) failed() (n int64, how map[string]int) {
	d.failures.Lock()
	defer d.failures.Unlock()
	how = map[string]int{}
	for k, v := range d.failures.how {
		how[k] = v
	}
	return d.failures.n, how
}

// ServeHTTP passes Stripe's webhooks on; what no edge answers, Stripe sends again.
func (d *door) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err == nil {
		var status int
		var answer []byte
		if status, answer, err = d.try(in.Context(), in.Method, in.URL.Path, in.Header, body); err == nil {
			w.WriteHeader(status)
			_, _ = w.Write(answer)
			return
		}
	}
	w.WriteHeader(http.StatusBadGateway)
}
