package edge

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Metadata keys that a request from outside may set, and nothing else.
const (
	idempotencyKey   = "idempotency-key"
	authorizationKey = "authorization"
	// clientIPKey carries the buyer's address, for limits on attempts.
	clientIPKey = "makegood-client-ip"
)

// Guard lets only known metadata through to a service, whatever the layers
// above were made to put there by a request.
func Guard(conn grpc.ClientConnInterface) grpc.ClientConnInterface { return guarded{conn} }

type guarded struct{ grpc.ClientConnInterface }

func (g guarded) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return g.ClientConnInterface.Invoke(onlyKnown(ctx), method, args, reply, opts...)
}

func (g guarded) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return g.ClientConnInterface.NewStream(onlyKnown(ctx), desc, method, opts...)
}

func onlyKnown(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	known := metadata.MD{}
	for _, key := range []string{idempotencyKey, authorizationKey, clientIPKey} {
		if values := md.Get(key); len(values) > 0 {
			known.Set(key, values[0])
		}
	}
	return metadata.NewOutgoingContext(ctx, known)
}

// clientIP is the connection's remote address. X-Forwarded-For counts only
// from a trusted proxy, and then only up to the first hop we do not trust:
// everything to the left of it is the client's own invention.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	ip := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if !isTrusted(ip, trusted) || err != nil {
			break
		}
		ip = next.Unmap().WithZone("")
	}
	return ip
}

func isTrusted(ip netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// warnUntrusted says once that a peer claims to forward for others and is not
// believed. When it is our own proxy, all buyers count as one address, and the
// limits on attempts soon refuse them all.
func warnUntrusted(log *slog.Logger, trusted []netip.Prefix) func(*http.Request) {
	var once sync.Once
	return func(r *http.Request) {
		if r.Header.Get("X-Forwarded-For") == "" {
			return
		}
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || isTrusted(peer.Addr().Unmap().WithZone(""), trusted) {
			return
		}
		once.Do(func() {
			log.Warn("X-Forwarded-For from an untrusted peer is ignored; if this is your proxy, name its network in TRUSTED_PROXIES, or all buyers count as one IP",
				"peer", peer.Addr().String())
		})
	}
}
