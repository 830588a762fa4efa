package bench

import (
	"bufio"
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

// rate is what one stretch of load came to.
type rate struct {
	perSecond float64
	p50, p99  time.Duration
	// refused counts answers other than 200.
	refused int
}

// answerWithin ends a stretch whose target does not answer.
const answerWithin = 30 * time.Second

// drive sends deliveries over keep-alive connections, each client one after the
// other, until the time or the deliveries are used up.
func drive(ctx context.Context, addr string, deliveries [][]byte, clients int, lasts time.Duration) (rate, error) {
	conns := make([]net.Conn, clients)
	for i := range conns {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return rate{}, err
		}
		defer conn.Close()
		conns[i] = conn
	}
	var next atomic.Int64
	var clientsDone sync.WaitGroup
	took := make([][]time.Duration, clients)
	refused := make([]int, clients)
	failed := make([]error, clients)
	began := time.Now()
	until := began.Add(lasts)
	for i, conn := range conns {
		clientsDone.Go(func() {
			in := bufio.NewReader(conn)
			for time.Now().Before(until) && ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(deliveries) {
					return
				}
				sent := time.Now()
				status, err := exchange(conn, in, deliveries[n])
				if err != nil {
					failed[i] = err
					return
				}
				took[i] = append(took[i], time.Since(sent))
				if status != http.StatusOK {
					refused[i]++
				}
			}
		})
	}
	clientsDone.Wait()
	lasted := time.Since(began)
	if err := errors.Join(append(failed, ctx.Err())...); err != nil {
		return rate{}, err
	}
	all := slices.Concat(took...)
	if len(all) == 0 {
		return rate{}, errors.New("nothing was answered")
	}
	slices.Sort(all)
	r := rate{perSecond: float64(len(all)) / lasted.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100]}
	for _, n := range refused {
		r.refused += n
	}
	return r, nil
}

// exchange is one request and its answer. It is leaner than net/http's client,
// which would take as much of the machine as what is measured.
func exchange(conn net.Conn, in *bufio.Reader, request []byte) (status int, err error) {
	if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, err
	}
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return 0, fmt.Errorf("the answer: %w", err)
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
