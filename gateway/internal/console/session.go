package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"makegood.example/gateway/internal/edge"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
)

// The cookie holds the token itself. Encrypted under a key of ours it would open
// the same doors to whoever steals it, and the key would have to be kept, shared
// and rotated. What ends a session for good is the token's own end or its
// revocation, which every service notices within a second.
const (
	cookieName = "makegood"
	// A __Host- cookie cannot be set or overwritten by another host or over http.
	secureCookieName = "__Host-makegood"
	sessionLasts     = 12 * time.Hour
	// maxToken is what fits into a cookie.
	maxToken = 3800
)

// visit is one request of somebody who is signed in.
type visit struct {
	token string
	// Actor and Role are empty when nobody could be asked who this is.
	Actor, Role string
	// Unknown: the service that knows people gives no answer.
	Unknown bool
	// ByProxy: the token came with the request, from a proxy that signs people in.
	ByProxy bool
}

// May says whether the services will let this person; a page without the buttons
// is a kindness, and no protection.
func (v *visit) May(role string) bool {
	rank := map[string]int{"viewer": 1, "support": 2, "admin": 3}
	return rank[v.Role] >= rank[role]
}

// credential is the token that a request carries.
func credential(r *http.Request) (token string, byProxy bool) {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && bearer != "" {
		return bearer, true
	}
	for _, name := range []string{secureCookieName, cookieName} {
		if c, err := r.Cookie(name); err == nil && c.Value != "" {
			return c.Value, false
		}
	}
	return "", false
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.NewOutgoingContext(ctx, metadata.Pairs("authorization", "Bearer "+token))
}

// signedIn asks who it is before anything is shown. While nobody can be asked,
// pages are drawn for an unknown person: their own services check the token.
func (c *console) signedIn(next handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, byProxy := credential(r)
		if token == "" {
			c.turnAway(w, r, "")
			return
		}
		v := &visit{token: token, ByProxy: byProxy}
		ctx, cancel := context.WithTimeout(withToken(r.Context(), token), askTimeout)
		defer cancel()
		me, err := c.support.WhoAmI(ctx, &reconciliationv1.WhoAmIRequest{})
		switch code := apperr.CodeOf(err); {
		case err == nil:
			v.Actor, v.Role = me.GetActor(), me.GetRole()
		case code == codes.Unauthenticated || code == codes.PermissionDenied:
			c.forget(w, r)
			c.turnAway(w, r, "ended")
			return
		default:
			v.Unknown = true
		}
		next(w, r, v)
	})
}

// turnAway sends to the sign-in, and from there back to where they were going.
func (c *console) turnAway(w http.ResponseWriter, r *http.Request, why string) {
	if _, byProxy := credential(r); byProxy {
		c.drawSignIn(w, r, http.StatusUnauthorized, signIn{Why: "The token that your proxy sent is unknown here, has expired, or has no role. Sign in at the proxy again, or ask an admin."})
		return
	}
	where := "/sign-in"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		where += "?to=" + escape(r.URL.RequestURI())
	}
	if why != "" {
		where = addQuery(where, "why", why)
	}
	http.Redirect(w, r, where, http.StatusSeeOther)
}

// signIn is the page that asks for a token.
type signIn struct {
	Why  string
	Info string
	To   string
}

func (c *console) askForToken(w http.ResponseWriter, r *http.Request) {
	page := signIn{To: ownPath(r.URL.Query().Get("to"))}
	switch r.URL.Query().Get("why") {
	case "ended":
		page.Why = "Your sign-in has ended: the token expired or was revoked. Nothing that you did before is lost."
	case "out":
		page.Info = "You are signed out."
	}
	c.drawSignIn(w, r, http.StatusOK, page)
}

func (c *console) drawSignIn(w http.ResponseWriter, r *http.Request, status int, s signIn) {
	c.draw(w, r, status, "sign-in", page{Title: "Sign in", Body: s})
}

func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	to, refuse := ownPath(r.PostFormValue("to")), func(status int, why string) {
		c.drawSignIn(w, r, status, signIn{Why: why, To: ownPath(r.PostFormValue("to"))})
	}
	from := edge.ClientIP(r.Context()).String()
	if wait := c.attempts.wait(from); wait > 0 {
		w.Header().Set("Retry-After", seconds(wait))
		refuse(http.StatusTooManyRequests, "Too many wrong tokens came from your address. Try again in "+inWords(wait)+".")
		return
	}
	token := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(r.PostFormValue("token")), "Bearer "))
	switch {
	case token == "":
		refuse(http.StatusBadRequest, "Paste your token first.")
		return
	case len(token) > maxToken:
		refuse(http.StatusBadRequest, "This is longer than a token can be.")
		return
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == ',' || r == ';' || r == '\\' }):
		c.attempts.fail(from)
		refuse(http.StatusUnauthorized, "This is no token: it has characters that no token has. Copy it whole, without quotes.")
		return
	}
	ctx, cancel := context.WithTimeout(withToken(r.Context(), token), askTimeout)
	defer cancel()
	_, err := c.support.WhoAmI(ctx, &reconciliationv1.WhoAmIRequest{})
	switch code := apperr.CodeOf(err); {
	case err == nil:
	case code == codes.Unauthenticated:
		c.attempts.fail(from)
		refuse(http.StatusUnauthorized, "This token is unknown, has expired, or was revoked.")
		return
	case code == codes.PermissionDenied:
		refuse(http.StatusForbidden, "This token is not a person's: the console is for the roles viewer, support and admin.")
		return
	default:
		refuse(http.StatusServiceUnavailable, "Your token cannot be checked right now: Reconciliation gives no answer. It was not looked at; try again in a moment.")
		return
	}
	http.SetCookie(w, c.cookie(r, token, int(sessionLasts.Seconds())))
	if to == "" {
		to = "/"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request) {
	c.forget(w, r)
	http.Redirect(w, r, "/sign-in?why=out", http.StatusSeeOther)
}

func (c *console) forget(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, c.cookie(r, "", -1))
}

func (c *console) cookie(r *http.Request, token string, maxAge int) *http.Cookie {
	cookie := &http.Cookie{
		Name: cookieName, Value: token, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if isHTTPS(r) {
		cookie.Name, cookie.Secure = secureCookieName, true
	}
	return cookie
}

// isHTTPS says whether the browser speaks https, be it to a proxy before us. Whoever
// lies about it only gets a stricter cookie.
func isHTTPS(r *http.Request) bool {
	if _, err := r.Cookie(secureCookieName); err == nil {
		return true
	}
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" || strings.HasPrefix(r.Header.Get("Origin"), "https://")
}

// ownPath is where to go after the sign-in: a path of ours, or nowhere.
func ownPath(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(to, "/sign-") {
		return ""
	}
	return to
}
