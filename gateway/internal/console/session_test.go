package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"makegood.example/gateway/internal/peertest"
)

func TestSigningInAndOut(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.somebody(t)
	if a := p.get(t, "/cases/41"); a.path != "/sign-in?to=%2Fcases%2F41" {
		t.Errorf("without a token: %s", a.path)
	}
	a := p.post(t, "/sign-in", url.Values{"token": {" Bearer support" + tokenTail + "\n"}, "to": {"/cases/41"}})
	if a.path != "/cases/41" || a.status != 200 {
		t.Fatalf("signed in: %d %s", a.status, a.path)
	}
	a.says(t, "<strong>sam</strong>", "support", "Take it")
	if a := p.post(t, "/sign-out", nil); a.path != "/sign-in?why=out" {
		t.Errorf("signed out: %s", a.path)
	}
	if a := p.get(t, "/"); a.path != "/sign-in" {
		t.Errorf("after signing out: %s", a.path)
	}
	for _, elsewhere := range []string{"https://example.com/", "//example.com", "/\\example.com", "/sign-out"} {
		if a := d.somebody(t).post(t, "/sign-in", url.Values{"token": {"support" + tokenTail}, "to": {elsewhere}}); a.path != "/" {
			t.Errorf("sent to %q: %s", elsewhere, a.path)
		}
	}
}

func TestWhatIsNoTokenIsSaidPlainly(t *testing.T) {
	d := start(t)
	for token, c := range map[string]struct {
		status int
		says   string
	}{
		"":                        {400, "Paste your token first"},
		"guessed":                 {401, "unknown, has expired, or was revoked"},
		`"quoted"`:                {401, "characters that no token has"},
		"service" + tokenTail:     {403, "not a person"},
		strings.Repeat("x", 5000): {400, "longer than a token can be"},
	} {
		a := d.somebody(t).post(t, "/sign-in", url.Values{"token": {token}})
		if a.status != c.status {
			t.Errorf("%.20q: %d", token, a.status)
		}
		a.says(t, c.says)
		if a.header.Get("Set-Cookie") != "" {
			t.Errorf("%.20q got a cookie", token)
		}
		if len(token) > 6 {
			a.hides(t, token)
		}
	}
	d.net.Stop(peertest.Reconciliation)
	a := d.somebody(t).post(t, "/sign-in", url.Values{"token": {"support" + tokenTail}})
	if a.status != 503 {
		t.Errorf("nobody to ask: %d", a.status)
	}
	a.says(t, "cannot be checked right now")
}

func TestWrongTokensAreLimited(t *testing.T) {
	d := start(t)
	try := func(token string) int {
		return d.somebody(t).post(t, "/sign-in", url.Values{"token": {token}}).status
	}
	for range 10 {
		if got := try("guessed"); got != 401 {
			t.Fatalf("%d", got)
		}
	}
	a := d.somebody(t).post(t, "/sign-in", url.Values{"token": {"support" + tokenTail}})
	if a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("after ten wrong ones: %d", a.status)
	}
	a.says(t, "Try again in 5 min")
}

func TestTheCookie(t *testing.T) {
	d := start(t)
	signIn := func(headers ...string) *http.Cookie {
		t.Helper()
		p := d.somebody(t)
		p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		a := p.post(t, "/sign-in", url.Values{"token": {"viewer" + tokenTail}}, headers...)
		cookies := (&http.Response{Header: a.header}).Cookies()
		if a.status != 303 || len(cookies) != 1 {
			t.Fatalf("%d %v", a.status, a.header)
		}
		return cookies[0]
	}
	plain := signIn()
	if !plain.HttpOnly || plain.SameSite != http.SameSiteStrictMode || plain.MaxAge != 12*3600 || plain.Path != "/" || plain.Domain != "" || plain.Secure {
		t.Errorf("on loopback: %+v", plain)
	}
	for _, headers := range [][]string{{"X-Forwarded-Proto", "https"}, {"Origin", strings.Replace(d.url, "http:", "https:", 1)}} {
		if c := signIn(headers...); !c.Secure || !strings.HasPrefix(c.Name, "__Host-") || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
			t.Errorf("behind https (%q): %+v", headers, c)
		}
	}
}

