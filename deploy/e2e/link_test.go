package e2e

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// testLinkInTheMail does what the buyer does with the confirmation: opens its
// link, sets up the account, and tries once more.
func testLinkInTheMail(t *testing.T, s *shop) {
	b := s.buyer("link in the mail")
	b.pays(t, card)
	b.judgeFulfilled(t, outcome{})
	text := b.mails(t)[0].Text
	link := regexp.MustCompile(`http://\S+/activate\?token=\S+`).FindString(text)
	if !strings.HasPrefix(link, s.InboxURL()+"/app/") {
		t.Fatalf("the link is %q in:\n%s", link, text)
	}
	page := func(response *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	if code, body := page(http.Get(link)); code != http.StatusOK || !strings.Contains(body, "<button>") {
		t.Fatalf("the link: %d\n%s", code, body)
	}
	opened, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	press := func() (int, string) {
		t.Helper()
		return page(http.PostForm(s.InboxURL()+opened.Path, opened.Query()))
	}
	var account string
	if err := s.DB().QueryRow(t.Context(), `SELECT account_id::text FROM provisioning.grants WHERE order_id = $1`, b.record(t).ID).Scan(&account); err != nil {
		t.Fatal(err)
	}
	if code, body := press(); code != http.StatusOK || !strings.Contains(body, account) {
		t.Errorf("the button: %d, account %s in\n%s", code, account, body)
	}
	if code, body := press(); code != http.StatusNotFound || !strings.Contains(body, "spent or expired") {
		t.Errorf("the button again: %d\n%s", code, body)
	}
	for _, path := range []string{s.Env("APP_URL"), s.Env("LOGIN_URL")} {
		if code, body := page(http.Get(path)); code != http.StatusOK {
			t.Errorf("%s: %d\n%s", path, code, body)
		}
	}
}
