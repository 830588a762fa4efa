// Package access says who may call what: for each RPC the services and the
// roles that may. A server does not start with an RPC that has no rule.
package access

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/mtls"
)

// CallerKey is the metadata key by which one service names itself to another
// without TLS. It is believed because services then listen on loopback only; over
// TLS it says nothing.
const CallerKey = "makegood-caller"

// Roles of people, each including the ones before it, and of the SaaS's backend.
const (
	Viewer  = "viewer"
	Support = "support"
	Admin   = "admin"
	Service = "service"
)

// Rule says who may call one RPC.
type Rule struct {
	// Callers are the services that may call.
	Callers []string
	// Role is the least role that may call; empty when no person may.
	Role string
}

// Table has a rule for every full method name, "/orders.v1.OrdersService/GetOrder".
type Table map[string]Rule

// Identity is who calls: a service, a person or a backend with a token, or both
// (a gateway that forwards a person's token).
type Identity struct {
	Caller string
	Actor  string
	Role   string
}

type identityKey struct{}

// From returns the identity that the server established for this call.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}

// With returns ctx with an identity, as the server does for every call.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// Check establishes who calls and whether they may.
func Check(ctx context.Context, method string, table Table, tokens *Tokens) (Identity, error) {
	rule, ok := table[method]
	if !ok {
		return Identity{}, apperr.New(codes.PermissionDenied, "NO_ACCESS_RULE", "nobody may call this")
	}
	md, _ := metadata.FromIncomingContext(ctx)
	id := Identity{Caller: caller(ctx, md)}
	if header := first(md, "authorization"); header != "" {
		token, isBearer := strings.CutPrefix(header, "Bearer ")
		if !isBearer {
			return Identity{}, apperr.New(codes.Unauthenticated, "UNAUTHENTICATED", "authorization must be: Bearer <token>")
		}
		var err error
		if id.Actor, id.Role, err = tokens.identify(ctx, token); err != nil {
			return Identity{}, err
		}
	}
	if slices.Contains(rule.Callers, id.Caller) || allows(rule.Role, id.Role) {
		return id, nil
	}
	if id.Caller == "" && id.Role == "" || id.Caller != "" && id.Role == "" && rule.Role != "" {
		return Identity{}, apperr.New(codes.Unauthenticated, "UNAUTHENTICATED", "a token is needed: authorization: Bearer <token>")
	}
	return Identity{}, apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", "this credential may not do that")
}

// caller is the service that the connection's certificate names. Without TLS it
// is the one that the call says it comes from.
func caller(ctx context.Context, md metadata.MD) string {
	if name, overTLS := mtls.Caller(ctx); overTLS {
		return name
	}
	return first(md, CallerKey)
}

func allows(least, has string) bool {
	order := []string{Viewer, Support, Admin}
	if least == "" || has == "" {
		return false
	}
	if least == Service || has == Service {
		return least == has || least == Service && has == Admin
	}
	return slices.Index(order, has) >= slices.Index(order, least)
}

func first(md metadata.MD, key string) string {
	if v := md.Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}
