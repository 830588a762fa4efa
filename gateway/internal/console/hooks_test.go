package console_test

import (
	"html"
	"net/url"
	"regexp"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"makegood.example/gateway/internal/peertest"
	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
)

const accountID = "7d4c2b6e-90f1-4a38-8c5d-e3b06f192a74"

// untakenHooks are of an app that was down since yesterday, and once before.
func untakenHooks() *provisioningv1.ListHooksResponse {
	return &provisioningv1.ListHooksResponse{
		UndeliveredCount: 3, OldestUndeliveredAt: ago(200 * time.Hour), NextPageToken: "older",
		Hooks: []*provisioningv1.Hook{
			{Id: "019327c5-7d8e-7c7b-9d7e-0d8a5a6f0003", AccountId: "8e5d3c7f-90f1-4a38-8c5d-e3b06f192a75", Active: true, Until: timestamppb.New(night.AddDate(1, 0, 0)), ChangedAt: ago(20 * time.Second), State: provisioningv1.Hook_QUEUED, NextAttemptAt: timestamppb.New(night)},
			{Id: "019327c5-7d8e-7c7b-9d7e-0d8a5a6f0002", AccountId: accountID, Active: true, Until: timestamppb.New(night.AddDate(0, 11, 0)), ChangedAt: ago(26 * time.Hour), State: provisioningv1.Hook_QUEUED, AttemptCount: 34, LastError: "it answered 503", NextAttemptAt: timestamppb.New(night.Add(41 * time.Minute))},
			{Id: "019327c5-7d8e-7c7b-9d7e-0d8a5a6f0001", AccountId: accountID, Until: ago(201 * time.Hour), ChangedAt: ago(200*time.Hour - 300*time.Millisecond), State: provisioningv1.Hook_FAILED, AttemptCount: 1, LastError: "it refused the connection"},
		},
	}
}

func wouldSendAgain() *reconciliationv1.ActionResponse {
	return &reconciliationv1.ActionResponse{Done: true, Steps: []*reconciliationv1.Step{{
		What: "changes of access queued for the app again", Outcome: reconciliationv1.Step_WOULD_DO, Note: "3 hooks since 2026-11-12T18:14:00Z, what the app has not taken and what came after that",
	}}}
}

func TestWhatTheAppDidNotTakeIsSeenAndSentAgain(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	a := p.get(t, "/hooks")
	a.says(t, "3 changes were not taken", "given up", "It refused the connection.", "1 attempt<", "34 attempts", "not tried yet", "next <time", "02:55 UTC", "in 41 min", "next now",
		"Has no access since", "Has access until", `<a href="/lookup?q=`+accountID+`"`, "page=older", "Send again since a time")
	if r := last(t, s, "ListHooks").(*provisioningv1.ListHooksRequest); !r.GetUndelivered() || r.GetAccountId() != "" {
		t.Errorf("asked %v", r)
	}
	p.get(t, "/hooks?show=all&page=older&account="+accountID).says(t, "Send this account's again", `name="show" value="all"`)
	if r := last(t, s, "ListHooks").(*provisioningv1.ListHooksRequest); r.GetUndelivered() || r.GetAccountId() != accountID || r.GetPageToken() != "older" {
		t.Errorf("asked %v", r)
	}

	// One of them, as its link has it: not a moment later than it changed.
	links := regexp.MustCompile(`href="(/do/hooks[^"]*)"`).FindAllStringSubmatch(a.body, -1)
	if len(links) != 5 { // all of them, three rows, and since a time
		t.Fatalf("%d links:\n%s", len(links), a.body)
	}
	one := html.UnescapeString(links[3][1])
	preview := p.get(t, one)
	preview.says(t, "What would happen", "3 hooks since", "from the first that it did not take", `value="2026-11-12T18:14:00Z"`)
	r := last(t, s, "SendHooksAgain").(*reconciliationv1.SendHooksAgainRequest)
	if since := r.GetSince().AsTime(); r.GetAccountId() != accountID || !r.GetUndelivered() || !r.GetAct().GetDryRun() || since.After(night.Add(300*time.Millisecond-200*time.Hour)) {
		t.Errorf("looked by %v", r)
	}
	s.Say("SendHooksAgain", &reconciliationv1.ActionResponse{Done: true, AuditId: 91, Steps: []*reconciliationv1.Step{{What: "changes of access queued for the app again", Outcome: reconciliationv1.Step_DONE, Note: "3 hooks"}}}, nil)
	done := url.Values{"account_id": {accountID}, "which": {"x"}, "since": {"2026-11-12T18:14:00Z"}, "confirm": {"yes"}, "key": {field(t, preview, "key")}, "reason": {"the app was mended"}}
	p.post(t, "/do/hooks", done).says(t, "They are on their way to the app", "audit entry 91")
	r = last(t, s, "SendHooksAgain").(*reconciliationv1.SendHooksAgainRequest)
	if r.GetAct().GetDryRun() || r.GetAct().GetReason() != "the app was mended" || r.GetAct().GetIdempotencyKey() != done.Get("key") || r.GetAccountId() != accountID {
		t.Errorf("sent by %v", r)
	}
}

