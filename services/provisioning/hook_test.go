package provisioning_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/provisioning"
)

const (
	newSecret = "whsec_bmV3IHNlY3JldCBvZiB0aGUgZXhhbXBsZSBhcHAuLi4u"
	oldSecret = "whsec_b2xkIHNlY3JldCBvZiB0aGUgZXhhbXBsZSBhcHAuLi4u"
)

// told is one hook as the app got it.
type told struct {
	ID        string
	AccountID string  `json:"account_id"`
	Active    bool    `json:"active"`
	Until     *string `json:"until"`
	ChangedAt string  `json:"changed_at"`
}

func (h told) String() string {
	until := "never"
	if h.Until != nil {
		until = *h.Until
	}
	if h.Active {
		return "active until " + until
	}
	return "none since " + until
}

// theApp is the SaaS's own app: it verifies each hook, and answers as it is told.
type theApp struct {
	t      *testing.T
	server *httptest.Server
	mu     sync.Mutex
	hooks  []told
	answer func(http.ResponseWriter)
}

func startApp(t *testing.T) *theApp {
	a := &theApp{t: t}
	a.server = httptest.NewServer(a)
	t.Cleanup(a.server.Close)
	return a
}

func (a *theApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	for _, secret := range []string{newSecret, oldSecret} { // while secrets change, either will do
		wh, err := standardwebhooks.NewWebhook(secret)
		if err == nil {
			// The test's clock is not the library's.
			err = wh.VerifyIgnoringTimestamp(payload, r.Header)
		}
		if err != nil {
			a.t.Errorf("a hook that does not verify: %v", err)
		}
	}
	var body struct {
		Type, Timestamp string
		Data            told
	}
	if err := json.Unmarshal(payload, &body); err != nil || body.Type != "access.changed" || body.Timestamp != body.Data.ChangedAt {
		a.t.Errorf("%v: %s", err, payload)
	}
	body.Data.ID = r.Header.Get("webhook-id")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks = append(a.hooks, body.Data)
	if a.answer != nil {
		a.answer(w)
	}
}

// answers sets what the app answers from now on; nil takes everything.
func (a *theApp) answers(answer func(http.ResponseWriter)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *theApp) got() []told {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.hooks)
}

// await waits until the app was called n times and returns the calls.
func (a *theApp) await(n int) []told {
	a.t.Helper()
	awaits(a.t, func() bool { return len(a.got()) >= n })
	return a.got()
}

func awaits(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(deadline) {
			t.Fatal("it never became so")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// settled waits until no delivery is due or under way.
func (r *running) settled() {
	r.t.Helper()
	awaits(r.t, func() bool {
		return r.count(`SELECT count(*) FROM provisioning.app_access 
			WHERE next_look_at <= $1 OR next_look_at = $1::timestamptz + interval '90 seconds'`, r.clock.Now()) == 0
	})
}

// later sets the clock once no delivery is under way: one that ends after it would be
// tried again a pause later than the test means.
func (r *running) later(to time.Time) {
	r.t.Helper()
	r.settled()
	r.clock.Set(to)
}

// reports are the cases that a test's Reconciliation was asked to open.
type reports struct {
	reconciliationv1.UnimplementedReconciliationServiceServer
	mu    sync.Mutex
	cases []*reconciliationv1.OpenCaseRequest
}

func (r *reports) OpenCase(_ context.Context, req *reconciliationv1.OpenCaseRequest) (*reconciliationv1.Case, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cases = append(r.cases, req)
	return &reconciliationv1.Case{}, nil
}

func (r *reports) all() []*reconciliationv1.OpenCaseRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.cases)
}

func startReports(t *testing.T) (*reports, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, server := &reports{}, grpc.NewServer()
	reconciliationv1.RegisterReconciliationServiceServer(server, r)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return r, l.Addr().String()
}

// startTelling runs the service with an app to tell.
func startTelling(t *testing.T) (*running, *theApp, *reports) {
	a := startApp(t)
	cases, addr := startReports(t)
	r := start(t, "ACCESS_HOOK_URL", a.server.URL+"/hooks", "ACCESS_HOOK_SECRETS", newSecret+","+oldSecret,
		"ACCESS_HOOK_ALLOW_PRIVATE", "true", "RECONCILIATION_GRPC_ADDR", addr)
	return r, a, cases
}

