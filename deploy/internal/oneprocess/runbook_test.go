package oneprocess_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"makegood.example/deploy/internal/oneprocess"
)

// What the runbook has one look at in the night is asked as it stands there: each call,
// each query, and each metric by its name. A new kind of command fails until it is tried
// here.
func TestTheRunbooksCommands(t *testing.T) {
	t.Parallel()
	runbook, metrics := document(t, "runbook.md"), document(t, "metrics.md")
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer app.Close()
	w := oneprocess.New(t, oneprocess.Options{Settings: map[string]string{
		"ACCESS_HOOK_URL": app.URL, "ACCESS_HOOK_ALLOW_PRIVATE": "true", "ACCESS_HOOK_SECRETS": "whsec_" + strings.Repeat("c2VjcmV0", 4),
	}})
	o := w.Buyer("jane").Buys("annual", "pm_card_visa")
	var charge string
	if err := w.DB.QueryRow(t.Context(), "SELECT charge_id FROM payments.payments WHERE order_id = $1", o.ID).Scan(&charge); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{"/admin/v1/hooks:replay": `{"since": "2026-01-01T00:00:00Z", "reason": "the app was mended"}`}
	// What only a machine with units has, and how a token is read.
	elsewhere := []string{"systemctl status 'makegood@*'", "TOKEN=$(cat .makegood/admin.token)", "bodies of events"}
	curl := regexp.MustCompile(`^curl -H "authorization: Bearer \$TOKEN" http://127\.0\.0\.1:8081(/\S+)$`)
	metric := regexp.MustCompile(`^makegood_[a-z_]+$`)
	tried := map[string]bool{}
	for _, span := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(runbook, -1) {
		said := span[1]
		if tried[said] {
			continue
		}
		tried[said] = true
		call := said
		if m := curl.FindStringSubmatch(said); m != nil {
			call = "GET " + m[1]
		}
		method, target, isCall := strings.Cut(call, " ")
		switch {
		case metric.MatchString(said):
			if !strings.Contains(metrics, "`"+said+"`") {
				t.Errorf("docs/metrics.md has no %s", said)
			}
		case strings.HasPrefix(said, "SELECT "):
			if _, err := w.DB.Exec(t.Context(), said); err != nil {
				t.Errorf("%s: %v", said, err)
			}
		case isCall && (method == http.MethodGet || method == http.MethodPost):
			target = strings.ReplaceAll(target, "<id>", charge)
			body, known := bodies[target]
			if known == (method == http.MethodGet) {
				t.Errorf("%s: nobody knows what is sent with it", said)
				continue
			}
			if status, answer := asked(t, w, method, target, body); status != http.StatusOK {
				t.Errorf("%s is answered with %d %s", said, status, answer)
			}
		case strings.Contains(said, " ") && !slices.Contains(elsewhere, said):
			t.Errorf("nobody tries `%s`", said)
		}
	}
	for _, still := range elsewhere {
		if !tried[still] {
			t.Errorf("the runbook says nothing of %s any more", still)
		}
	}
}

func document(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile("../../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// asked makes a call of the administration as an admin.
func asked(t *testing.T, w *oneprocess.World, method, target, body string) (status int, answer []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, w.AdminURL()+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.Credentials()["admin"])
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}
