package crashlab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// relay stands between Stripe and the webhook entrance, and keeps a customer's
// events away while their run wants that: they are refused, and come again.
type relay struct {
	lab    *lab
	target atomic.Pointer[string]
	server *http.Server
	url    string
}

func newRelay(l *lab) (*relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{lab: l, url: "http://" + listener.Addr().String() + "/webhooks/stripe"}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // ends with close
	return r, nil
}

func (r *relay) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(r.server.Shutdown(ctx), r.server.Close())
}

func (r *relay) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	target := r.target.Load()
	if err != nil || target == nil || r.lab.holds(body) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	out, err := http.NewRequestWithContext(in.Context(), in.Method, *target, bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	out.Header = in.Header.Clone()
	status, answer, err := do(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// holds says whether an event is about somebody whose events are kept away.
func (l *lab) holds(body []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.runs {
		if r.isHeld() && r.about([][]byte{body}) {
			return true
		}
	}
	return false
}
