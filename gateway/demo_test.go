package gateway_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestDemoShop(t *testing.T) {
	get := func(t *testing.T, r *running, path string) *http.Response {
		t.Helper()
		res, err := http.Get(r.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	t.Run("as usual", func(t *testing.T) {
		gw := start(t, nil)
		for _, path := range []string{"/", "/demo.js", "/demo.css"} {
			if res := get(t, gw, path); res.StatusCode != http.StatusNotFound {
				t.Errorf("%s is served to everybody: %d", path, res.StatusCode)
			}
		}
		if res := get(t, gw, "/makegood.js"); res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/javascript") || res.Header.Get("Etag") == "" {
			t.Errorf("makegood.js: %d %v", res.StatusCode, res.Header)
		}
	})
	t.Run("with the real Stripe", func(t *testing.T) {
		policy := get(t, start(t, map[string]string{"DEMO_CHECKOUT": "on"}), "/").Header.Get("Content-Security-Policy")
		for _, part := range []string{"script-src 'self' https://js.stripe.com;", "connect-src 'self' https://api.stripe.com;", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%q lacks %q", policy, part)
			}
		}
	})
	t.Run("with the simulator", func(t *testing.T) {
		gw := start(t, map[string]string{"DEMO_CHECKOUT": "on", "STRIPE_JS_URL": "http://127.0.0.1:12111/v3"})
		if policy := get(t, gw, "/").Header.Get("Content-Security-Policy"); !strings.Contains(policy, "connect-src 'self' http://127.0.0.1:12111;") || strings.Contains(policy, "stripe.com") {
			t.Errorf("%q", policy)
		}
	})
}
