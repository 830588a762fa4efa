package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// fence is a block of a document with its language.
var fence = regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```$")

// documented is a command of the document, and what its answer must have.
type documented struct {
	command string
	answers []string
}

// examples reads a document: the first block is what every command stands on.
func examples(t *testing.T, name string) (setup string, list []documented, text string) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range fence.FindAllStringSubmatch(string(body), -1) {
		switch lang, content := block[1], block[2]; {
		case lang == "text" && len(list) > 0:
			list[len(list)-1].answers = strings.Split(strings.TrimSpace(content), "\n")
		case lang == "sh" && setup == "":
			setup = content
		case lang == "sh":
			list = append(list, documented{command: content})
		}
	}
	return setup, list, string(body)
}

// grpcurl builds the program that people use; the module pins it.
func grpcurl(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", dir+string(filepath.Separator), "github.com/fullstorydev/grpcurl/cmd/grpcurl").CombinedOutput(); err != nil {
		t.Fatalf("go build grpcurl: %v\n%s", err, out)
	}
	return dir
}

// Every command of docs/support.md does what the document says, with real grpcurl on
// real processes, one after the other; and every call of the desk has one.
func TestTheSupportDocument(t *testing.T) {
	t.Parallel()
	setup, list, text := examples(t, "support.md")
	methods := reconciliationv1.File_reconciliation_v1_support_proto.Services().ByName("SupportService").Methods()
	for i := range methods.Len() {
		if name := string(methods.Get(i).Name()); !strings.Contains(text, "\ndesk SupportService/"+name+" <") {
			t.Errorf("the document has no example of %s", name)
		}
	}
	ownership := filepath.Join(t.TempDir(), "ownership.json")
	if err := os.WriteFile(ownership, []byte(`{"rules": [{"metadata": {"key": "shop", "value": "old"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, "RESCUE_AFTER=off", "RECONCILE_EVERY=off", "APOLOGY_AFTER=1s", "OWNERSHIP_FILE="+ownership)
	env := s.deskOfTheDocument(t)
	env = append(env, "PATH="+grpcurl(t)+string(os.PathListSeparator)+os.Getenv("PATH"), "DESK="+s.Env("RECONCILIATION_GRPC_ADDR"))
	dir := t.TempDir()
	if err := os.Symlink(s.Dir(), filepath.Join(dir, ".makegood")); err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		run := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", setup+e.command)
		run.Dir, run.Env = dir, append(os.Environ(), env...)
		out, err := run.CombinedOutput()
		if err != nil || len(e.answers) == 0 {
			t.Errorf("%s: %v, %d answers\n%s", e.command, err, len(e.answers), out)
		}
		for _, want := range e.answers {
			if !strings.Contains(string(out), strings.TrimSpace(want)) {
				t.Errorf("%s does not answer %s:\n%s", e.command, want, out)
			}
		}
	}
}

// deskOfTheDocument is what lies on the desk: somebody stranded, two charges of the
// shop before with a case each, and two events for which nobody was found.
func (s *shop) deskOfTheDocument(t *testing.T) (env []string) {
	t.Helper()
	s.pauseWebhooks(t, true)
	old := url.Values{"metadata[shop]": {"old"}}
	adopt, other := s.foreignCharge(t, "24900", old), s.foreignCharge(t, "3900", old)
	var run map[string]any
	if status := s.posts(t, "/admin/v1/reconciliation/runs", map[string]any{}, &run); status != http.StatusOK {
		t.Fatalf("a sweep: %d %v", status, run)
	}
	var id int64
	await(t, "the case of the other charge", func() bool {
		return s.DB().QueryRow(t.Context(), "SELECT id FROM reconciliation.cases WHERE state = 'OPEN' AND subject LIKE '%' || $1 || '%'", other).Scan(&id) == nil
	})
	leaver := s.buyer("Leaving Sam")
	leaver.pays(t, card)
	leaver.awaitAccess(t)
	b := s.buyer("Frightened Jane")
	hold := stripe("hang_after", http.MethodPost, pathConfirm)(t, s)
	answered := b.startsToPay(t, card)
	hold.reached(t)
	s.down(t, "orders")
	hold.letGo(t, []string{"orders"})
	<-answered
	s.up(t, "orders")
	b.waitsForAnApology(t)
	for _, event := range []string{"evt_hers", "evt_nobodys"} {
		if _, err := s.DB().Exec(t.Context(), `INSERT INTO payments.webhook_events (stripe_event_id, type, livemode, api_version, object_id, status, attempt_count, customer_id, payload, received_at, processed_at)
			VALUES ($1, 'customer.updated', false, '2023-10-16', 'cus_other', 'ORPHANED', 1, 'cus_other', '{}', now(), now())`, event); err != nil {
			t.Fatal(err)
		}
	}
	var incident string
	await(t, "the incident of that case", func() bool {
		return s.DB().QueryRow(t.Context(), "SELECT key FROM notifications.incidents WHERE resolved_at IS NULL AND key LIKE 'claimed-charge%'").Scan(&incident) == nil
	})
	return []string{
		"INCIDENT=" + incident, "LEAVER=" + leaver.email,
		"EMAIL=" + b.email, "ORDER=" + b.record(t).ID, "CHARGE=" + adopt, fmt.Sprint("CASE=", strconv.FormatInt(id, 10)), "EVENT=evt_hers", "OTHER_EVENT=evt_nobodys",
	}
}
