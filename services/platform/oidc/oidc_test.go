package oidc_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/oidc"
	"makegood.example/services/platform/oidctest"
)

// clock is moved by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func world(t *testing.T, settings map[string]string) (*oidctest.Issuer, *oidc.Issuer, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	theirs := oidctest.New(t, c.now)
	return theirs, ours(t, theirs, c, settings), c
}

func ours(t *testing.T, theirs *oidctest.Issuer, c *clock, settings map[string]string) *oidc.Issuer {
	t.Helper()
	r := config.NewReader(func(key string) (string, bool) {
		v, ok := map[string]string{"OIDC_ISSUER": theirs.URL, "OIDC_AUDIENCE": oidctest.Audience}[key]
		if set, isSet := settings[key]; isSet {
			return set, true
		}
		return v, ok
	})
	cfg := oidc.LoadConfig(r)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return oidc.New(t.Context(), cfg, c.now, slog.New(slog.DiscardHandler))
}

func why(err error) string {
	if e := apperr.Of(err); e != nil {
		return e.Reason
	}
	return ""
}

func TestWhoIsKnownByTheirSignIn(t *testing.T) {
	theirs, issuer, c := world(t, map[string]string{"OIDC_ROLES_CLAIM": "https://example.com/groups", "OIDC_ROLES": "cn=desk=support, owners=admin,readers=viewer"})
	theirs.Start()
	groups := func(v any, more ...any) map[string]any {
		m := map[string]any{"https://example.com/groups": v}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	for name, k := range map[string]struct {
		claims             map[string]any
		actor, role, wrong string
	}{
		"support":                {groups([]string{"cn=desk"}), "sam@example.com", "support", ""},
		"the highest counts":     {groups([]string{"readers", "owners", "cn=desk", "others"}), "sam@example.com", "admin", ""},
		"one group, as a text":   {groups("readers"), "sam@example.com", "viewer", ""},
		"no group of ours":       {groups([]string{"support", "admin"}), "", "", "PERMISSION_DENIED"},
		"no groups":              {nil, "", "", "PERMISSION_DENIED"},
		"groups of another kind": {groups([]any{1, nil, map[string]any{}}), "", "", "PERMISSION_DENIED"},
		"unverified address":     {groups("readers", "email_verified", false, "preferred_username", "sam"), "sam", "viewer", ""},
		"nothing but an id":      {groups("readers", "email", nil), "user-1", "viewer", ""},
		"a name with a newline":  {groups("readers", "email", "sam\n@example.com"), "user-1", "viewer", ""},
		"nobody":                 {groups("readers", "email", nil, "sub", ""), "", "", "PERMISSION_DENIED"},
		"several audiences":      {groups("readers", "aud", []string{"other", oidctest.Audience}), "sam@example.com", "viewer", ""},
		"another audience":       {groups("owners", "aud", "other"), "", "", "UNAUTHENTICATED"},
		"no audience":            {groups("owners", "aud", nil), "", "", "UNAUTHENTICATED"},
		"another issuer":         {groups("owners", "iss", "https://issuer.example.org"), "", "", "UNAUTHENTICATED"},
		"expired":                {groups("owners", "exp", c.at.Add(-61*time.Second).Unix()), "", "", "UNAUTHENTICATED"},
		"expired by our clock":   {groups("owners", "exp", c.at.Add(-59*time.Second).Unix()), "sam@example.com", "admin", ""},
		"never expires":          {groups("owners", "exp", nil), "", "", "UNAUTHENTICATED"},
		"not yet":                {groups("owners", "nbf", c.at.Add(time.Hour).Unix()), "", "", "UNAUTHENTICATED"},
		"by their clock":         {groups("owners", "nbf", c.at.Add(time.Minute).Unix()), "sam@example.com", "admin", ""},
	} {
		actor, role, err := issuer.Identify(t.Context(), theirs.Token(k.claims))
		if actor != k.actor || role != k.role || why(err) != k.wrong {
			t.Errorf("%s: %q %q %v", name, actor, role, err)
		}
	}
}

func TestAPathLeadsToTheRoles(t *testing.T) {
	theirs, issuer, _ := world(t, map[string]string{"OIDC_ROLES_CLAIM": "realm_access.roles"})
	theirs.Start()
	if _, role, err := issuer.Identify(t.Context(), theirs.Token(map[string]any{"realm_access": map[string]any{"roles": []string{"admin"}}})); err != nil || role != access.Admin {
		t.Errorf("%q %v", role, err)
	}
	if _, _, err := issuer.Identify(t.Context(), theirs.Token(map[string]any{"realm_access": "admin"})); why(err) != "PERMISSION_DENIED" {
		t.Errorf("no path: %v", err)
	}
}

func TestSignaturesThatProveNothing(t *testing.T) {
	theirs, issuer, _ := world(t, nil)
	theirs.Start()
	good := theirs.Token(nil)
	if _, _, err := issuer.Identify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	public, kid := theirs.PublicKey()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	admin := part(theirs.Claims(map[string]any{"roles": "admin"}))
	for name, token := range map[string]string{
		"none":                           part(map[string]string{"alg": "none", "kid": kid}) + "." + admin + ".",
		"None":                           part(map[string]string{"alg": "None", "kid": kid}) + "." + admin + "." + parts[2],
		"no signature":                   parts[0] + "." + parts[1] + ".",
		"another's claims":               parts[0] + "." + admin + "." + parts[2],
		"a stranger's key with this id":  oidctest.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: stranger, KeyID: kid}}, theirs.Claims(nil)),
		"a stranger's key, none named":   oidctest.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: stranger}, theirs.Claims(nil)),
		"a key that it brings along":     oidctest.Sign(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: stranger, KeyID: "mine"}}, theirs.Claims(nil)),
		"the public key as HMAC secret":  oidctest.Sign(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: der, KeyID: kid}}, theirs.Claims(nil)),
		"the public key as HMAC secret2": oidctest.Sign(t, jose.SigningKey{Algorithm: jose.HS512, Key: der}, theirs.Claims(nil)),
		"words":                          "a.b.c",
		"too long":                       good + strings.Repeat("A", 20<<10),
	} {
		if actor, _, err := issuer.Identify(t.Context(), token); actor != "" || why(err) != "UNAUTHENTICATED" {
			t.Errorf("%s: %q %v", name, actor, err)
		}
	}
}