// undelivered counts what the app has not taken.
func (r *running) undelivered() int {
	return r.count(`SELECT count(*) FROM provisioning.hooks WHERE state <> 'DELIVERED'`)
}

// delivered waits until the service knows that all was taken.
func (r *running) delivered(n int) {
	r.t.Helper()
	awaits(r.t, func() bool {
		return r.count(`SELECT count(*) FROM provisioning.hooks WHERE state = 'DELIVERED'`) == n && r.undelivered() == 0
	})
}

func (r *running) hooksAdmin() (pb.ProvisioningAdminServiceClient, context.Context) {
	r.t.Helper()
	conn, err := grpcclient.Dial("provisioning", "gateway", r.dial)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return pb.NewProvisioningAdminServiceClient(conn), metadata.AppendToOutgoingContext(r.t.Context(), "authorization", "Bearer "+supportToken)
}

func says(t *testing.T, hooks []told, want ...string) {
	t.Helper()
	var got []string
	for _, h := range hooks {
		got = append(got, h.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the app was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheAppIsToldOfEveryChangeOfAccess(t *testing.T) {
	r, a, _ := startTelling(t)
	r.clock.Set(at(t, "2027-03-01T12:00:00Z"))
	first := r.grant(nil)
	a.await(1)
	r.later(at(t, "2027-04-01T12:00:00Z"))
	second := r.grant(nil)
	a.await(2)
	r.revoke(second)
	a.await(3)
	r.restore(second)
	a.await(4)
	r.revoke(second)
	a.await(5)
	// Time alone ends it, and nobody calls.
	r.later(at(t, "2028-03-01T12:00:00Z"))
	hooks := a.await(6)
	says(t, hooks, "active until 2028-03-01T12:00:00Z", "active until 2029-03-01T12:00:00Z", "active until 2028-03-01T12:00:00Z",
		"active until 2029-03-01T12:00:00Z", "active until 2028-03-01T12:00:00Z", "none since 2028-03-01T12:00:00Z")
	ids := map[string]bool{}
	for i, h := range hooks {
		ids[h.ID] = true
		if h.AccountID != first.GetAccountId() || i > 0 && h.ChangedAt < hooks[i-1].ChangedAt {
			t.Errorf("%+v", h)
		}
	}
	if len(ids) != len(hooks) {
		t.Errorf("%d ids of %d hooks", len(ids), len(hooks))
	}
	r.delivered(6)
}

func TestAPausedSubscriptionIsTold(t *testing.T) {
	r, a, _ := startTelling(t)
	r.clock.Set(at(t, "2027-03-01T12:00:00Z"))
	req := request(func(q *pb.GrantAccessRequest) {
		q.PeriodStart, q.PeriodEnd, q.SubscriptionId = ts(t, "2027-03-01T12:00:00Z"), ts(t, "2027-04-01T12:00:00Z"), "sub_1"
	})
	if _, err := r.as("orders").GrantAccess(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	a.await(1)
	for i, status := range []pb.FollowSubscriptionRequest_Status{paused, active} {
		r.later(r.clock.Now().Add(time.Hour))
		if _, err := r.as("orders").FollowSubscription(t.Context(), &pb.FollowSubscriptionRequest{
			OrderId: req.GetOrderId(), SubscriptionId: "sub_1", Status: status, Renews: true, ObservedAt: timestamppb.New(r.clock.Now()),
		}); err != nil {
			t.Fatal(err)
		}
		a.await(i + 2)
	}
	// Its renewal is late: known until the paid end, then waited for.
	r.later(at(t, "2027-04-01T12:00:00Z"))
	a.await(4)
	r.later(at(t, "2027-04-08T12:00:00Z"))
	says(t, a.await(5), "active until 2027-04-01T12:00:00Z", "none since never", "active until 2027-04-01T12:00:00Z",
		"active until 2027-04-08T12:00:00Z", "none since 2027-04-08T12:00:00Z")
}

// TestTheNextHookWaitsForTheOneBefore: what the app does not take is sent again, with
// its own id, before anything newer of the same account, and holds nobody else up.
func TestTheNextHookWaitsForTheOneBefore(t *testing.T) {
	r, a, _ := startTelling(t)
	r.clock.Set(at(t, "2027-03-01T12:00:00Z"))
	lost := func(w http.ResponseWriter) { // taken, and the answer does not arrive
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	a.answers(lost)
	first := r.grant(nil)
	r.settled()
	a.answers(func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) })
	r.grant(nil) // tries at once
	r.settled()
	before := len(a.got())
	if n := r.count(`SELECT count(*) FROM provisioning.hooks`); n != 2 || before < 2 {
		t.Errorf("%d hooks, told %d times", n, before)
	}
	a.answers(nil)
	other := r.grant(func(q *pb.GrantAccessRequest) { q.Email = "joe@example.com" })
	a.await(before + 1)
	if h := a.got()[before]; h.AccountID != other.GetAccountId() {
		t.Errorf("told of %s first", h.AccountID)
	}
	r.later(r.clock.Now().Add(time.Minute)) // the pause is over
	hooks := a.await(before + 3)
	for _, h := range hooks[:before] {
		if h.ID != hooks[0].ID || h.AccountID != first.GetAccountId() {
			t.Errorf("%+v came before the first was taken", h)
		}
	}
	says(t, hooks[before+1:], "active until 2028-03-01T12:00:00Z", "active until 2029-03-01T12:00:00Z")
	if hooks[before+1].ID != hooks[0].ID {
		t.Error("the first was sent again under another id")
	}
	r.delivered(3)
}

// TestWhatIsNeverTakenBecomesACase: after an hour a person knows, after a week the next
// hook has its turn, and a person can have all of it sent again.
func TestWhatIsNeverTakenBecomesACase(t *testing.T) {
	r, a, cases := startTelling(t)
	r.clock.Set(at(t, "2027-03-01T12:00:00Z"))
	a.answers(func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r.grant(nil)
	a.await(1)
	// hourly waits for the longest pause that the app may ask for, and ends it.
	hourly := func(calls int) {
		awaits(t, func() bool {
			return r.count(`SELECT count(*) FROM provisioning.app_access WHERE next_look_at = $1::timestamptz + interval '1 hour'`, r.clock.Now()) == 1
		})
		r.later(r.clock.Now().Add(time.Hour))
		a.await(calls)
	}
	if hourly(2); len(cases.all()) == 0 {
		awaits(t, func() bool { return len(cases.all()) == 1 })
	}
	hourly(3)
	reported := cases.all()[0]
	if reported.GetKind() != reconciliationv1.Case_UNDELIVERED_HOOK || reported.GetSubject() != "access-hook" || !strings.Contains(reported.GetSummary(), "it answered 503") {
		t.Errorf("%v", reported)
	}
	failed := func() int { return r.count(`SELECT count(*) FROM provisioning.hooks WHERE state = 'FAILED'`) }
	r.later(at(t, "2027-03-08T11:59:59Z"))
	a.await(4)
	hourly(5)
	awaits(t, func() bool { return failed() == 1 })
	before := len(a.got())

	a.answers(nil)
	r.grant(nil)
	says(t, a.await(before + 1)[before:], "active until 2029-03-01T12:00:00Z")
	awaits(t, func() bool { return r.count(`SELECT count(*) FROM provisioning.hooks WHERE state = 'QUEUED'`) == 0 })
	admin, ctx := r.hooksAdmin()
	list, err := admin.ListHooks(ctx, &pb.ListHooksRequest{Undelivered: true})
	if err != nil || len(list.GetHooks()) != 1 || list.GetHooks()[0].GetState() != pb.Hook_FAILED ||
		list.GetUndeliveredCount() != 1 || !list.GetOldestUndeliveredAt().AsTime().Equal(at(t, "2027-03-01T12:00:00Z")) {
		t.Fatalf("%v, %v", list, err)
	}
	replay := &pb.ReplayHooksRequest{Since: timestamppb.New(at(t, "2027-03-01T00:00:00Z")), Reason: "the app was away"}
	if n, err := admin.ReplayHooks(ctx, replay); err != nil || n.GetHookCount() != 2 {
		t.Fatalf("%v, %v", n, err)
	}
	hooks := a.await(before + 3)[before:]
	says(t, hooks[1:], "active until 2028-03-01T12:00:00Z", "active until 2029-03-01T12:00:00Z")
	if hooks[2].ID != hooks[0].ID || hooks[1].ID != a.got()[0].ID {
		t.Error("replayed under other ids")
	}
	r.delivered(2)
	if n := r.count(`SELECT count(*) FROM provisioning.hook_replays WHERE actor = 'sam' AND reason = 'the app was away' AND hook_count = 2`); n != 1 {
		t.Error("who replayed is not kept")
	}
}

// TestAReplayIsSentNow: what waits for its next attempt too; of what the app has not
// taken, nothing that it took before; and what it took after that comes behind it.
func TestAReplayIsSentNow(t *testing.T) {
	r, a, _ := startTelling(t)
	r.clock.Set(at(t, "2027-03-01T12:00:00Z"))
	r.grant(nil)
	a.await(1)
	r.later(at(t, "2027-03-02T12:00:00Z"))
	a.answers(func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) })
	second := r.grant(nil)
	r.settled()
	other := r.grant(func(q *pb.GrantAccessRequest) { q.Email = "joe@example.com" })
	r.settled()
	admin, ctx := r.hooksAdmin()
	list, err := admin.ListHooks(ctx, &pb.ListHooksRequest{AccountId: second.GetAccountId()})
	if err != nil || len(list.GetHooks()) != 2 || list.GetNoApp() {
		t.Fatalf("%v, %v", list, err)
	}
	if h := list.GetHooks()[0]; h.GetLastError() != "it answered 502" || h.GetAttemptCount() == 0 || !h.GetNextAttemptAt().AsTime().After(r.clock.Now()) {
		t.Errorf("what waits: %v", h)
	}
	if h := list.GetHooks()[1]; h.GetState() != pb.Hook_DELIVERED || h.GetNextAttemptAt() != nil {
		t.Errorf("what was taken: %v", h)
	}

	count := func(want int64, req *pb.ReplayHooksRequest) {
		t.Helper()
		req.Reason = "the app works again"
		if n, err := admin.ReplayHooks(ctx, req); err != nil || n.GetHookCount() != want {
			t.Errorf("%v: %v, %v", req, n, err)
		}
	}
	since := timestamppb.New(at(t, "2027-03-01T00:00:00Z"))
	before := len(a.got())
	count(3, &pb.ReplayHooksRequest{Since: since, DryRun: true})
	count(2, &pb.ReplayHooksRequest{Since: since, Undelivered: true, DryRun: true})
	count(0, &pb.ReplayHooksRequest{Since: timestamppb.New(r.clock.Now().Add(time.Second)), DryRun: true})
	if n := r.count(`SELECT count(*) FROM provisioning.hook_replays`); n != 0 {
		t.Errorf("a dry run left %d replays", n)
	}
	a.answers(nil)
	count(1, &pb.ReplayHooksRequest{Since: since, Undelivered: true, AccountId: other.GetAccountId()})
	if h := a.await(before + 1)[before]; h.AccountID != other.GetAccountId() {
		t.Errorf("told of %s", h.AccountID)
	}
	r.settled()
	count(1, &pb.ReplayHooksRequest{Since: since, Undelivered: true})
	says(t, a.await(before + 2)[before+1:], "active until 2029-03-01T12:00:00Z")
	r.delivered(3)

	// Of what was given up on, the newer that the app took comes behind it once more.
	r.settled()
	if _, err := r.owner.Exec(t.Context(), `UPDATE provisioning.hooks SET state = 'FAILED' WHERE sequence = 1 AND account_id = $1`, second.GetAccountId()); err != nil {
		t.Fatal(err)
	}
	count(2, &pb.ReplayHooksRequest{Since: since, Undelivered: true})
	says(t, a.await(before + 4)[before+2:], "active until 2028-03-01T12:00:00Z", "active until 2029-03-01T12:00:00Z")
	r.delivered(3)
}

func TestHooksAreListedByThePage(t *testing.T) {
	r, _, _ := startTelling(t)
	for range 5 {
		r.grant(nil)
		r.later(r.clock.Now().Add(time.Hour))
	}
	other := r.grant(func(q *pb.GrantAccessRequest) { q.Email = "joe@example.com" })
	awaits(t, func() bool {
		return r.undelivered() == 0 && r.count(`SELECT count(DISTINCT account_id) FROM provisioning.hooks`) == 2
	})
	all := r.count(`SELECT count(*) FROM provisioning.hooks`)
	admin, ctx := r.hooksAdmin()
	var got []string
	for token := ""; ; {
		page, err := admin.ListHooks(ctx, &pb.ListHooksRequest{PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range page.GetHooks() {
			got = append(got, h.GetId())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != all {
		t.Errorf("%d of %d", len(got), all)
	}
	if page, err := admin.ListHooks(ctx, &pb.ListHooksRequest{AccountId: other.GetAccountId()}); err != nil || len(page.GetHooks()) != 1 {
		t.Errorf("%v, %v", page, err)
	}
	if _, err := admin.ListHooks(ctx, &pb.ListHooksRequest{PageToken: "nonsense"}); err == nil {
		t.Error("a token of nobody's was taken")
	}
}

// TestAHookGoesNowhereElse: not to an address that is not public, and not where the
// app's answer points.
func TestAHookGoesNowhereElse(t *testing.T) {
	_, addr := startReports(t)
	inside := startApp(t)
	t.Cleanup(func() { // when both have ended
		if got := inside.got(); len(got) != 0 {
			t.Errorf("it was reached: %v", got)
		}
	})
	t.Run("private", func(t *testing.T) {
		port := inside.server.Listener.Addr().(*net.TCPAddr).Port
		r := start(t, "ACCESS_HOOK_URL", "https://localhost:"+strconv.Itoa(port), "ACCESS_HOOK_SECRETS", newSecret, "RECONCILIATION_GRPC_ADDR", addr)
		r.grant(nil)
		awaits(t, func() bool {
			return r.count(`SELECT count(*) FROM provisioning.hooks WHERE last_error LIKE 'the address is not public%'`) == 1
		})
	})
	t.Run("redirected", func(t *testing.T) {
		r, a, _ := startTelling(t)
		a.answers(func(w http.ResponseWriter) {
			w.Header().Set("Location", inside.server.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		r.grant(nil)
		awaits(t, func() bool {
			return r.count(`SELECT count(*) FROM provisioning.hooks WHERE last_error = 'it answered 307'`) == 1
		})
	})
}

func TestHookSettings(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"off":            {nil, ""},
		"no secret":      {map[string]string{"ACCESS_HOOK_URL": "https://app.example.com/hooks"}, "at least one secret"},
		"a short secret": {map[string]string{"ACCESS_HOOK_URL": "https://app.example.com/hooks", "ACCESS_HOOK_SECRETS": "whsec_c2hvcnQ="}, "secret 1"},
		"no prefix":      {map[string]string{"ACCESS_HOOK_URL": "https://app.example.com/hooks", "ACCESS_HOOK_SECRETS": newSecret + ",bmV3IHNlY3JldCBvZiB0aGUgZXhhbXBsZSBhcHAuLi4u"}, "secret 2"},
		"no address":     {map[string]string{"ACCESS_HOOK_SECRETS": newSecret}, "without ACCESS_HOOK_URL"},
		"in the clear":   {map[string]string{"ACCESS_HOOK_URL": "http://app.example.com/hooks", "ACCESS_HOOK_SECRETS": newSecret}, "must be https://"},
		"whole":          {map[string]string{"ACCESS_HOOK_URL": "https://app.example.com/hooks", "ACCESS_HOOK_SECRETS": newSecret}, ""},
	} {
		_, err := provisioning.LoadConfig(func(key string) (string, bool) {
			if key == "DATABASE_URL" {
				return "postgres://nobody@127.0.0.1:1/x", true
			}
			v, ok := c.settings[key]
			return v, ok
		})
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "bmV3")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
