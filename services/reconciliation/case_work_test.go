package reconciliation_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/grpcclient"
)

// team are people with the role support.
func (s *scene) team(names ...string) {
	s.t.Helper()
	text := ""
	for _, name := range append(names, "sam") {
		token := "the-token-of-" + name + "-in-this-test"
		if name == "sam" {
			token = supportToken
		}
		sum := sha256.Sum256([]byte(token))
		if text != "" {
			text += ","
		}
		text += fmt.Sprintf(`{"actor": %q, "role": "support", "sha256": %q}`, name, hex.EncodeToString(sum[:]))
	}
	s.tokens = filepath.Join(s.t.TempDir(), "team.json")
	if err := os.WriteFile(s.tokens, []byte(`{"tokens": [`+text+`]}`), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// desk is how people act.
func (s *scene) desk(dial grpcclient.Dialer) pb.SupportServiceClient {
	s.t.Helper()
	conn, err := grpcclient.Dial("reconciliation", "gateway", dial)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return pb.NewSupportServiceClient(conn)
}

func whats(c *pb.Case) (all []string) {
	for _, e := range c.GetEvents() {
		all = append(all, e.GetWhat()+" "+e.GetActor())
	}
	return all
}

func TestACaseIsClaimedHandedOverAndResolved(t *testing.T) {
	s := newScene(t)
	s.team("alex")
	dial := s.instance(nil)
	desk, sam := s.desk(dial), s.support()
	alex := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer the-token-of-alex-in-this-test")
	c, err := s.client(dial, "orders").OpenCase(t.Context(), stuck(1))
	if err != nil {
		t.Fatal(err)
	}
	id := c.GetId()
	must := func(r *pb.ActionResponse, err error) *pb.Case {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r.GetCase()
	}
	if got := must(desk.ClaimCase(sam, &pb.ClaimCaseRequest{CaseId: id, Note: "calling them"})); got.GetClaimedBy() != "sam" || got.GetClaimedAt() == nil {
		t.Errorf("claimed: %v", got)
	}
	must(desk.ClaimCase(sam, &pb.ClaimCaseRequest{CaseId: id})) // again is the same
	_, err = desk.ClaimCase(alex, &pb.ClaimCaseRequest{CaseId: id})
	wantError(t, "claiming what is somebody else's", err, codes.Aborted, "CASE_CLAIMED")
	if got := must(desk.ClaimCase(sam, &pb.ClaimCaseRequest{CaseId: id, Actor: "alex", Note: "my day is over"})); got.GetClaimedBy() != "alex" {
		t.Errorf("handed over: %v", got)
	}
	if got := must(desk.ClaimCase(sam, &pb.ClaimCaseRequest{CaseId: id, TakeOver: true})); got.GetClaimedBy() != "sam" {
		t.Errorf("taken over: %v", got)
	}
	s.clock.Advance(time.Minute)
	got := must(desk.ResolveCase(alex, &pb.ResolveCaseRequest{CaseId: id, Resolution: "refunded by hand"}))
	if got.GetState() != pb.Case_RESOLVED || got.GetResolvedBy() != "alex" || got.GetResolution() != "refunded by hand" || got.GetResolvedAt() == nil {
		t.Errorf("resolved: %v", got)
	}
	must(desk.ResolveCase(sam, &pb.ResolveCaseRequest{CaseId: id, Resolution: "again"}))
	want := []string{"opened system", "claimed sam", "handed over sam", "claimed sam", "resolved alex"}
	if !slices.Equal(whats(got), want) {
		t.Errorf("events %q, want %q", whats(got), want)
	}
	if read, err := s.client(dial, "gateway").GetCase(sam, &pb.GetCaseRequest{CaseId: id}); err != nil || !slices.Equal(whats(read), want) || read.GetResolution() != "refunded by hand" {
		t.Errorf("read again: %v", read)
	}
	_, err = s.client(dial, "gateway").GetCase(sam, &pb.GetCaseRequest{CaseId: 99})
	wantError(t, "reading a case that is not", err, codes.NotFound, "CASE_NOT_FOUND")
	_, err = desk.ClaimCase(sam, &pb.ClaimCaseRequest{CaseId: id})
	wantError(t, "claiming what is resolved", err, codes.Aborted, "INVALID_STATE")
	_, err = desk.SnoozeCase(sam, &pb.SnoozeCaseRequest{CaseId: id, Until: timestamppb.New(s.clock.Now().Add(time.Hour)), Reason: "later"})
	wantError(t, "snoozing what is resolved", err, codes.Aborted, "INVALID_STATE")
	_, err = desk.ResolveCase(sam, &pb.ResolveCaseRequest{CaseId: 99, Resolution: "what"})
	wantError(t, "a case that is not", err, codes.NotFound, "CASE_NOT_FOUND")
	for _, change := range []string{`UPDATE reconciliation.case_events SET actor = 'me'`, `DELETE FROM reconciliation.case_events`} {
		if _, err := s.db.Pool(t, "reconciliation").Exec(t.Context(), change); err == nil {
			t.Errorf("the service may %s", change)
		}
	}
}

// Who closes a case has decided about what they saw: a second wrong charge that was
// reported while they wrote is not closed with the first, unseen by anybody.
func TestWhatWasNotSeenIsNotClosed(t *testing.T) {
	s := newScene(t)
	dial := s.instance(nil)
	desk, recon := s.desk(dial), s.client(dial, "payments")
	wrong := func(summary string) *pb.Case {
		t.Helper()
		c, err := recon.OpenCase(t.Context(), &pb.OpenCaseRequest{Kind: pb.Case_WRONG_CHARGE, Subject: "order/" + orderID(1), Summary: summary})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	seen := wrong("charge ch_1 is wrong after 1 look")
	if again := wrong("charge ch_1 is wrong after 2 looks"); seen.GetVersion() != 1 || again.GetVersion() != 1 {
		t.Errorf("version %d, and %d when nothing is new", seen.GetVersion(), again.GetVersion())
	}
	news := wrong("charges ch_1 and ch_2 are wrong")
	if news.GetVersion() != 2 {
		t.Errorf("version %d when something is new", news.GetVersion())
	}
	closes := func(version int64, dry bool) (*pb.ActionResponse, error) {
		act := &pb.Act{IdempotencyKey: uuid.NewString(), Reason: "they wrote", DryRun: dry}
		return desk.ResolveCase(s.support(), &pb.ResolveCaseRequest{CaseId: seen.GetId(), Resolution: "they keep it", Version: version, Act: act})
	}
	for _, dry := range []bool{true, false} {
		_, err := closes(seen.GetVersion(), dry)
		wantError(t, "closing what was not seen", err, codes.Aborted, "INVALID_STATE")
	}
	if n := s.openCases("WRONG_CHARGE"); n != 1 {
		t.Errorf("%d cases are open", n)
	}
	if r, err := closes(news.GetVersion(), false); err != nil || r.GetCase().GetState() != pb.Case_RESOLVED {
		t.Errorf("closing what was seen: %v, %v", r, err)
	}
	if r, err := closes(seen.GetVersion(), false); err != nil || r.GetCase().GetState() != pb.Case_RESOLVED {
		t.Errorf("closed already: %v, %v", r, err)
	}
}

func TestASnoozedCaseSleepsUntilItsTimeOrSomethingNew(t *testing.T) {
	s := newScene(t)
	dial := s.instance(startDesk(t).env())
	desk, orders := s.client(dial, "gateway"), s.client(dial, "orders")
	report := func(summary string) *pb.Case {
		t.Helper()
		req := stuck(1)
		req.Summary = summary
		c, err := orders.OpenCase(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	queue := func() *pb.Case {
		t.Helper()
		list, err := desk.ListCases(s.support(), &pb.ListCasesRequest{State: pb.Case_OPEN})
		if err != nil {
			t.Fatal(err)
		}
		if len(list.GetCases()) == 0 {
			return nil
		}
		return list.GetCases()[0]
	}
	snooze := func() {
		t.Helper()
		r, err := s.desk(dial).SnoozeCase(s.support(), &pb.SnoozeCaseRequest{CaseId: 1, Until: timestamppb.New(s.clock.Now().Add(time.Hour)), Reason: "the bank opens then"})
		if err != nil || r.GetCase().GetSnoozedUntil() == nil {
			t.Fatal(r, err)
		}
		if queue() != nil {
			t.Error("a snoozed case is in the queue")
		}
	}
	report("the order is CHARGED; 5 looks could not finish it")
	snooze()
	report("the order is CHARGED; 6 looks could not finish it")
	if queue() != nil {
		t.Error("a report of the same woke it")
	}
	if list, err := desk.ListCases(s.support(), &pb.ListCasesRequest{State: pb.Case_OPEN, IncludeSnoozed: true}); err != nil || len(list.GetCases()) != 1 {
		t.Errorf("with the snoozed ones: %v, %v", list, err)
	}
	report("the order is CHARGED; its buyer wrote to us")
	if queue() == nil {
		t.Error("a report of something new did not wake it")
	}
	snooze()
	s.clock.Advance(time.Hour + time.Minute)
	if queue() == nil {
		t.Error("its time is up, and it is not in the queue")
	}
	await(t, "it is written down", func() bool {
		c := queue()
		return c.GetSnoozedUntil() == nil && len(c.GetEvents()) > 0 && c.GetEvents()[len(c.GetEvents())-1].GetWhat() == "woken"
	})
	want := []string{"opened system", "snoozed sam", "reported system", "woken system", "snoozed sam", "woken system"}
	if c := queue(); !slices.Equal(whats(c), want) || c.GetReportedCount() != 3 {
		t.Errorf("events %q, want %q; reported %d times", whats(c), want, c.GetReportedCount())
	}
	_, err := s.desk(dial).SnoozeCase(s.support(), &pb.SnoozeCaseRequest{CaseId: 1, Until: timestamppb.New(s.clock.Now().Add(-time.Hour)), Reason: "x"})
	wantError(t, "until yesterday", err, codes.InvalidArgument, "INVALID_ARGUMENT")
}

func TestAPersonIsToldWhoTheyAre(t *testing.T) {
	s := newScene(t)
	conn, err := grpcclient.Dial("reconciliation", "gateway", s.instance(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	desk := pb.NewSupportServiceClient(conn)
	if me, err := desk.WhoAmI(s.support(), &pb.WhoAmIRequest{}); err != nil || me.GetActor() != "sam" || me.GetRole() != "support" {
		t.Errorf("%v %v", me, err)
	}
	_, err = desk.WhoAmI(t.Context(), &pb.WhoAmIRequest{})
	wantError(t, "without a token", err, codes.Unauthenticated, "UNAUTHENTICATED")
}
