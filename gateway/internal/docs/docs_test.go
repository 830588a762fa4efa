package docs_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"makegood.example/gateway/internal/docs"
	contracts "makegood.example/proto"
	"makegood.example/services/platform/browsertest"
)

const address = "https://pay.example.com"

// serve is both listeners' contract: /docs and /admin/docs.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	public := docs.New(contracts.PublicOpenAPI, "Acme", address)
	admin := docs.New(contracts.AdminOpenAPI, "Makegood administration", "")
	mux := http.NewServeMux()
	mux.Handle("/docs", public.Page)
	mux.Handle("/openapi.json", public.Document)
	mux.Handle("/admin/docs", admin.Page)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func get(t *testing.T, h http.Handler, ifNoneMatch string) *httptest.ResponseRecorder {
	t.Helper()
	r, w := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), httptest.NewRecorder()
	r.Header.Set("If-None-Match", ifNoneMatch)
	h.ServeHTTP(w, r)
	return w
}

func TestWhoHasTheContractIsToldSo(t *testing.T) {
	d := docs.New(contracts.PublicOpenAPI, "Acme", address)
	other := docs.New(contracts.PublicOpenAPI, "Other", address)
	for name, h := range map[string][2]http.Handler{"the document": {d.Document, other.Document}, "the page": {d.Page, other.Page}} {
		first := get(t, h[0], "")
		etag := first.Header().Get("Etag")
		if first.Code != http.StatusOK || !regexp.MustCompile(`^"[\w-]{16,}"$`).MatchString(etag) || first.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", name, first.Code, first.Header())
		}
		for _, has := range []string{etag, `"another", ` + etag, "*"} {
			if again := get(t, h[0], has); again.Code != http.StatusNotModified || again.Body.Len() != 0 || again.Header().Get("Etag") != etag {
				t.Errorf("%s, who has %s: %d %v", name, has, again.Code, again.Header())
			}
		}
		if changed := get(t, h[1], etag); changed.Code != http.StatusOK {
			t.Errorf("%s, which is another now: %d", name, changed.Code)
		}
	}
	var doc struct {
		Info    struct{ Title string }
		Servers []struct{ URL string }
	}
	if err := json.Unmarshal(get(t, d.Document, "").Body.Bytes(), &doc); err != nil || doc.Info.Title != "Acme" || len(doc.Servers) != 1 || doc.Servers[0].URL != address {
		t.Errorf("%+v %v", doc, err)
	}
}

// A line of the page, in a shell in which curl says what it was given.
func TestTheLinesForAShellAreTheExamples(t *testing.T) {
	d := docs.New(contracts.PublicOpenAPI, "Acme", address)
	page := get(t, d.Page, "").Body.String()
	var lines []string
	for _, m := range regexp.MustCompile(`(?s)<pre class="curl">(.*?)</pre>`).FindAllStringSubmatch(page, -1) {
		lines = append(lines, html.UnescapeString(m[1]))
	}
	if len(lines) < 25 {
		t.Fatalf("only %d lines", len(lines))
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-euc", `TOKEN=secret; curl() { printf '%s\n' "--" "$@"; }`+"\n"+strings.Join(lines, "\n")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	calls := strings.Split(strings.TrimPrefix(string(out), "--\n"), "--\n")
	if len(calls) != len(lines) {
		t.Errorf("%d lines are %d calls", len(lines), len(calls))
	}
	var compact []string
	for _, c := range calls {
		compact = append(compact, strings.Join(strings.Fields(c), " "))
	}
	for _, want := range []string{
		`-sS https://pay.example.com/v1/plans`,
		`-sS https://pay.example.com/v1/orders -H Idempotency-Key: 3f2b8a60-5a0e-4d3c-9a51-0c6f1d2e7b84 -H Content-Type: application/json -d { "plan_id": "annual", "email": "jane@example.com", "name": "Jane Example", "payment_method": "pm_card_visa" }`,
		`-sS https://pay.example.com/v1/accounts/7d4c2b6e-90f1-4a38-8c5d-e3b06f192a74/access -H Authorization: Bearer secret`,
		`-sS https://pay.example.com/v1/orders/e59a7f03-61c8-4b2d-a74e-19f3c80d5b62:confirm -H Content-Type: application/json -d {}`,
	} {
		if !slices.Contains(compact, want) {
			t.Errorf("no line says %s; they say\n%s", want, strings.Join(compact, "\n"))
		}
	}
}

// Every call says what it takes, what it answers and how it fails; every link leads
// somewhere.
func TestThePageIsWhole(t *testing.T) {
	server := serve(t)
	for path, want := range map[string][]string{
		"/docs": {
			`<code>/v1/orders/{reference}:pay</code>`, `<b>409</b> <code>PAYMENT_IN_PROGRESS</code>`, `<b>payment_method</b>`, `1 to 128 characters`,
			`<b>402</b>`, `CHARGES_PAUSED`, `Needs a service token`, `Access granted, confirmation durably queued.`, `text/event-stream`,
		},
		"/admin/docs": {`<code>/admin/v1/support:recover</code>`, `<b>404</b> <code>NOTHING_TO_RECOVER</code>`, `<code>Authorization: Bearer</code>`, `take_over`},
	} {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		var page strings.Builder
		if err := response.Write(&page); err != nil {
			t.Fatal(err)
		}
		for _, words := range want {
			if !strings.Contains(page.String(), words) {
				t.Errorf("%s does not have %s", path, words)
			}
		}
		if strings.Contains(page.String(), "<script") || path == "/docs" && strings.Contains(page.String(), "/admin/v1") {
			t.Errorf("%s has what it must not have", path)
		}
		ids := map[string]int{}
		for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page.String(), -1) {
			ids[m[1]]++
		}
		for id, n := range ids {
			if n != 1 || id == "" {
				t.Errorf("%s: %d times the id %q", path, n, id)
			}
		}
		links := regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page.String(), -1)
		for _, m := range links {
			if ids[m[1]] == 0 {
				t.Errorf("%s: a link leads to %q, which is nowhere", path, m[1])
			}
		}
		if len(links) < 20 {
			t.Errorf("%s: only %d links", path, len(links))
		}
	}
}

// The page as people see it: small and large, light and dark, and on paper.
func TestThePageCanBeReadAndUsed(t *testing.T) {
	server, browser := serve(t), browsertest.Start(t)
	for name, view := range map[string]browsertest.View{
		"phone": {Phone: true, Width: 320, Height: 640}, "desktop": {Dark: true, Width: 1360, Height: 900}, "paper": {Width: 800, Print: true},
	} {
		page := browser.Open(view)
		page.Go(server.URL + "/docs")
		for _, p := range page.Inaccessible() {
			t.Errorf("%s: %s", name, p)
		}
		// Pictures are only taken where somebody will look at them.
		if os.Getenv("MAKEGOOD_PICTURES") != "" {
			page.Picture(name + "/docs")
			page.Go(server.URL + "/admin/docs")
			page.Picture(name + "/admin")
		}
		for _, p := range page.Problems() {
			t.Errorf("%s: %s", name, p)
		}
	}
}
