package edge

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// How much is in hand at once. Deliveries from Stripe are counted for themselves:
// however many buyers come, there is room for them.
const (
	callsPerAddress, callsInAll           = 1000, 2000
	deliveriesPerAddress, deliveriesInAll = 256, 512
)

// burstSeconds is how long an address may save up what it does not ask.
const burstSeconds = 10

// addressesMost bounds how many addresses are remembered.
const addressesMost = 50_000

var (
	errTooManyRequests = apperr.New(codes.ResourceExhausted, "TOO_MANY_REQUESTS", "too many requests come from this address; nothing was done with this one")
	errBusy            = apperr.New(codes.Unavailable, "TOO_BUSY", "too many requests are in hand; nothing was done with this one")
)

// rates bounds how often an address may ask.
type rates struct {
	perSecond int
	now       func() time.Time
	mu        sync.Mutex
	by        map[netip.Prefix]*rate.Limiter
}

func newRates(perSecond int) *rates {
	return &rates{perSecond: perSecond, now: time.Now, by: map[netip.Prefix]*rate.Limiter{}}
}

func (r *rates) allow(from netip.Prefix) bool {
	now, burst := r.now(), r.perSecond*burstSeconds
	r.mu.Lock()
	limiter := r.by[from]
	if limiter == nil {
		if len(r.by) >= addressesMost {
			r.forget(now, float64(burst))
		}
		limiter = rate.NewLimiter(rate.Limit(r.perSecond), burst)
		r.by[from] = limiter
	}
	r.mu.Unlock()
	return limiter.AllowN(now, 1)
}

// forget drops the addresses that have not asked for a while. When there are none
// it drops all: to keep some would be to choose whom to hold to their past.
func (r *rates) forget(now time.Time, burst float64) {
	for from, limiter := range r.by {
		if limiter.TokensAt(now) >= burst {
			delete(r.by, from)
		}
	}
	if len(r.by) >= addressesMost {
		clear(r.by)
	}
}

// boundRate refuses who asks too often. Whether the process lives may always be asked.
func boundRate(perSecond int, next http.Handler) http.Handler {
	asked := newRates(perSecond)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != healthPath && r.URL.Path != readyPath && !asked.allow(network(infoOf(r.Context()).clientIP)) {
			infoOf(r.Context()).route = "refused"
			refuse(w, r, http.StatusTooManyRequests, 1)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// boundCalls bounds the calls of programs that are in hand, when their bodies are
// there: who sends slowly takes nobody's place. Pages and health are not counted,
// and streams by themselves.
func boundCalls(perAddress, inAll int) runtime.Middleware {
	inHand := newTurnstile(perAddress, inAll)
	return func(next runtime.HandlerFunc) runtime.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			if isStream(r) || !strings.HasPrefix(r.URL.Path, "/v1/") && !strings.HasPrefix(r.URL.Path, "/admin/") {
				next(w, r, params)
				return
			}
			from := network(infoOf(r.Context()).clientIP)
			if status := inHand.enter(from); status != 0 {
				refuse(w, r, status, 1)
				return
			}
			defer inHand.leave(from)
			next(w, r, params)
		}
	}
}

// refuse says no before anything was done, and when to come again.
func refuse(w http.ResponseWriter, r *http.Request, status, seconds int) {
	e := errBusy
	if status == http.StatusTooManyRequests {
		e = errTooManyRequests
	}
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	writeError(w, r, status, e)
}

// turnstile counts who is inside, so that there are never too many, nor too many
// from one address.
type turnstile struct {
	perAddress, inAll int

	mu  sync.Mutex
	all int
	by  map[netip.Prefix]int
}

// unbounded is as many as there are.
const unbounded = math.MaxInt

func newTurnstile(perAddress, inAll int) *turnstile {
	return &turnstile{perAddress: perAddress, inAll: inAll, by: map[netip.Prefix]int{}}
}

// enter answers 0, or the status to refuse with.
func (t *turnstile) enter(from netip.Prefix) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by[from] >= t.perAddress {
		return http.StatusTooManyRequests
	}
	if t.all >= t.inAll {
		return http.StatusServiceUnavailable
	}
	t.all++
	t.by[from]++
	return 0
}

func (t *turnstile) leave(from netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.by[from]--; t.by[from] == 0 {
		delete(t.by, from)
	}
}

// network is what counts as one address: of IPv6, what one household has.
func network(ip netip.Addr) netip.Prefix {
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
