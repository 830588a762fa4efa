// Package desk has people of support act on the whole product in one process, with
// looks, webhooks and sweeps off, so that nothing happens but what they do.
package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"makegood.example/deploy/internal/oneprocess"
	"makegood.example/deploy/internal/stack"
	pb "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, stack.Schemas...) }

const visa = "pm_card_visa"

// team are the people who may be asked, by their roles.
var team = map[string]string{"sam": "support", "alex": "support", "vera": "viewer", "ada": "admin"}

// office is a world and its desk.
type office struct {
	*oneprocess.World
	t    *testing.T
	desk pb.SupportServiceClient
}

// open starts a world in which nothing recovers by itself.
func open(t *testing.T, settings ...string) *office {
	t.Helper()
	var tokens []map[string]string
	for actor, role := range team {
		sum := sha256.Sum256([]byte(token(actor)))
		tokens = append(tokens, map[string]string{"actor": actor, "role": role, "sha256": hex.EncodeToString(sum[:])})
	}
	body, err := json.Marshal(map[string]any{"tokens": tokens})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "team.json")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	set := map[string]string{"ADMIN_TOKENS_FILE": file, "RESCUE_AFTER": "off"}
	for _, s := range settings {
		k, v, _ := strings.Cut(s, "=")
		set[k] = v
	}
	w := oneprocess.New(t, oneprocess.Options{Post: oneprocess.Silent, Settings: set})
	return &office{World: w, t: t, desk: pb.NewSupportServiceClient(w.Conn("reconciliation", ""))}
}

func token(actor string) string { return "the-token-of-" + actor + "-in-this-test" }

// as is the context of a person's call.
func (o *office) as(actor string) context.Context {
	return metadata.AppendToOutgoingContext(o.t.Context(), "authorization", "Bearer "+token(actor))
}

// act is a fresh wish.
func act(reason string) *pb.Act { return &pb.Act{IdempotencyKey: uuid.NewString(), Reason: reason} }

// dry is a wish that is only to be shown.
func dry(reason string) *pb.Act {
	a := act(reason)
	a.DryRun = true
	return a
}

// wantSteps compares "what OUTCOME" line by line.
func (o *office) wantSteps(what string, r *pb.ActionResponse, err error, want ...string) {
	o.t.Helper()
	if err != nil {
		o.t.Fatalf("%s: %v", what, err)
	}
	var got []string
	done := true
	for _, s := range r.GetSteps() {
		got = append(got, s.GetWhat()+" "+s.GetOutcome().String())
		done = done && s.GetOutcome() != pb.Step_FAILED
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		o.t.Errorf("%s: steps %v\nwant %v", what, r.GetSteps(), want)
	}
	if r.GetDone() != done {
		o.t.Errorf("%s: done is %t", what, r.GetDone())
	}
}

func (o *office) wantRefused(what string, err error, code codes.Code, reason string) {
	o.t.Helper()
	if e := apperr.Of(apperr.FromStatus(err)); e == nil || e.Code != code || e.Reason != reason {
		o.t.Errorf("%s: %v, want %s %s", what, err, code, reason)
	}
}

// one reads one value of the database.
func one[T any](o *office, query string, args ...any) (v T) {
	o.t.Helper()
	if err := o.DB.QueryRow(o.t.Context(), query, args...).Scan(&v); err != nil {
		o.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// audit reads the entries about something, newest first, as "actor action OUTCOME".
func (o *office) audit(subject string) (said []string, entries []*pb.AuditEntry) {
	o.t.Helper()
	list, err := o.desk.ListAudit(o.as("vera"), &pb.ListAuditRequest{Subject: subject})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range list.GetEntries() {
		said = append(said, e.GetActor()+" "+e.GetAction()+" "+e.GetOutcome().String())
	}
	return said, list.GetEntries()
}

func (o *office) wantAudit(subject string, want ...string) []*pb.AuditEntry {
	o.t.Helper()
	said, entries := o.audit(subject)
	if strings.Join(said, "; ") != strings.Join(want, "; ") {
		o.t.Errorf("the audit of %s says %q, want %q", subject, said, want)
	}
	return entries
}
