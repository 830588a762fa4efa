package oneprocess_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"

	"makegood.example/deploy/internal/oneprocess"
	"makegood.example/services/platform/apperr"
)

// office is the desk of somebody who may export and erase.
type office struct {
	w       *oneprocess.World
	ctx     context.Context
	support reconciliationv1.SupportServiceClient
}

func openOffice(t *testing.T, w *oneprocess.World) office {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+w.Credentials()["admin"])
	return office{w, ctx, reconciliationv1.NewSupportServiceClient(w.Conn("reconciliation", ""))}
}

func (o office) act(key string, dryRun bool) *reconciliationv1.Act {
	return &reconciliationv1.Act{IdempotencyKey: key, Reason: "they asked for it", DryRun: dryRun}
}

func (o office) erase(key, email string, accessGoesOn, dryRun bool) (*reconciliationv1.ActionResponse, error) {
	return o.support.ErasePerson(o.ctx, &reconciliationv1.ErasePersonRequest{Email: email, AccessGoesOn: accessGoesOn, Act: o.act(key, dryRun)})
}

// report is what the integrity report adds up.
func (o office) report(t *testing.T) *reconciliationv1.IntegrityReport {
	t.Helper()
	r, err := reconciliationv1.NewReconciliationServiceClient(o.w.Conn("reconciliation", "")).GetIntegrityReport(o.ctx, &reconciliationv1.GetIntegrityReportRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r.MadeAt = nil
	return r
}

// sweep runs one run to its end.
func (o office) sweep(t *testing.T) {
	t.Helper()
	if _, err := reconciliationv1.NewReconciliationServiceClient(o.w.Conn("reconciliation", "")).StartRun(o.ctx, &reconciliationv1.StartRunRequest{}); err != nil {
		t.Fatal(err)
	}
	o.w.Settle()
	for n := 0; n == 0; {
		if err := o.w.DB.QueryRow(t.Context(), "SELECT count(*) FROM reconciliation.runs WHERE status = 'SUCCEEDED'").Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
}

// tablesWith reads every table of the database, bytes too, and says which have one of
// the words, whatever their case.
func tablesWith(t *testing.T, w *oneprocess.World, words ...string) (found []string) {
	t.Helper()
	rows, err := w.DB.Query(t.Context(), `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) < 40 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		rows, err := w.DB.Query(t.Context(), "SELECT to_jsonb(t)::text FROM "+table+" AS t")
		if err != nil {
			t.Fatal(err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		all := strings.ToLower(strings.Join(list, "\n"))
		for _, word := range words {
			if strings.Contains(all, strings.ToLower(word)) || strings.Contains(all, hex.EncodeToString([]byte(word))) {
				found = append(found, table)
				break
			}
		}
	}
	return found
}

// winifred buys twice, writes to support, and is answered.
func winifred(t *testing.T, w *oneprocess.World, o office) (*oneprocess.Buyer, oneprocess.Order) {
	t.Helper()
	b := w.Buyer("Winifred.Quux")
	status, bought, said := b.Place("annual", map[string]any{"payment_method": "pm_card_visa", "name": "Winifred Quux"})
	if bought.State != "COMPLETE" {
		t.Fatalf("%d %s", status, said)
	}
	w.Settle()
	key := uuid.NewString()
	ticket, err := o.support.OpenTicket(o.ctx, &reconciliationv1.OpenTicketRequest{
		Email: b.Email, Subject: "Winifred Quux asks", Description: "Please write to " + b.Email, Category: reconciliationv1.Ticket_BILLING, IdempotencyKey: key,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.support.Reply(o.ctx, &reconciliationv1.ReplyRequest{
		Template: reconciliationv1.ReplyRequest_RESEND, OrderId: bought.ID, Subject: "Winifred Quux asks", Send: true, Act: o.act(uuid.NewString(), false),
	}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if _, err := o.erase(uuid.NewString(), b.Email, true, false); apperr.Of(err) == nil || apperr.Of(err).Reason != "STILL_OPEN" || !strings.Contains(err.Error(), "ticket 1 is OPEN") {
		t.Fatalf("with an open ticket: %v", err)
	}
	if _, err := o.support.ChangeTicket(o.ctx, &reconciliationv1.ChangeTicketRequest{
		TicketId: ticket.GetId(), Version: ticket.GetVersion(), State: reconciliationv1.Ticket_RESOLVED, Resolution: "told Winifred Quux",
	}); err != nil {
		t.Fatal(err)
	}
	return b, bought
}

// A person is exported whole and erased everywhere, also when it is interrupted; the
// money is what it was, and what Stripe says of them later brings nothing back.
func TestAPersonIsExportedAndErased(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{})
	o := openOffice(t, w)
	other := w.Buyer("somebody.else")
	other.Buys("annual", "pm_card_visa")
	b, bought := winifred(t, w, o)
	o.sweep(t)
	words := []string{b.Email, strings.ToLower(b.Email), "Winifred Quux", "winifred.quux"}

	held := tablesWith(t, w, words...)
	docs, err := os.ReadFile("../../../docs/personal-data.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range held {
		if !strings.Contains(string(docs), "`"+table+"`") {
			t.Errorf("docs/personal-data.md does not name %s, which has the person's name or address", table)
		}
	}
	for _, table := range []string{"orders.orders", "payments.customers", "payments.webhook_events", "provisioning.accounts", "notifications.messages", "notifications.letters", "reconciliation.tickets"} {
		if !slices.Contains(held, table) {
			t.Errorf("nothing of the person was found in %s: is the test blind?", table)
		}
	}

	exported, err := o.support.ExportPerson(o.ctx, &reconciliationv1.ExportPersonRequest{Email: " " + strings.ToUpper(b.Email) + " ", Act: o.act(uuid.NewString(), false)})
	if err != nil || exported.GetAuditId() == 0 {
		t.Fatalf("%v %v", exported, err)
	}
	for _, word := range []string{b.Email, "Winifred Quux", bought.ID, "evt_", "ch_", "reconciliation.tickets", "notifications.letters", "provisioning.grants"} {
		if !strings.Contains(exported.GetJson(), word) {
			t.Errorf("the export has no %s", word)
		}
	}
	for _, word := range []string{"somebody.else", "_secret_", `"payload"`, "token_hash", "refund_token"} {
		if strings.Contains(exported.GetJson(), word) {
			t.Errorf("the export has %s", word)
		}
	}

	before := o.report(t)
	if _, err := o.erase(uuid.NewString(), b.Email, false, false); err == nil || !strings.Contains(err.Error(), "has access until") {
		t.Fatalf("with access: %v", err)
	}
	preview, err := o.erase(uuid.NewString(), b.Email, true, true)
	if err != nil || len(preview.GetSteps()) < 7 || preview.GetAuditId() != 0 {
		t.Fatalf("the dry run: %v %v", preview, err)
	}
	if after := tablesWith(t, w, words...); !slices.Equal(after, held) {
		t.Fatalf("the dry run changed something: %v, before %v", after, held)
	}

	// It is interrupted before the last service.
	key := uuid.NewString()
	o.eraseInterrupted(t, key, b.Email)
	for range 2 { // and again, when it is done
		done, err := o.erase(key, b.Email, true, false)
		if err != nil || !done.GetDone() || done.GetAuditId() == 0 {
			t.Fatalf("%v %v", done, err)
		}
	}
	if left := tablesWith(t, w, words...); len(left) != 0 {
		t.Errorf("after the erasure, %v have the person's name or address", left)
	}
	if after := o.report(t); !proto.Equal(before, after) {
		t.Errorf("the integrity report was\n%v\nand is\n%v", before, after)
	}
	if _, err := o.erase(uuid.NewString(), b.Email, true, false); apperr.Of(err) == nil || apperr.Of(err).Reason != "PERSON_NOT_FOUND" {
		t.Errorf("once more under another key: %v", err)
	}
	account1 := account(t, w, bought.ID)
	if a := w.Access(account1); !a.Active {
		t.Error("their access ended")
	}

	// What Stripe says later is heard, and nobody is written to.
	mails := len(w.Mails(b.Email))
	var charge string
	if err := w.DB.QueryRow(t.Context(), "SELECT charge_id FROM payments.payments WHERE order_id = $1", bought.ID).Scan(&charge); err != nil {
		t.Fatal(err)
	}
	w.Stripe.Post("/v1/refunds", url.Values{"charge": {charge}}, nil)
	w.Settle()
	if now := b.Looks(); now.State != "REFUNDED" {
		t.Errorf("after the refund the order is %+v", now)
	}
	if n := len(w.Mails(b.Email)); n != mails {
		t.Errorf("%d mails since they were erased", n-mails)
	}
	if back := tablesWith(t, w, words...); len(back) != 0 {
		t.Errorf("a late event brought the person back into %v", back)
	}

	// They come again, as somebody new.
	again := &oneprocess.Buyer{}
	*again = *b
	again.Reference = uuid.NewString()
	second := again.Buys("annual", "pm_card_visa")
	w.Settle()
	if account(t, w, second.ID) == account1 {
		t.Error("who was erased was recognised")
	}
	var customers int
	if err := w.DB.QueryRow(t.Context(), "SELECT count(DISTINCT customer_id) FROM payments.payments WHERE order_id = ANY ($1)", []string{bought.ID, second.ID}).Scan(&customers); err != nil || customers != 2 {
		t.Errorf("%d Stripe customers, %v", customers, err)
	}
	o.nothingIsWrong(t)
}

// eraseInterrupted erases a person in all services but Orders, which is the last and
// fails when it commits: what is only tried before does not.
func (o office) eraseInterrupted(t *testing.T, key, email string) {
	t.Helper()
	exec(t, o.w, `CREATE FUNCTION public.stop_here() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$;
		CREATE CONSTRAINT TRIGGER stop_here AFTER UPDATE ON orders.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.name = '') EXECUTE FUNCTION public.stop_here()`)
	if _, err := o.erase(key, email, true, false); err == nil {
		t.Fatal("it was not interrupted")
	}
	exec(t, o.w, "DROP TRIGGER stop_here ON orders.orders")
	if left := tablesWith(t, o.w, email); !slices.Equal(left, []string{"orders.orders", "orders.submissions"}) {
		t.Fatalf("interrupted before its last service, it left the address in %v", left)
	}
}

func (o office) nothingIsWrong(t *testing.T) {
	t.Helper()
	if cases := o.w.Cases(); len(cases) != 0 {
		t.Errorf("cases: %v", cases)
	}
	audit, err := o.support.ListAudit(o.ctx, &reconciliationv1.ListAuditRequest{PageSize: 50})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, e := range audit.GetEntries() {
		counts[fmt.Sprint(e.GetAction(), " ", e.GetOutcome())]++
	}
	if counts["ErasePerson DONE"] != 1 || counts["ExportPerson DONE"] != 1 || counts["ErasePerson FAILED"] == 0 {
		t.Errorf("the audit has %v", slices.Sorted(maps.Keys(counts)))
	}
}

func exec(t *testing.T, w *oneprocess.World, statement string) {
	t.Helper()
	if _, err := w.DB.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// Who buys again while their erasure is interrupted is somebody new in the services that
// erased them already; sent again, it erases both.
func TestAnErasureIsSentAgainAfterTheyBoughtAgain(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{})
	o := openOffice(t, w)
	b := w.Buyer("winifred.quux")
	var orders []string
	buys := func() {
		t.Helper()
		b.Reference = uuid.NewString()
		status, bought, said := b.Place("annual", map[string]any{"payment_method": "pm_card_visa", "allow_repeat": true})
		if bought.State != "COMPLETE" {
			t.Fatalf("%d %s", status, said)
		}
		orders = append(orders, bought.ID)
		w.Settle()
	}
	buys()
	key := uuid.NewString()
	o.eraseInterrupted(t, key, b.Email)
	buys()
	if done, err := o.erase(key, b.Email, true, false); err != nil || !done.GetDone() {
		t.Fatalf("%v %v", done, err)
	}
	if left := tablesWith(t, w, b.Email); len(left) != 0 {
		t.Errorf("after the erasure, %v have the person's address", left)
	}
	for _, order := range orders {
		if !w.Access(account(t, w, order)).Active {
			t.Errorf("the access of order %s ended", order)
		}
	}
}
