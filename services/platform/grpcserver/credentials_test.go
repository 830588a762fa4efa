package grpcserver_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/oidc"
	"makegood.example/services/platform/oidctest"
)

// asking as somebody, at a running server that answers who it was.
type door struct {
	t   *testing.T
	run *running
	who *access.Identity
}

func openDoor(t *testing.T, tokens *access.Tokens) *door {
	t.Helper()
	d := &door{t: t, who: &access.Identity{}}
	d.run = startFor(t, access.Table{ask: {Role: access.Support}}, tokens, service(func(ctx context.Context) error {
		*d.who = access.From(ctx)
		return nil
	}, "Ask"))
	return d
}

func (d *door) ask(token string) (access.Identity, codes.Code) {
	d.t.Helper()
	*d.who = access.Identity{}
	ctx := metadata.AppendToOutgoingContext(d.t.Context(), "authorization", "Bearer "+token)
	err := asked(d.t, ctx, d.run.dial(d.t, ""), asking("abc"))
	return *d.who, apperr.CodeOf(err)
}

func (d *door) await(what, token string, want codes.Code) {
	d.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, got := d.ask(token)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: still %s", what, got)
		}
	}
}

// A person's token is replaced while the server runs: both work for a time, then
// only the new one, and each call is the same person's.
func TestATokenIsReplacedWhileTheServerRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	mint := func(role string) string {
		t.Helper()
		token, err := access.Mint(path, access.Token{Actor: "sam", Role: role})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	old := mint(access.Support)
	tokens, err := access.LoadTokens(time.Now, path)
	if err != nil {
		t.Fatal(err)
	}
	d := openDoor(t, tokens)
	if who, code := d.ask(old); code != codes.OK || who.Actor != "sam" || who.Role != access.Support {
		t.Fatalf("%+v %s", who, code)
	}
	next, viewer := mint(access.Support), mint(access.Viewer)
	d.await("the new token works", next, codes.OK)
	if who, code := d.ask(old); code != codes.OK || who.Actor != "sam" {
		t.Errorf("the old one beside it: %+v %s", who, code)
	}
	if _, code := d.ask(viewer); code != codes.PermissionDenied {
		t.Errorf("one that only reads: %s", code)
	}
	list, err := access.ListTokens(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := access.RevokeTokens(path, func(tok access.Token) bool { return tok.ID() == list[0].ID() }); err != nil {
		t.Fatal(err)
	}
	d.await("the old token is refused", old, codes.Unauthenticated)
	if _, code := d.ask(next); code != codes.OK {
		t.Errorf("the new one after that: %s", code)
	}
	for _, token := range []string{"", "x", list[1].SHA256, strings.ToLower(next)} {
		if _, code := d.ask(token); code != codes.Unauthenticated {
			t.Errorf("%q: %s", token, code)
		}
	}
	if log := d.run.log.String(); strings.Contains(log, old) || strings.Contains(log, next) {
		t.Error("the log has a token")
	}
}

// A sign-in's JWT is a credential beside the files, and an issuer that is away when
// the server starts holds nobody up but those who need it.
func TestASignInIsACredentialOfARunningServer(t *testing.T) {
	issuer := oidctest.New(t, time.Now)
	settings := map[string]string{"OIDC_ISSUER": issuer.URL, "OIDC_AUDIENCE": oidctest.Audience}
	cfg := oidc.LoadConfig(config.NewReader(func(key string) (string, bool) { v, ok := settings[key]; return v, ok }))
	path := filepath.Join(t.TempDir(), "tokens.json")
	token, err := access.Mint(path, access.Token{Actor: "vera", Role: access.Support})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := access.LoadTokens(time.Now, path)
	if err != nil {
		t.Fatal(err)
	}
	tokens.Issuer = oidc.New(t.Context(), cfg, time.Now, slog.New(slog.DiscardHandler))
	d := openDoor(t, tokens)
	if who, code := d.ask(token); code != codes.OK || who.Actor != "vera" {
		t.Fatalf("with a token, while the issuer is away: %+v %s", who, code)
	}
	issuer.Start()
	d.await("the issuer is up", issuer.Token(nil), codes.OK)
	if who, _ := d.ask(issuer.Token(nil)); who.Actor != "sam@example.com" || who.Role != access.Support {
		t.Errorf("%+v", who)
	}
	for name, c := range map[string]struct {
		claims map[string]any
		want   codes.Code
	}{
		"one that only reads": {map[string]any{"roles": "viewer"}, codes.PermissionDenied},
		"no role":             {map[string]any{"roles": nil}, codes.PermissionDenied},
		"expired":             {map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}, codes.Unauthenticated},
		"for another app":     {map[string]any{"aud": "another"}, codes.Unauthenticated},
	} {
		if _, code := d.ask(issuer.Token(c.claims)); code != c.want {
			t.Errorf("%s: %s", name, code)
		}
	}
}
