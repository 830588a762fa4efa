// Package oidc knows people by the JWTs of their company's own sign-in (OpenID
// Connect), as an alternative to tokens that are kept in a file. It only verifies:
// how somebody comes by their token is between them and the issuer.
package oidc

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
)

const (
	// skew is how long after its expiry a token still counts, because clocks differ.
	// One that is not valid yet counts up to four minutes early, as the library has it.
	skew = time.Minute
	// tokenBytesMax bounds what is looked at.
	tokenBytesMax = 16 << 10
)

// ErrIssuerUnreachable says that a token could not be judged, rather than that it
// is none.
var ErrIssuerUnreachable = apperr.New(codes.Unavailable, "ISSUER_UNREACHABLE", "the sign-in's keys cannot be read now, so this token cannot be judged")

// signatures are the algorithms for which only the issuer has the key. Neither none
// nor HS256 is among them: whoever reads a public key could make those.
var signatures = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Issuer verifies the tokens of one issuer.
type Issuer struct {
	cfg  Config
	now  func() time.Time
	log  *slog.Logger
	keys *keys
}

// New prepares an issuer, which need not be up yet; its keys are read while ctx
// lasts.
func New(ctx context.Context, cfg Config, now func() time.Time, log *slog.Logger) *Issuer {
	return &Issuer{cfg: cfg, now: now, log: log, keys: &keys{ctx: ctx, issuer: cfg.Issuer, now: now, log: log}}
}

// Identify says whose a token is. It answers access.ErrUnknownToken when it is no
// valid one of this issuer for this audience, PERMISSION_DENIED when its person has
// no role here, and ErrIssuerUnreachable when that could not be found out.
func (i *Issuer) Identify(ctx context.Context, token string) (actor, role string, err error) {
	if strings.Count(token, ".") != 2 || len(token) > tokenBytesMax {
		return "", "", access.ErrUnknownToken
	}
	signed, err := jose.ParseSignedCompact(token, signatures)
	if err != nil || len(signed.Signatures) != 1 {
		return "", "", access.ErrUnknownToken
	}
	candidates, err := i.keys.find(ctx, signed.Signatures[0].Header.KeyID)
	if err != nil {
		return "", "", err
	}
	verified, err := oidc.NewVerifier(i.cfg.Issuer, &oidc.StaticKeySet{PublicKeys: candidates}, &oidc.Config{
		ClientID: i.cfg.Audience, SupportedSigningAlgs: names(signatures), Now: func() time.Time { return i.now().Add(-skew) },
	}).Verify(ctx, token)
	if err != nil {
		return "", "", access.ErrUnknownToken
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return "", "", access.ErrUnknownToken
	}
	if actor = nameOf(claims, verified.Subject); actor == "" {
		return "", "", apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", "this sign-in names nobody who could be recorded")
	}
	if role = i.cfg.role(claims); role == "" {
		return "", "", apperr.New(codes.PermissionDenied, "PERMISSION_DENIED", "this sign-in has no role here")
	}
	return actor, role, nil
}

func names(algorithms []jose.SignatureAlgorithm) (names []string) {
	for _, a := range algorithms {
		names = append(names, string(a))
	}
	return names
}
