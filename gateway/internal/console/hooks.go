package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/apperr"
)

var errSince = apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "the time is not one such as 2026-11-21T01:20:00Z")

// hooksBody is what the SaaS's own app is told of access, and did not take.
type hooksBody struct {
	Answer    *provisioningv1.ListHooksResponse
	AccountID string
	All       bool
	// Again leads to what the app did not take, sent again; AnyTime to whatever
	// changed since a time that is asked for. Both are about the account alone when
	// one was asked for.
	Again, AnyTime string
	Trouble        *trouble
}

// SendOne leads to a hook that was not taken, with those of its account after it.
func (b hooksBody) SendOne(h *provisioningv1.Hook) string {
	return sendAgain(h.GetAccountId(), h.GetChangedAt().AsTime(), true)
}

// Page is the address of this list, with what the reader chose.
func (b hooksBody) Page(all bool, token string) string {
	q := url.Values{}
	for name, value := range map[string]string{"account": b.AccountID, "page": token} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if all {
		q.Set("show", "all")
	}
	if len(q) == 0 {
		return "/hooks"
	}
	return "/hooks?" + q.Encode()
}

func (c *console) listHooks(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := v.asking(r)
	defer cancel()
	q := r.URL.Query()
	b := hooksBody{AccountID: strings.TrimSpace(q.Get("account")), All: q.Get("show") == "all"}
	answer, err := c.provisioning.ListHooks(ctx, &provisioningv1.ListHooksRequest{AccountId: b.AccountID, Undelivered: !b.All, PageSize: 30, PageToken: q.Get("page")})
	b.Answer, b.Trouble = answer, troubleOf("Provisioning", err)
	if oldest := answer.GetOldestUndeliveredAt(); oldest != nil {
		b.Again = sendAgain(b.AccountID, oldest.AsTime(), true)
	}
	b.AnyTime = sendAgain(b.AccountID, time.Time{}, false)
	c.show(w, r, v, "hooks", page{Title: "Hooks", Nav: "hooks", Body: b})
}

// sendAgain leads to the step that has the app told again. A second is what people
// can read and type; what is told a little too much, the app knows already.
func sendAgain(accountID string, since time.Time, undelivered bool) string {
	values := url.Values{"back": {"/hooks"}}
	if accountID != "" {
		values.Set("account_id", accountID)
		values.Set("back", "/hooks?show=all&account="+url.QueryEscape(accountID))
	}
	if !since.IsZero() {
		values.Set("since", since.UTC().Format(time.RFC3339))
	}
	if undelivered {
		values.Set("which", whichUntaken)
	}
	return "/do/hooks?" + values.Encode()
}

// whichUntaken is how a link says that only what was not taken is meant.
const whichUntaken = "from the first that it did not take"

// parseSince reads a time as people type it: the T may be a space, the seconds and
// the Z may be left out. It is UTC, like every time of the desk.
func parseSince(text string) (time.Time, error) {
	text = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(text), "UTC"), "Z")
	text = strings.Replace(strings.TrimSpace(text), " ", "T", 1)
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errSince
}

// hookState is the sign and the words of how far a hook is.
func hookState(h *provisioningv1.Hook) [2]string {
	switch {
	case h.GetState() == provisioningv1.Hook_DELIVERED:
		return [2]string{"good", "taken"}
	case h.GetState() == provisioningv1.Hook_FAILED:
		return [2]string{"bad", "given up"}
	case h.GetAttemptCount() == 0:
		return [2]string{"wait", "not tried yet"}
	default:
		return [2]string{"wait", "waits"}
	}
}
