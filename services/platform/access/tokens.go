package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// ErrUnknownToken refuses a credential that is not, or no longer, one.
var ErrUnknownToken = apperr.New(codes.Unauthenticated, "UNAUTHENTICATED", "this token is unknown or has expired")

// Token is one credential; the token itself is kept nowhere, only its hash. An
// actor may have several, so that one can be replaced while it is in use.
type Token struct {
	Actor string `json:"actor"`
	Role  string `json:"role"`
	// SHA256 is of the token's text, in hex.
	SHA256    string     `json:"sha256"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	// ExpiresAt is the first moment at which it is none; nil is never.
	ExpiresAt *time.Time `json:"expires_at"`
}

// ID names a token without telling it.
func (t Token) ID() string { return strings.ToLower(t.SHA256[:12]) }

// Expired says whether it is no credential any more.
func (t Token) Expired(now time.Time) bool { return t.ExpiresAt != nil && !now.Before(*t.ExpiresAt) }

func (t Token) check() error {
	if sum, err := hex.DecodeString(t.SHA256); t.Actor == "" || err != nil || len(sum) != sha256.Size || !slices.Contains([]string{Viewer, Support, Admin, Service}, t.Role) {
		return fmt.Errorf("every token needs an actor, a role (viewer, support, admin, service) and the SHA-256 of its text in hex")
	}
	return nil
}

// Issuer identifies people by the tokens of their own sign-in, such as OpenID
// Connect. It answers ErrUnknownToken for what is none of theirs.
type Issuer interface {
	Identify(ctx context.Context, token string) (actor, role string, err error)
}

// Tokens are the credentials of some files, and of an issuer when there is one. A
// changed file is read again within a second, so that a token is made or revoked
// without a restart.
type Tokens struct {
	// Issuer is asked about what no file knows; nil is nobody.
	Issuer Issuer
	// Log hears of a file that cannot be read again: until then the credentials stay
	// as they were. Nil is nobody.
	Log *slog.Logger

	paths []string
	now   func() time.Time

	mu      sync.Mutex
	checked time.Time
	stamps  []stamp
	said    string // the last problem, so that it is told once
	byHash  map[string]Token
}

// stamp tells one content of a file from the next.
type stamp struct {
	at   time.Time
	size int64
}

// LoadTokens reads the files; an empty path is left out.
func LoadTokens(now func() time.Time, paths ...string) (*Tokens, error) {
	t := &Tokens{now: now}
	for _, p := range paths {
		if p != "" {
			t.paths = append(t.paths, p)
		}
	}
	t.stamps = make([]stamp, len(t.paths))
	return t, t.reload()
}

func (t *Tokens) reload() error {
	byHash := map[string]Token{}
	stamps := make([]stamp, len(t.paths))
	for i, path := range t.paths {
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("token file: %w", err)
		}
		list, err := readTokens(path)
		if err != nil {
			return err
		}
		for _, tok := range list {
			byHash[strings.ToLower(tok.SHA256)] = tok
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	t.byHash, t.stamps = byHash, stamps
	return nil
}

// readTokens reads one file.
func readTokens(path string) ([]Token, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	var file tokenFile
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("token file %s: %w", path, err)
	}
	for _, tok := range file.Tokens {
		if err := tok.check(); err != nil {
			return nil, fmt.Errorf("token file %s: %w", path, err)
		}
	}
	return file.Tokens, nil
}

type tokenFile struct {
	Tokens []Token `json:"tokens"`
}

// identify says whose a token is.
func (t *Tokens) identify(ctx context.Context, token string) (actor, role string, err error) {
	if t == nil {
		return "", "", ErrUnknownToken
	}
	tok, known := t.find(token)
	switch {
	case known && tok.Expired(t.now()):
		return "", "", ErrUnknownToken
	case known:
		return tok.Actor, tok.Role, nil
	case t.Issuer != nil:
		return t.Issuer.Identify(ctx, token)
	}
	return "", "", ErrUnknownToken
}

func (t *Tokens) find(token string) (Token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.checked) > time.Second {
		t.checked = now
		t.lookAgain()
	}
	tok, ok := t.byHash[hashOf(token)]
	return tok, ok
}

// lookAgain reads the files again when one has changed. One that is half written,
// broken or gone keeps the credentials as they were, and is told of once.
func (t *Tokens) lookAgain() {
	for i, path := range t.paths {
		if info, err := os.Stat(path); err == nil && t.stamps[i] == (stamp{info.ModTime(), info.Size()}) {
			continue
		}
		err := t.reload()
		switch {
		case err == nil:
			t.said = ""
		case err.Error() != t.said && t.Log != nil:
			t.said = err.Error()
			t.Log.Error("credentials stay as they were: a token that was revoked since still works", "error", t.said)
		}
		return
	}
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
