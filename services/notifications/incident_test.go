package notifications_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
)

// orphans is how charges without an order stand.
func orphans(count int64) *notificationsv1.IncidentReport {
	return &notificationsv1.IncidentReport{
		Key: "unidentified-charge", Tier: notificationsv1.Incident_SAME_DAY, Title: fmt.Sprintf("%d charges have no order", count),
		Meaning: "They are ours.", NextStep: "Open it.", Count: count,
		Items: []*notificationsv1.IncidentItem{{Text: "Case 1, ch_1: $249.00", Path: "/cases/1"}},
	}
}

// unserved is how customers stand who paid and have no access.
func unserved(count int64) *notificationsv1.IncidentReport {
	return &notificationsv1.IncidentReport{
		Key: "stuck-order", Tier: notificationsv1.Incident_PAGE_NOW, Title: "A customer paid and has no access", Meaning: "Promised, and not kept.",
		NextStep: "Recover.", Count: count, Items: []*notificationsv1.IncidentItem{{Text: "Case 2, ch_2: $249.00", Path: "/cases/2"}},
	}
}

func (w *world) report(incidents ...*notificationsv1.IncidentReport) {
	w.t.Helper()
	_, err := w.asReconciliation().ReportIncidents(w.t.Context(), &notificationsv1.ReportIncidentsRequest{
		Source: "cases", AsOf: timestamppb.New(w.now()), Incidents: incidents,
	}, grpc.WaitForReady(true))
	if err != nil {
		w.t.Fatal(err)
	}
}

// settle lets what can wait be told, and waits until nothing is due to be.
func (w *world) settle(passes ...time.Duration) {
	w.t.Helper()
	for _, d := range append(passes, 0) {
		w.later.Add(int64(d))
		w.until("all is told that is due", func() bool {
			var n int
			err := w.owner.QueryRow(w.t.Context(), `SELECT
				(SELECT count(*) FROM notifications.incident_channels WHERE next_look_at <= $1 OR leased_until IS NOT NULL)
				+ (SELECT count(*) FROM notifications.messages WHERE kind IN ('ALERT', 'DIGEST') AND state IN ('QUEUED', 'SENDING') AND last_error = '')`, w.now()).Scan(&n)
			return err == nil && n == 0
		})
	}
}

const soon = 2 * time.Minute

// heads are the subjects of all mails, in order.
func (w *world) heads() (all []string) {
	for _, m := range w.mail.mails() {
		for line := range strings.Lines(m) {
			if s, ok := strings.CutPrefix(line, "Subject: [Example App] "); ok {
				all = append(all, strings.TrimSpace(s))
			}
		}
	}
	return all
}

func (w *world) wantHeads(want ...string) {
	w.t.Helper()
	if got := w.heads(); !slices.Equal(got, want) {
		w.t.Errorf("the mails are %q, want %q", got, want)
	}
}

func newAlerted(t *testing.T, settings map[string]string) *world {
	w := newWorld(t)
	all := map[string]string{"ALERT_EMAILS": "ops@example.com", "RECONCILE_EVERY": "off", "ADMIN_URL": "https://admin.example.com"}
	for k, v := range settings {
		all[k] = v
	}
	w.with(all)
	return w
}

