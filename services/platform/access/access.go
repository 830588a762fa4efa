// Package access says who may call what: for each RPC the services and the
// roles that may. A server does not start with an RPC that has no rule.
package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"makegood.example/services/platform/apperr"
)

// CallerKey is the metadata key by which one service names itself to another.
// It is trusted because services listen on loopback only.
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
	id := Identity{Caller: first(md, CallerKey)}
	if header := first(md, "authorization"); header != "" {
		token, isBearer := strings.CutPrefix(header, "Bearer ")
		if !isBearer {
			return Identity{}, apperr.New(codes.Unauthenticated, "UNAUTHENTICATED", "authorization must be: Bearer <token>")
		}
		t, ok := tokens.find(token)
		if !ok {
			return Identity{}, apperr.New(codes.Unauthenticated, "UNAUTHENTICATED", "this token is unknown or has expired")
		}
		id.Actor, id.Role = t.Actor, t.Role
	}
	if slices.Contains(rule.Callers, id.Caller) || allows(rule.Role, id.Role) {
		return id, nil
	}
	if id.Caller == "" && id.Role == "" || id.Caller != "" && id.Role == "" && rule.Role != "" {
		return Identity{}, apperr.New(codes.Unauthenticated, "UNAUTHENTICATED", "a token is needed: authorization: Bearer <token>")
	}
	return Identity{}, apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", "this credential may not do that")
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

// Token is one credential; the token itself is kept nowhere, only its hash.
type Token struct {
	Actor     string     `json:"actor"`
	Role      string     `json:"role"`
	SHA256    string     `json:"sha256"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// Tokens are the credentials of some files. A changed file is read again
// within a second, so that a token is revoked without a restart.
type Tokens struct {
	paths []string
	now   func() time.Time

	mu      sync.Mutex
	checked time.Time
	stamps  []time.Time
	byHash  map[string]Token
}

// LoadTokens reads the files; an empty path is left out.
func LoadTokens(now func() time.Time, paths ...string) (*Tokens, error) {
	t := &Tokens{now: now}
	for _, p := range paths {
		if p != "" {
			t.paths = append(t.paths, p)
		}
	}
	t.stamps = make([]time.Time, len(t.paths))
	return t, t.reload()
}

func (t *Tokens) reload() error {
	byHash := map[string]Token{}
	stamps := make([]time.Time, len(t.paths))
	for i, path := range t.paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("token file: %w", err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("token file: %w", err)
		}
		var file struct {
			Tokens []Token `json:"tokens"`
		}
		if err := json.Unmarshal(b, &file); err != nil {
			return fmt.Errorf("token file %s: %w", path, err)
		}
		for _, tok := range file.Tokens {
			if tok.Actor == "" || len(tok.SHA256) != 64 || !slices.Contains([]string{Viewer, Support, Admin, Service}, tok.Role) {
				return fmt.Errorf("token file %s: every token needs an actor, a role (viewer, support, admin, service) and the SHA-256 of its text in hex", path)
			}
			byHash[strings.ToLower(tok.SHA256)] = tok
		}
		stamps[i] = info.ModTime()
	}
	t.byHash, t.stamps = byHash, stamps
	return nil
}

func (t *Tokens) find(token string) (Token, bool) {
	if t == nil {
		return Token{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.checked) > time.Second {
		t.checked = now
		for i, path := range t.paths {
			if info, err := os.Stat(path); err == nil && !info.ModTime().Equal(t.stamps[i]) {
				// A half-written file keeps the credentials as they were.
				_ = t.reload()
				break
			}
		}
	}
	sum := sha256.Sum256([]byte(token))
	tok, ok := t.byHash[hex.EncodeToString(sum[:])]
	if !ok || tok.ExpiresAt != nil && !t.now().Before(*tok.ExpiresAt) {
		return Token{}, false
	}
	return tok, true
}