func TestARevokedTokenEndsTheSignIn(t *testing.T) {
	d := start(t)
	d.quiet()
	p := d.as(t, "viewer")
	d.people(t, "support")
	d.awaitRevoked(t, p)
	a := p.get(t, "/runs")
	if a.path != "/sign-in?to=%2Fruns" {
		t.Errorf("the cookie was kept: %s", a.path)
	}
}

func TestAProxyMaySignPeopleIn(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.somebody(t)
	a := p.get(t, "/", "Authorization", "Bearer support"+tokenTail)
	a.says(t, "<strong>sam</strong>")
	a.hides(t, "Sign out")
	a = p.get(t, "/", "Authorization", "Bearer guessed")
	if a.status != 401 {
		t.Errorf("a wrong token: %d", a.status)
	}
	a.says(t, "The token that your proxy sent is unknown")
}

func TestAnotherSiteCanDoNothing(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "support")
	d.peers.Script.Forget()
	for name, headers := range map[string][]string{
		"another site":           {"Sec-Fetch-Site", "cross-site", "Origin", "https://example.com"},
		"a sibling":              {"Sec-Fetch-Site", "same-site", "Origin", "https://sibling.example.com"},
		"an old browser":         {"Sec-Fetch-Site", "", "Origin", "https://example.com"},
		"a proxy adds the token": {"Sec-Fetch-Site", "cross-site", "Origin", "https://example.com", "Authorization", "Bearer support" + tokenTail},
	} {
		for _, path := range []string{"/cases/41/claim", "/incidents/stuck-order/acknowledge", "/tickets", "/reply", "/runs", "/sign-out", "/do/pause", "/do/replay", "/admin/v1/webhook-events/evt_1:replay"} {
			if a := p.post(t, path, url.Values{"reason": {"r"}}, headers...); a.status != 403 {
				t.Errorf("%s, %s: %d", name, path, a.status)
			}
		}
	}
	for _, method := range []string{"ClaimCase", "AcknowledgeIncident", "OpenTicket", "Reply", "SetCharging", "ReplayEvent"} {
		if len(d.peers.Script.Asked(method)) > 0 {
			t.Errorf("%s reached its service", method)
		}
	}
	if a := p.get(t, "/"); a.path != "/" {
		t.Errorf("somebody was signed out from elsewhere")
	}
}

func TestEveryPageIsGuarded(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "admin")
	for _, path := range []string{"/", "/cases/41", "/integrity", "/nowhere", "/sign-in"} {
		a := p.get(t, path)
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "same-origin", "X-Robots-Tag": "noindex, nofollow", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'",
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", path, header, got)
			}
		}
		a.hides(t, "<style", " style=", " onclick=", "javascript:", "support"+tokenTail)
	}
	d.somebody(t).get(t, "/").hides(t, "Stuck order", "Queue")
}

func TestAViewerSeesNoButtonsAndCanDoNothing(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "viewer")
	for _, path := range []string{"/cases/41", "/incidents/stuck-order", "/runs", "/events/evt_1ForNobody", "/charging"} {
		a := p.get(t, path)
		if n := strings.Count(a.body, "<form"); n != 1 { // signing out
			t.Errorf("%s has %d forms", path, n)
		}
	}
	for _, path := range []string{"/cases/41/claim", "/cases/41/resolve", "/cases/41/snooze", "/incidents/stuck-order/acknowledge", "/incidents/stuck-order/snooze", "/runs", "/do/pause", "/do/replay", "/do/recover"} {
		a := p.post(t, path, url.Values{"reason": {"I would like to"}, "until": {"2026-11-22T00:00:00Z"}, "confirm": {"yes"}, "key": {aKey}, "event_id": {"evt_1"}, "order_id": {orderID}})
		if a.status != 403 {
			t.Errorf("%s: %d", path, a.status)
		}
		a.says(t, "Your role may not do that")
	}
	d.as(t, "support").get(t, "/charging").says(t, "takes the role admin")
}