func TestKeysAreReadOnceAndAnewWhenTheyChange(t *testing.T) {
	theirs, issuer, c := world(t, nil)
	theirs.Start()
	may := func(token string) string {
		_, _, err := issuer.Identify(t.Context(), token)
		return why(err)
	}
	for range 20 {
		if w := may(theirs.Token(nil)); w != "" {
			t.Fatal(w)
		}
	}
	if n := theirs.Asked(); n != 1 {
		t.Errorf("the keys were read %d times for 20 calls", n)
	}
	old := theirs.Token(map[string]any{"exp": c.at.Add(24 * time.Hour).Unix()})
	c.add(time.Minute)
	theirs.Rotate("ec-2")
	if w := may(theirs.Token(nil)); w != "" {
		t.Errorf("signed with a new key: %s", w)
	}
	if w := may(old); w != "UNAUTHENTICATED" {
		t.Errorf("signed with a withdrawn key: %q", w)
	}
	// Made-up keys cost the issuer no question each.
	before := theirs.Asked()
	theirs.Rotate("ec-3")
	next := theirs.Token(nil)
	for range 20 {
		may(old)
		may(next)
	}
	if n := theirs.Asked() - before; n > 1 {
		t.Errorf("the keys were read %d times within a moment", n)
	}
	c.add(10 * time.Second)
	if w := may(theirs.Token(nil)); w != "" {
		t.Errorf("the new key, a moment later: %s", w)
	}
}

func TestAnIssuerThatIsAway(t *testing.T) {
	theirs, issuer, c := world(t, nil)
	begun, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := issuer.Identify(begun, theirs.Token(nil)); why(err) != "ISSUER_UNREACHABLE" {
		t.Errorf("before it is up: %v", err)
	}
	stop := theirs.Start()
	await(t, "it is up", func() bool {
		c.add(10 * time.Second)
		_, _, err := issuer.Identify(t.Context(), theirs.Token(nil))
		return err == nil
	})
	stop()
	c.add(2 * time.Hour)
	for range 3 { // the keys are old, and what is known counts on
		if _, _, err := issuer.Identify(t.Context(), theirs.Token(nil)); err != nil {
			t.Errorf("two hours after it went away: %v", err)
		}
	}
	c.add(24 * time.Hour)
	await(t, "old keys count no longer", func() bool {
		c.add(10 * time.Second)
		_, _, err := issuer.Identify(t.Context(), theirs.Token(nil))
		return why(err) == "ISSUER_UNREACHABLE"
	})
}

func TestSettingsThatCannotBeMeant(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"no audience":     {map[string]string{"OIDC_ISSUER": "https://issuer.example.com"}, "OIDC_AUDIENCE"},
		"plain http":      {map[string]string{"OIDC_ISSUER": "http://issuer.example.com", "OIDC_AUDIENCE": "x"}, "no https address"},
		"no address":      {map[string]string{"OIDC_ISSUER": "issuer", "OIDC_AUDIENCE": "x"}, "no https address"},
		"an unknown role": {map[string]string{"OIDC_ISSUER": "https://issuer.example.com", "OIDC_AUDIENCE": "x", "OIDC_ROLES": "owners=owner"}, "owners=owner"},
		"the SaaS's role": {map[string]string{"OIDC_ISSUER": "https://issuer.example.com", "OIDC_AUDIENCE": "x", "OIDC_ROLES": "app=service"}, "app=service"},
		"no issuer":       {map[string]string{"OIDC_AUDIENCE": "x"}, ""},
	} {
		r := config.NewReader(func(key string) (string, bool) { v, ok := c.env[key]; return v, ok })
		oidc.LoadConfig(r)
		if err := r.Err(); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
