package desk

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/reconciliation/v1"
)

// TestTheAppIsToldAgain: a person has the app told of what it did not take; it is told
// under the same ids, once for each wish, and the audit says whose wish it was.
func TestTheAppIsToldAgain(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ids []string
	works := false
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var body struct{ Data json.RawMessage }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		ids = append(ids, r.Header.Get("webhook-id"))
		if !works {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(app.Close)
	told := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Compact(slices.Clone(ids))
	}
	o := open(t, "ACCESS_HOOK_URL="+app.URL, "ACCESS_HOOK_ALLOW_PRIVATE=true", "ACCESS_HOOK_SECRETS=whsec_"+strings.Repeat("c2VjcmV0", 4))
	o.Buyer("jane").Buys("annual", visa)
	o.Settle()
	if n := one[int](o, "SELECT count(*) FROM provisioning.hooks WHERE last_error = 'it answered 502'"); n != 1 || len(told()) != 1 {
		t.Fatalf("told %q, and %d hooks say why not", told(), n)
	}
	// Given up on, as after a week.
	account := one[uuid.UUID](o, "UPDATE provisioning.hooks SET state = 'FAILED' RETURNING account_id").String()
	mu.Lock()
	works = true
	mu.Unlock()

	since := timestamppb.New(one[time.Time](o, "SELECT changed_at FROM provisioning.hooks"))
	again := &pb.SendHooksAgainRequest{AccountId: account, Since: since, Undelivered: true, Act: dry("the app was mended")}
	_, err := o.desk.SendHooksAgain(o.as("vera"), again)
	o.wantRefused("a viewer's", err, codes.PermissionDenied, "PERMISSION_DENIED")
	r, err := o.desk.SendHooksAgain(o.as("sam"), again)
	o.wantSteps("a dry one", r, err, "changes of access queued for the app again WOULD_DO")
	if n := one[int](o, "SELECT count(*) FROM provisioning.hook_replays"); n != 0 || one[string](o, "SELECT state FROM provisioning.hooks") != "FAILED" {
		t.Errorf("the dry one left %d replays", n)
	}
	again.Act = act("the app was mended")
	for range 2 { // the answer was lost
		r, err = o.desk.SendHooksAgain(o.as("sam"), again)
		o.wantSteps("again", r, err, "changes of access queued for the app again DONE")
	}
	o.Settle()
	if got := told(); len(got) != 1 || one[string](o, "SELECT state FROM provisioning.hooks") != "DELIVERED" {
		t.Errorf("not taken, or told under other ids: %q", got)
	}
	if n := one[int](o, "SELECT count(*) FROM provisioning.hook_replays WHERE actor = 'sam' AND reason = 'the app was mended'"); n != 1 {
		t.Errorf("%d replays of one wish", n)
	}
	r, err = o.desk.SendHooksAgain(o.as("alex"), &pb.SendHooksAgainRequest{Since: since, Undelivered: true, Act: act("all of them")})
	o.wantSteps("nothing is left", r, err, "changes of access queued for the app again NOT_NEEDED")
	o.wantAudit(account, "sam SendHooksAgain DONE")
	if e := o.wantAudit("access-hook", "alex SendHooksAgain DONE"); len(e) == 1 && e[0].GetReason() != "all of them" {
		t.Errorf("the audit says %v", e[0])
	}
}
