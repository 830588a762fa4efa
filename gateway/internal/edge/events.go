package edge

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"makegood.example/gateway/internal/pages"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/platform/apperr"
)

const eventsPath = "/v1/orders/{reference}/events"

var errTooManyStreams = apperr.New(codes.ResourceExhausted, "TOO_MANY_STREAMS", "too many streams are open; ask GET /v1/orders/{reference} every few seconds instead")

// pace bounds the streams, each and together.
type pace struct {
	// askEvery is between two questions to Orders; askSlowly while it does not
	// answer, and each may take askTimeout.
	askEvery, askSlowly, askTimeout time.Duration
	// heartbeat keeps the connection from being taken for dead.
	heartbeat time.Duration
	// life is how long one stream lasts; the browser opens the next by itself.
	life time.Duration
	// write is how long a reader may take to accept what is sent.
	write time.Duration
	// perAddress and inAll are how many streams may be open at once.
	perAddress, inAll int
}

// usualPace: one question costs Orders one read, so that all streams together
// cost it at most a thousand a second.
var usualPace = pace{
	askEvery: time.Second, askSlowly: 3 * time.Second, askTimeout: 2 * time.Second,
	heartbeat: 15 * time.Second, life: 10 * time.Minute, write: 10 * time.Second,
	perAddress: 20, inAll: 1000,
}

// orderReader is what a stream asks.
type orderReader interface {
	GetOrder(ctx context.Context, in *ordersv1.GetOrderRequest, opts ...grpc.CallOption) (*ordersv1.Order, error)
}

// orderEvents tells a browser of every change of an order until it rests:
// server-sent events named order (the same JSON as GET), unreachable (Orders
// gives no answer; it is asked on) and end (the order rests). A stream is one
// handler that asks on its reader's behalf; it starts nothing of its own.
func orderEvents(orders orderReader, p pace) http.Handler {
	open := newTurnstile(p.perAddress, p.inAll)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := infoOf(r.Context())
		if info.reference == "" {
			writeError(w, r, http.StatusBadRequest, apperr.Invalid("reference", "is not a UUID"))
			return
		}
		from := network(info.clientIP)
		if status := open.enter(from); status != 0 {
			w.Header().Set("Retry-After", "5")
			writeError(w, r, status, errTooManyStreams)
			return
		}
		defer open.leave(from)

		ctx, cancel := untilDrain(r.Context(), p.life)
		defer cancel()
		s := &stream{w: w, control: http.NewResponseController(w), pace: p, orders: orders, reference: info.reference}
		first, err := s.ask(ctx)
		if noSuchOrder(err) {
			httpStatus, e := classify(err)
			writeError(w, r, httpStatus, e)
			return
		}
		if s.begin() != nil || info.head {
			return
		}
		s.run(ctx, first, err)
	})
}

// stream is one reader's.
type stream struct {
	w         http.ResponseWriter
	control   *http.ResponseController
	pace      pace
	orders    orderReader
	reference string
	// told is what the reader knows: the order's JSON, or nil after unreachable.
	told []byte
	// lost is set while the reader knows that Orders does not answer.
	lost bool
}

func (s *stream) ask(ctx context.Context) (*ordersv1.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, s.pace.askTimeout)
	defer cancel()
	return s.orders.GetOrder(ctx, &ordersv1.GetOrderRequest{Reference: s.reference})
}

// begin takes the connection over from the server's limits for short answers.
func (s *stream) begin() error {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // a proxy's buffer would hold the news back
	if err := s.control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	return s.send("retry: 3000\n\n")
}

// run tells what it learns, until the order rests, the reader is gone, the time
// is up or the server stops.
func (s *stream) run(ctx context.Context, order *ordersv1.Order, err error) {
	beat := time.NewTicker(s.pace.heartbeat)
	defer beat.Stop()
	again := time.NewTimer(0)
	defer again.Stop()
	<-again.C
	for {
		switch done, problem := s.tell(ctx, order, err); {
		case done || problem != nil:
			return
		case err != nil:
			again.Reset(s.pace.askSlowly)
		default:
			again.Reset(s.pace.askEvery)
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
				if s.send(": still here\n\n") != nil {
					return
				}
			case <-again.C:
				waiting = false
			}
		}
		order, err = s.ask(ctx)
	}
}

// tell sends what is new in an answer of Orders; done is that nothing more will
// come.
func (s *stream) tell(ctx context.Context, order *ordersv1.Order, err error) (done bool, problem error) {
	if ctx.Err() != nil {
		return true, nil
	}
	if noSuchOrder(err) {
		return true, nil // without end: the browser asks again, and is told 404
	}
	if err != nil {
		if s.lost {
			return false, nil
		}
		s.lost, s.told = true, nil
		return false, s.send("event: unreachable\ndata: {}\n\n")
	}
	s.lost = false
	body, err := marshaler.Marshal(order)
	if err != nil {
		return true, err
	}
	if !bytes.Equal(body, s.told) {
		s.told = body
		// A line break inside the JSON would end the event early.
		if err := s.send("event: order\ndata: " + strings.ReplaceAll(string(body), "\n", " ") + "\n\n"); err != nil {
			return true, err
		}
	}
	if !pages.Rests(order) {
		return false, nil
	}
	return true, s.send("event: end\ndata: {}\n\n")
}

func noSuchOrder(err error) bool {
	e := apperr.Of(err)
	return e != nil && e.Reason == "ORDER_NOT_FOUND"
}

// send writes at once. A reader that does not take it in time is given up.
func (s *stream) send(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.pace.write)); err != nil {
		return fmt.Errorf("bound a write: %w", err)
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// isStream says that a request is answered for as long as there is news.
func isStream(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/orders/") && strings.HasSuffix(r.URL.Path, "/events")
}
