package edge

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// requestInfo is what the layers learn about one request, for the log line and
// for the error.
type requestInfo struct {
	route     string
	reference string
	reason    string
	// orderID is the order that was answered.
	orderID  string
	clientIP netip.Addr
	// ifNoneMatch names the answers that the client has.
	ifNoneMatch string
	// head is set when only the headers of the answer are wanted.
	head bool
	// probing is set while only the route is looked for, and nothing is done.
	probing bool
}

type infoKey struct{}

// infoOf returns the request's info; a throwaway one outside of Wrap.
func infoOf(ctx context.Context) *requestInfo {
	if info, ok := ctx.Value(infoKey{}).(*requestInfo); ok {
		return info
	}
	return &requestInfo{}
}

// Named says for the log and the counters which route a request took.
func Named(ctx context.Context, route string) { infoOf(ctx).route = route }

// ClientIP is the address of whoever asks; the zero address outside of Wrap.
func ClientIP(ctx context.Context) netip.Addr { return infoOf(ctx).clientIP }

// Wrap is the outside of every handler: safe headers, panics caught, one log
// line per request, a trace, counted, and none of the headers that steer grpc-gateway.
func Wrap(next http.Handler, log *slog.Logger, requests *Requests, trusted []netip.Prefix) http.Handler {
	warn := warnUntrusted(log, trusted)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		warn(r)
		info := &requestInfo{route: "none", clientIP: clientIP(r, trusted), ifNoneMatch: strings.Join(r.Header.Values("If-None-Match"), ",")}
		out := &recorder{ResponseWriter: w}
		method := r.Method
		ctx, endSpan := begin(r, info)
		r = r.Clone(context.WithValue(ctx, infoKey{}, info))
		// A client may not shorten our deadline, nor ask for trailers.
		r.Header.Del("Grpc-Timeout")
		r.Header.Del("Te")
		if r.Method == http.MethodHead {
			// The server itself leaves the body out of the answer to a HEAD.
			r.Method, info.head = http.MethodGet, true
		}
		safeHeaders(w.Header())
		defer func() {
			if p := recover(); p != nil {
				log.ErrorContext(ctx, "panic", "route", info.route, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if out.status != 0 {
					panic(http.ErrAbortHandler) // half an answer must not look like a whole one
				}
				writeError(out, r, http.StatusInternalServerError, errInternal)
			}
			took := time.Since(began)
			endSpan(out.status)
			requests.count(info.route, out.status, took)
			logRequest(r.Context(), log, method, info, out.status, took)
		}()
		next.ServeHTTP(out, r)
	})
}

func safeHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// onlyHTTPS has browsers come back by https for a year.
func onlyHTTPS(https bool, next http.Handler) http.Handler {
	if !https {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}

func logRequest(ctx context.Context, log *slog.Logger, method string, info *requestInfo, status int, took time.Duration) {
	if isProbe(info.route) {
		return // several a second; Ready itself logs when its answer changes
	}
	args := []any{"method", method, "route", info.route, "status", status, "duration_ms", took.Milliseconds()}
	if info.reference != "" {
		args = append(args, "reference_short", strings.ToUpper(info.reference[:8]))
	}
	if info.orderID != "" {
		args = append(args, "order_id", info.orderID)
	}
	if info.reason != "" {
		args = append(args, "reason", info.reason)
	}
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	log.Log(ctx, level, "http", args...)
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// allowOrigins lets the scripts of the named sites call /v1/; nobody else's.
func allowOrigins(origins []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if !strings.HasPrefix(r.URL.Path, "/v1/") || !slices.Contains(origins, origin) {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		infoOf(r.Context()).route = "preflight"
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Content-Type, Idempotency-Key, Authorization, Traceparent")
		h.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
	})
}
