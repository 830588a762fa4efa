package e2e

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPaidWithoutAccessPastThePromise: Provisioning is down while two people pay, for
// longer than they were promised. Both are told that we have their payment, and then
// that they can have it back. One waits and gets access; the other takes the refund.
func TestPaidWithoutAccessPastThePromise(t *testing.T) {
	t.Parallel()
	s := open(t, "RESCUE_AFTER=1s", "APOLOGY_AFTER=500ms", "STILL_WORKING_AFTER=1s", "RECONCILE_EVERY=3s", "STUCK_AFTER=3s")
	s.down(t, "provisioning")
	waits, leaves := s.buyer("waits"), s.buyer("leaves")
	links := map[*buyer]string{}
	word := write("UPDATE", "orders.orders", "NEW.still_working_at IS NOT NULL AND OLD.still_working_at IS NULL")(t, s)
	for _, b := range []*buyer{waits, leaves} {
		if a := b.pays(t, card); a.Status != http.StatusAccepted || a.State != "CHARGED" {
			t.Fatalf("without Provisioning: %d %s", a.Status, a.Body)
		}
	}
	word.reached(t) // Orders is killed while it writes that they are told
	s.down(t, "orders")
	word.letGo(t, []string{"orders"})
	if err := s.Release("orders"); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*buyer{waits, leaves} {
		b.awaitMail(t, "still_working")
		// The shortest time that is promised is half a minute, up to the minute that is named.
		awaitFor(t, 3*time.Minute, "the offer to "+b.email, func() bool { return slices.Contains(b.told(t), "refund_offer") })
		links[b] = regexp.MustCompile(`http://\S+/payment-issue\?ref=\S+&refund=\S+`).FindString(b.awaitMail(t, "refund_offer").Text)
		if !strings.HasPrefix(links[b], s.URL()) {
			t.Fatalf("the link is %q", links[b])
		}
		if a := b.looks(t); !strings.Contains(a.Body, `"refund_offered":true`) || strings.Contains(a.Body, `"missed_count":0`) {
			t.Errorf("the order says of the promise: %s", a.Body)
		}
		// Whatever opens links in mails refunds nothing.
		if code, body := get(t, links[b]); code != http.StatusOK || !strings.Contains(body, "$249.00") {
			t.Errorf("the link: %d\n%s", code, body)
		}
	}
	if a := leaves.call(t, http.MethodPost, "/v1/orders/"+leaves.reference+":refund", nil, map[string]any{"token": "a-guess"}); a.Status != http.StatusForbidden || a.Reason != "REFUND_NOT_OFFERED" {
		t.Errorf("a guess: %d %s", a.Status, a.Body)
	}
	if n := s.count(t, "SELECT count(*) FROM payments.refunds"); n != 0 {
		t.Fatalf("%d refunds before anybody asked", n)
	}

	link, err := url.Parse(links[leaves])
	if err != nil {
		t.Fatal(err)
	}
	press := func() (int, string) {
		response, err := http.PostForm(s.URL()+link.Path, link.Query())
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		response.Body.Close()
		return response.StatusCode, response.Request.URL.String()
	}
	// The button is pressed, and everything that could refund is killed when Stripe has made the
	// refund and has not answered.
	hold := stripe("hang_after", http.MethodPost, "/v1/refunds")(t, s)
	pressed := make(chan struct{})
	go func() { defer close(pressed); press() }()
	hold.reached(t)
	both := []string{"orders", "payments"}
	s.down(t, both...)
	hold.letGo(t, both)
	<-pressed
	for _, name := range both { // not up: without Provisioning nobody is ready
		if err := s.Release(name); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the button to work again", func() bool {
		code, at := press()
		return code == http.StatusOK && !strings.Contains(at, "refund=")
	})
	await(t, "the refund", func() bool { return leaves.record(t).State == "REFUNDED" })
	leaves.awaitMail(t, "refund")
	s.up(t, "provisioning")
	recovered := waits.awaitRest(t, "RECOVERED")
	refunded := leaves.awaitRest(t, "REFUNDED")
	await(t, "the access of what was refunded to be impossible", func() bool {
		return s.count(t, "SELECT count(*) FROM orders.orders WHERE id = $1 AND access_withdrawn_at IS NOT NULL AND next_look_at IS NULL", refunded.ID) == 1
	})

	waits.judgeGrant(t, recovered)
	if n := s.count(t, "SELECT count(*) FROM provisioning.grants WHERE order_id = $1 AND revoked_at IS NULL", refunded.ID); n != 0 {
		t.Errorf("%d grants are left of what was refunded", n)
	}
	for b, want := range map[*buyer]struct {
		back  int64
		mails []string
	}{waits: {0, []string{"still_working", "refund_offer", "recovery"}}, leaves: {24900, []string{"still_working", "refund_offer", "refund"}}} {
		if has := b.atStripe(t); len(has.charges) != 1 || has.charges[0].AmountRefunded != want.back {
			t.Errorf("%s: Stripe has charges %+v, want %d of one back", b.email, has.charges, want.back)
		}
		slices.Sort(want.mails)
		if got := slices.Sorted(slices.Values(b.told(t))); !slices.Equal(got, want.mails) {
			t.Errorf("%s was told %v, want %v", b.email, got, want.mails)
		}
	}
	t.Log(strings.Join(append(waits.history(t), leaves.history(t)...), "\n"))
}

// told is the kinds of the mails that lie in the buyer's inbox.
func (b *buyer) told(t *testing.T) (kinds []string) {
	t.Helper()
	for _, m := range b.mails(t) {
		kinds = append(kinds, m.kind())
	}
	return kinds
}

func get(t *testing.T, address string) (int, string) {
	t.Helper()
	response, err := http.Get(address)
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