func TestATimeIsReadAsPeopleTypeIt(t *testing.T) {
	d := start(t)
	d.badNight()
	p, s := d.as(t, "support"), &d.peers.Script
	for typed, want := range map[string]string{
		"2026-11-21T01:20:05Z": "01:20:05", "2026-11-21 01:20": "01:20:00", " 2026-11-21 01:20 UTC ": "01:20:00", "2026-11-21": "00:00:00",
	} {
		p.get(t, "/do/hooks?since="+url.QueryEscape(typed)).says(t, "What would happen")
		if at := last(t, s, "SendHooksAgain").(*reconciliationv1.SendHooksAgainRequest).GetSince().AsTime().Format(time.DateTime); at != "2026-11-21 "+want {
			t.Errorf("%q is %s", typed, at)
		}
	}
	s.Forget()
	for _, typed := range []string{"yesterday", "21.11.2026", "2026-11-21T01:20:05+02:00"} {
		if a := p.get(t, "/do/hooks?since="+url.QueryEscape(typed)); a.status != 400 || len(s.Asked("SendHooksAgain")) != 0 {
			t.Errorf("%q: %d", typed, a.status)
		} else {
			a.says(t, "The time is not one such as 2026-11-21T01:20:00Z.", "See what would happen")
			a.hides(t, `name="confirm"`)
		}
	}
	p.get(t, "/do/hooks").says(t, "Changes since", "See what would happen")
}

func TestAViewerSeesHooksAndSendsNone(t *testing.T) {
	d := start(t)
	d.badNight()
	p := d.as(t, "viewer")
	a := p.get(t, "/hooks")
	a.says(t, "3 changes were not taken", "It answered 503.")
	a.hides(t, "/do/hooks", "Send again")
	if a := p.get(t, "/do/hooks?since=2026-11-21"); a.status != 403 {
		t.Errorf("a look at it: %d", a.status)
	} else {
		a.hides(t, `name="confirm"`)
	}
}

func TestThePageOfHooksSaysWhatItDoesNotKnow(t *testing.T) {
	d := start(t)
	d.quiet()
	p, s := d.as(t, "support"), &d.peers.Script
	p.get(t, "/hooks").says(t, "The app has taken everything", "Nothing waits", "Send again since a time")
	s.Say("ListHooks", &provisioningv1.ListHooksResponse{NoApp: true}, nil)
	a := p.get(t, "/hooks?show=all")
	a.says(t, "ACCESS_HOOK_URL is not set", "No change of access was ever told")
	a.hides(t, "has taken everything", "/do/hooks")
	s.Say("ListHooks", nil, apperr.New(codes.InvalidArgument, "INVALID_ARGUMENT", "account_id: must be a valid UUID"))
	a = p.get(t, "/hooks?account=jane")
	a.says(t, "Account_id: must be a valid UUID.", `value="jane"`)
	a.hides(t, "has taken everything", "Nothing waits")
	d.net.Stop(peertest.Provisioning)
	a = p.get(t, "/hooks")
	a.says(t, "Provisioning gives no answer right now", "<strong>sam</strong>")
	a.hides(t, "has taken everything", "Nothing waits")
}
