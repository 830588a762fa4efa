package oidc

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/config"
)

// Config says whom to trust, and with what.
type Config struct {
	// Issuer is the address of the issuer, exactly as its tokens name it; empty
	// trusts none.
	Issuer string
	// Audience is what a token must be meant for.
	Audience string
	// RolesClaim is where a token says its person's groups: the name of a claim, or a
	// path of names with dots.
	RolesClaim string
	// Roles are the roles by the values of that claim.
	Roles map[string]string
}

// LoadConfig reads OIDC_ISSUER, OIDC_AUDIENCE, OIDC_ROLES_CLAIM and OIDC_ROLES.
func LoadConfig(r *config.Reader) Config {
	c := Config{
		Issuer: r.String("OIDC_ISSUER", ""), Audience: r.String("OIDC_AUDIENCE", ""), RolesClaim: r.String("OIDC_ROLES_CLAIM", "roles"),
		Roles: map[string]string{access.Viewer: access.Viewer, access.Support: access.Support, access.Admin: access.Admin},
	}
	if c.Issuer == "" {
		return c
	}
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost" || u.Hostname() == "::1")) {
		r.Problem("OIDC_ISSUER=%q is no https address (http is for this machine only)", c.Issuer)
	}
	if c.Audience == "" {
		r.Problem("OIDC_AUDIENCE is not set: whom the tokens of OIDC_ISSUER must be meant for; without it the token of any other app would do")
	}
	if pairs := r.List("OIDC_ROLES"); len(pairs) > 0 {
		c.Roles = map[string]string{}
		for _, pair := range pairs {
			value, role, ok := cutLast(pair, "=")
			if !ok || value == "" || !slices.Contains(people, role) {
				r.Problem("OIDC_ROLES: %q is not VALUE=ROLE with a role of viewer, support and admin", pair)
				continue
			}
			c.Roles[value] = role
		}
	}
	return c
}

// actorBytesMax is the longest name that a case or the audit can be asked for.
const actorBytesMax = 64

// people are the roles that a person can have, the least first.
var people = []string{access.Viewer, access.Support, access.Admin}

// role is the highest that a token's claim gives; empty for none.
func (c Config) role(claims map[string]any) (role string) {
	for _, value := range values(claims, c.RolesClaim) {
		if r := c.Roles[value]; slices.Index(people, r) > slices.Index(people, role) {
			role = r
		}
	}
	return role
}

// values are the texts of a claim: one, or a list. Names with dots are tried as
// they are before they are taken for a path.
func values(claims map[string]any, name string) []string {
	at, ok := claims[name]
	for head, rest, more := strings.Cut(name, "."); !ok && more; head, rest, more = strings.Cut(rest, ".") {
		inner, isObject := claims[head].(map[string]any)
		if !isObject {
			return nil
		}
		claims = inner
		at, ok = claims[rest]
	}
	switch v := at.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, one := range v {
			if text, isText := one.(string); isText {
				list = append(list, text)
			}
		}
		return list
	}
	return nil
}

// nameOf is what the audit calls a person: their address unless the issuer says
// that nobody verified it, else the name they sign in with, else the issuer's id.
func nameOf(claims map[string]any, subject string) string {
	email, _ := claims["email"].(string)
	if verified, said := claims["email_verified"].(bool); said && !verified {
		email = ""
	}
	username, _ := claims["preferred_username"].(string)
	for _, n := range []string{email, username, subject} {
		if n = strings.TrimSpace(n); n != "" && len(n) <= actorBytesMax && strings.IndexFunc(n, unicode.IsControl) < 0 {
			return n
		}
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+len(sep):]), true
	}
	return s, "", false
}