func header(mail, name string) string {
	for line := range strings.Lines(mail) {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func TestAStormIsOneMailAndOneWhenItIsOver(t *testing.T) {
	w := newAlerted(t, nil)
	for n := int64(10); n <= 1000; n += 10 {
		w.report(orphans(n))
	}
	w.settle(soon)
	w.wantHeads("Today: 1000 charges have no order")
	for n := int64(1000); n <= 5000; n += 500 {
		w.report(orphans(n))
		w.settle(soon)
	}
	w.report()
	w.settle(soon)
	w.wantHeads("Today: 1000 charges have no order", "Over: 5000 charges have no order")
	opening, over := w.mail.mails()[0], w.mail.mails()[1]
	if id := header(opening, "Message-ID"); id == "" || header(over, "In-Reply-To") != id || header(over, "References") != id {
		t.Errorf("the mails do not stand together:\n%s\n%s", opening, over)
	}
	for _, text := range []string{"They are ours.", "1000 in all", "ch_1: $249.00", "https://admin.example.com/cases/1", "https://admin.example.com/incidents/unidentified-charge", "What to do: Open it."} {
		if !strings.Contains(strings.ReplaceAll(opening, "=\r\n", ""), text) {
			t.Errorf("the opening does not say %q:\n%s", text, opening)
		}
	}
}

func TestEachAddressHasMailsOfItsOwn(t *testing.T) {
	w := newAlerted(t, map[string]string{"ALERT_EMAILS": "ops@example.com, boss@example.com,,ops@example.com"})
	refusals := 0
	w.mail.answer(func(to string) error {
		if to == "boss@example.com" && refusals == 0 {
			refusals++
			return &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return nil
	}, nil)
	w.report(unserved(1))
	w.until("both mails", func() bool { return w.mailsWith("Promised, and not kept.") == 2 })
	for _, m := range w.mail.mails() {
		if strings.Contains(m, "text/html") || strings.Contains(m, "X-Makegood-Order") || !strings.Contains(m, "X-Makegood-Kind: alert") {
			t.Errorf("the mail is\n%s", m)
		}
	}
}

// What an incident grows to is told again only when that is another thing: ten times
// as much, or that it cannot wait.
func TestWhatGetsWorseIsToldAgainAlsoToWhoeverLooksAfterIt(t *testing.T) {
	w := newAlerted(t, nil)
	w.report(orphans(2))
	w.settle(soon)
	w.acknowledge("unidentified-charge", "sam")
	w.report(orphans(19))
	w.settle(soon)
	w.wantHeads("Today: 2 charges have no order")
	w.report(orphans(20))
	w.settle(soon)
	w.wantHeads("Today: 2 charges have no order", "Today: 20 charges have no order")
	if w.mailsWith("it grew from 2 to 20") != 1 {
		t.Error("it is not said why it is told again")
	}
	now := orphans(20)
	now.Tier = notificationsv1.Incident_PAGE_NOW
	w.report(now)
	w.settle(soon)
	w.wantHeads("Today: 2 charges have no order", "Today: 20 charges have no order", "Now: 20 charges have no order")
	if i := w.incident("unidentified-charge"); i.GetAcknowledgedBy() != "" || len(i.GetEvents()) != 4 {
		t.Errorf("the incident is %v", i)
	}
}

// A problem that lasts for weeks must not hide what is new in it.
func TestWhatComesLongAfterIsToldAgain(t *testing.T) {
	w := newAlerted(t, nil)
	one := unserved(1)
	one.NewestAt = timestamppb.New(w.now())
	w.report(one)
	w.settle(0)
	two := unserved(2)
	two.NewestAt = timestamppb.New(w.now().Add(10 * time.Minute))
	w.later.Add(int64(11 * time.Minute))
	w.report(two)
	w.settle(0)
	if got := len(w.heads()); got != 1 {
		t.Errorf("%d mails after eleven minutes", got)
	}
	w.later.Add(int64(time.Hour))
	w.report(two)
	w.report(two)
	w.settle(0)
	if got := len(w.heads()); got != 2 {
		t.Errorf("%d mails after more than an hour", got)
	}
}

func TestWhatHealsAtOnceIsNotTold(t *testing.T) {
	w := newAlerted(t, nil)
	w.report(orphans(3))
	w.report()
	w.settle(soon, time.Hour)
	w.wantHeads()
	if i := w.incident("unidentified-charge"); i.GetResolvedAt() == nil {
		t.Errorf("the incident is %v", i)
	}
}

func TestAnOlderReportChangesNothing(t *testing.T) {
	w := newAlerted(t, nil)
	w.report(unserved(1))
	_, err := w.asReconciliation().ReportIncidents(t.Context(), &notificationsv1.ReportIncidentsRequest{
		Source: "cases", AsOf: timestamppb.New(w.now().Add(-time.Minute)),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.asReconciliation().ReportIncidents(t.Context(), &notificationsv1.ReportIncidentsRequest{
		Source: "others", AsOf: timestamppb.New(w.now()),
	})
	if err != nil {
		t.Fatal(err)
	}
	if i := w.incident("stuck-order"); i.GetResolvedAt() != nil {
		t.Errorf("the incident is %v", i)
	}
}

func (w *world) acknowledge(key, actor string) {
	w.t.Helper()
	i, err := w.desk().AcknowledgeIncident(w.as(actor), &notificationsv1.AcknowledgeIncidentRequest{Key: key, Note: "on it"})
	if err != nil || i.GetAcknowledgedBy() != actor {
		w.t.Fatal(i, err)
	}
}

func TestAnIncidentIsAcknowledgedAndSnoozed(t *testing.T) {
	w := newAlerted(t, nil)
	w.report(unserved(1))
	w.settle(0)
	w.acknowledge("stuck-order", "sam")
	w.acknowledge("stuck-order", "sam") // again is the same
	until := timestamppb.New(w.now().Add(time.Hour))
	if _, err := w.desk().SnoozeIncident(w.as("sam"), &notificationsv1.SnoozeIncidentRequest{Key: "stuck-order", Until: until, Reason: "the bank opens then"}); err != nil {
		t.Fatal(err)
	}
	w.settle(30 * time.Minute)
	w.wantHeads("Now: A customer paid and has no access")
	w.settle(31 * time.Minute)
	w.wantHeads("Now: A customer paid and has no access", "Now: A customer paid and has no access")
	var whats []string
	for _, e := range w.incident("stuck-order").GetEvents() {
		whats = append(whats, e.GetWhat()+" "+e.GetActor())
	}
	if want := []string{"opened system", "acknowledged sam", "snoozed sam", "woken system"}; !slices.Equal(whats, want) {
		t.Errorf("events %q, want %q", whats, want)
	}
	for what, err := range map[string]error{
		"a viewer": func() error {
			_, err := w.desk().AcknowledgeIncident(w.as("jo"), &notificationsv1.AcknowledgeIncidentRequest{Key: "stuck-order"})
			return err
		}(),
		"what is not": func() error {
			_, err := w.desk().AcknowledgeIncident(w.as("sam"), &notificationsv1.AcknowledgeIncidentRequest{Key: "nothing"})
			return err
		}(),
		"until yesterday": func() error {
			_, err := w.desk().SnoozeIncident(w.as("sam"), &notificationsv1.SnoozeIncidentRequest{Key: "stuck-order", Until: timestamppb.New(w.now().Add(-time.Hour)), Reason: "x"})
			return err
		}(),
	} {
		if err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	for _, change := range []string{`UPDATE notifications.incident_events SET actor = 'me'`, `DELETE FROM notifications.incident_events`} {
		if _, err := w.db.Pool(t, "notifications").Exec(t.Context(), change); err == nil {
			t.Errorf("the service may %s", change)
		}
	}
}

// Whoever looks after it already need not be told of it.
func TestWhatIsAcknowledgedBeforeItIsToldIsNotTold(t *testing.T) {
	w := newAlerted(t, nil)
	w.report(orphans(2))
	w.acknowledge("unidentified-charge", "sam")
	w.settle(soon)
	w.report()
	w.settle(soon)
	w.wantHeads()
}

func TestQuietHoursHoldBackWhatCanWait(t *testing.T) {
	w := newAlerted(t, nil)
	// Quiet from an hour ago until in four hours, somewhere else.
	zone := time.FixedZone("", 0)
	if z, err := time.LoadLocation("Asia/Tokyo"); err == nil {
		zone = z
	}
	now := w.now().In(zone)
	w.with(map[string]string{
		"ALERT_EMAILS": "ops@example.com", "RECONCILE_EVERY": "off",
		"QUIET_HOURS": now.Add(-time.Hour).Format("15:04") + "-" + now.Add(4*time.Hour).Format("15:04") + " Asia/Tokyo",
	})
	w.report(orphans(2), unserved(1))
	w.settle(soon, 3*time.Hour)
	w.wantHeads("Now: A customer paid and has no access")
	w.report(orphans(2))
	w.settle(time.Second)
	w.settle(time.Hour + soon)
	w.wantHeads("Now: A customer paid and has no access", "Over: A customer paid and has no access", "Today: 2 charges have no order")
}

func TestTwoInstancesTellNothingTwice(t *testing.T) {
	w := newAlerted(t, nil)
	other := &world{t: t, db: w.db, mail: w.mail, log: w.log, owner: w.owner, peers: w.peers, tokens: w.tokens, settings: w.settings}
	other.start()
	defer other.stop()
	var reports sync.WaitGroup
	for range 20 {
		reports.Go(func() { w.report(unserved(1)) })
		reports.Go(func() { other.report(unserved(1)) })
	}
	reports.Wait()
	w.settle(time.Second)
	w.report()
	w.settle(time.Second)
	w.wantHeads("Now: A customer paid and has no access", "Over: A customer paid and has no access")
}

// What a mail says must be so when it is sent: the mail server was away meanwhile.
func TestAMailThatIsNotSoAnyMoreIsNotSent(t *testing.T) {
	w := newAlerted(t, nil)
	w.mail.answer(func(string) error { return &smtp.SMTPError{Code: 451, Message: "later"} }, nil)
	w.report(unserved(1))
	w.settle(time.Second)
	w.until("a first try", func() bool { return w.row(w.alertKey(0)).Attempts > 0 })
	w.report()
	w.settle(time.Second)
	w.mail.answer(nil, nil)
	w.until("both rest", func() bool {
		w.hurryAll()
		return w.row(w.alertKey(0)).State == "SUPERSEDED" && w.row(w.alertKey(1)).State == "SUPERSEDED"
	})
	w.wantHeads()
}

// alertKey is the dedupe key of the nth mail to the team.
func (w *world) alertKey(n int) (key string) {
	w.t.Helper()
	if err := w.owner.QueryRow(w.t.Context(), `SELECT dedupe_key FROM notifications.messages WHERE kind = 'ALERT' ORDER BY created_at, dedupe_key OFFSET $1 LIMIT 1`, n).Scan(&key); err != nil {
		w.t.Fatal(err)
	}
	return key
}

// hurryAll makes all attempts that wait due now.
func (w *world) hurryAll() {
	w.t.Helper()
	if _, err := w.owner.Exec(w.t.Context(), `UPDATE notifications.river_job SET state = 'available', scheduled_at = now() WHERE state IN ('retryable', 'scheduled')`); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) desk() notificationsv1.NotificationsServiceClient { return w.client }

func (w *world) incident(key string) *notificationsv1.Incident {
	w.t.Helper()
	list, err := w.desk().ListIncidents(w.as("jo"), &notificationsv1.ListIncidentsRequest{Key: key, IncludeResolved: true})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(list.GetIncidents()) == 0 {
		return nil
	}
	return list.GetIncidents()[0]
}

func TestIncidentsAreListedByThePage(t *testing.T) {
	w := newAlerted(t, nil)
	for n := range 3 {
		gone := orphans(1)
		gone.Key = fmt.Sprintf("gone-%d", n)
		w.report(gone)
	}
	w.report(orphans(1), unserved(1))
	var keys []string
	req := &notificationsv1.ListIncidentsRequest{IncludeResolved: true, PageSize: 2}
	for {
		page, err := w.desk().ListIncidents(w.as("jo"), req)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.GetIncidents() {
			keys = append(keys, i.GetKey())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if want := []string{"stuck-order", "unidentified-charge", "gone-2", "gone-1", "gone-0"}; !slices.Equal(keys, want) {
		t.Errorf("listed %q, want %q", keys, want)
	}
}

// as is a context of a person.
func (w *world) as(actor string) context.Context {
	return metadata.AppendToOutgoingContext(w.t.Context(), "authorization", "Bearer "+tokens[actor])
}
