package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// charge is a charge as Stripe has it.
type charge struct {
	ID             string `json:"id"`
	Amount         int64  `json:"amount"`
	AmountRefunded int64  `json:"amount_refunded"`
	Currency       string `json:"currency"`
	Customer       string `json:"customer"`
	Created        int64  `json:"created"`
	Status         string `json:"status"`
	Refunded       bool   `json:"refunded"`
}

// intent is a payment intent as Stripe has it.
type intent struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Status   string `json:"status"`
}

// stripeHas is everything that Stripe has of one buyer.
type stripeHas struct {
	customers []string
	charges   []charge // those that took money
	intents   []intent
}

// atStripe asks Stripe by the address alone: our own ids and markers are not
// what is trusted here.
func (b *buyer) atStripe(t *testing.T) stripeHas {
	t.Helper()
	var state struct {
		Customers []struct {
			ID    string `json:"id"`
			Email string `json:"email"`
		} `json:"customers"`
		Charges        []charge `json:"charges"`
		PaymentIntents []intent `json:"payment_intents"`
	}
	b.shop.sim(t, http.MethodGet, "/_sim/state", nil, &state)
	var has stripeHas
	for _, c := range state.Customers {
		if strings.EqualFold(c.Email, b.email) {
			has.customers = append(has.customers, c.ID)
		}
	}
	for _, c := range state.Charges {
		if slices.Contains(has.customers, c.Customer) && c.Status != "failed" {
			has.charges = append(has.charges, c)
		}
	}
	for _, in := range state.PaymentIntents {
		if slices.Contains(has.customers, in.Customer) {
			has.intents = append(has.intents, in)
		}
	}
	return has
}

// mail is a delivered mail.
type mail struct {
	Subject   string            `json:"subject"`
	MessageID string            `json:"message_id"`
	Headers   map[string]string `json:"headers"`
	Text      string            `json:"text"`
	HTML      string            `json:"html"`
}

func (m mail) kind() string { return m.Headers["X-Makegood-Kind"] }

// mails are what lies in the buyer's inbox.
func (b *buyer) mails(t *testing.T) []mail {
	t.Helper()
	var list []mail
	control(t, http.MethodGet, b.shop.InboxURL()+"/api/messages?to="+url.QueryEscape(b.email), nil, &list)
	return list
}

// record is the buyer's order in the database.
type record struct {
	ID, State, RecoveredBy             string
	CreatedAt                          time.Time
	ChargedAt, CompletedAt, NextLookAt *time.Time
}

// record reads the one order of the buyer; nil when there is none.
func (b *buyer) record(t *testing.T) *record {
	t.Helper()
	rows, err := b.shop.DB().Query(t.Context(), `SELECT id::text, state, coalesce(recovered_by, ''), created_at, charged_at, completed_at, next_look_at
		FROM orders.orders WHERE email_key = lower($1) OR reference = $2`, b.email, b.reference)
	if err != nil {
		t.Fatal(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[record])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		t.Fatalf("the orders of %s: %v", b.email, err)
	}
	return &r
}

// count is a number from the database.
func (s *shop) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := s.DB().QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// awaitRest waits until the order has come to one of the states and nothing
// about it is left to do: every message is sent and every job is done.
func (b *buyer) awaitRest(t *testing.T, states ...string) *record {
	t.Helper()
	var r *record
	await(t, fmt.Sprintf("the order of %s to be %s", b.email, strings.Join(states, " or ")), func() bool {
		r = b.record(t)
		return r != nil && slices.Contains(states, r.State)
	})
	await(t, "everything about the order of "+b.email+" to be done", func() bool {
		return b.shop.count(t, `SELECT
			(SELECT count(*) FROM orders.river_job WHERE args->>'order_id' = $1 AND state <> 'completed') +
			(SELECT count(*) FROM notifications.messages WHERE order_id = $1::uuid AND state NOT IN ('SENT', 'SUPERSEDED', 'FAILED')) +
			(SELECT count(*) FROM payments.attempts WHERE order_id = $1::uuid AND next_look_at IS NOT NULL)`, r.ID) == 0
	})
	return r
}

// awaitAccess waits for an order that ends well. Which of its two names it then has
// says how long this machine took, so only the delay may be held against it.
func (b *buyer) awaitAccess(t *testing.T) *record {
	t.Helper()
	return b.awaitRest(t, fulfilled...)
}

// history tells, in one line per change, how the order came to its state.
func (b *buyer) history(t *testing.T) []string {
	t.Helper()
	rows, err := b.shop.DB().Query(t.Context(), `SELECT to_char(h.at - o.created_at, 'SS.MS"s"') || ' ' || coalesce(h.from_state || ' → ', '') || h.to_state
		|| ' (' || h.reason || ', ' || h.actor || '): ' || h.note
		FROM orders.history h JOIN orders.orders o ON o.id = h.order_id WHERE o.reference = $1 ORDER BY h.id`, b.reference)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// outcome is what a purchase must have come to.
type outcome struct {
	// recoveredBy is what must have finished the order; "" for its own request.
	recoveredBy string
	// late: the buyer has waited, so it must be RECOVERED with an apology.
	late bool
	// repeats is how many repeats of the one mail are allowed.
	repeats int
}

// judgeFulfilled waits for the order to rest and judges it: one charge, one
// grant of a year, one mail that says what is true.
func (b *buyer) judgeFulfilled(t *testing.T, want outcome) {
	t.Helper()
	r, lines := b.judgeEffects(t, want)
	if r.RecoveredBy != want.recoveredBy {
		t.Errorf("recovered by %q, want %q", r.RecoveredBy, want.recoveredBy)
	}
	how := "(request, buyer)"
	if want.recoveredBy != "" {
		how = "(" + want.recoveredBy + ", system)"
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, "→ "+r.State+" "+how) {
		t.Errorf("the history ends with %q, want %s", last, how)
	}
}

// judgeEffects is judgeFulfilled, whoever finished the order.
func (b *buyer) judgeEffects(t *testing.T, want outcome) (*record, []string) {
	t.Helper()
	r := b.awaitAccess(t)
	lines := b.history(t)
	t.Logf("%s: %s\n    %s", b.email, r.State, strings.Join(lines, "\n    "))

	stripe := b.atStripe(t)
	if len(stripe.charges) != 1 || stripe.charges[0].Status != "succeeded" || stripe.charges[0].Amount != 24900 || stripe.charges[0].AmountRefunded != 0 {
		t.Errorf("Stripe has charges %+v, want one of 24900", stripe.charges)
	}
	if len(stripe.intents) != 1 || len(stripe.customers) != 1 {
		t.Errorf("Stripe has intents %v of customers %v, want one of each", stripe.intents, stripe.customers)
	}
	b.judgeGrant(t, r)

	// The state, the apology and the mail follow from the delay.
	state := "COMPLETE"
	if r.CompletedAt.Sub(*r.ChargedAt) > b.apologyAfter() {
		state = "RECOVERED"
	}
	if r.State != state || want.late && state != "RECOVERED" {
		t.Errorf("the order is %s after %s, want %s (late: %v)", r.State, r.CompletedAt.Sub(*r.ChargedAt), state, want.late)
	}
	b.judgeMails(t, r.ID, tells(r.State), 1+want.repeats)

	for _, state := range []string{"CHARGED", r.State} {
		if n := b.shop.count(t, "SELECT count(*) FROM orders.history WHERE order_id = $1 AND to_state = $2", r.ID, state); n != 1 {
			t.Errorf("the order became %s %d times", state, n)
		}
	}
	if cases := b.shop.count(t, "SELECT count(*) FROM reconciliation.cases WHERE subject = 'order/' || $1", r.ID); cases != 0 {
		t.Errorf("%d cases were opened about an order that recovered by itself", cases)
	}
	if seen := b.looks(t); seen.Status != http.StatusOK || seen.State != r.State || seen.RecoveredBy != r.RecoveredBy || seen.NextAction.Type != "NONE" {
		t.Errorf("the buyer sees %d %s", seen.Status, seen.Body)
	}
	return r, lines
}

// tells is the kind of the mail about an order that ended in this state.
func tells(state string) string {
	if state == "RECOVERED" {
		return "recovery"
	}
	return "confirmation"
}

func (b *buyer) apologyAfter() time.Duration {
	d, err := time.ParseDuration(b.shop.Env("APOLOGY_AFTER"))
	if err != nil {
		return 10 * time.Second // the default
	}
	return d
}

// judgeGrant: one grant for the address, of twelve calendar months, not revoked.
func (b *buyer) judgeGrant(t *testing.T, r *record) {
	t.Helper()
	type grant struct {
		Order        string
		Starts, Ends time.Time
		Year, Active bool
	}
	rows, err := b.shop.DB().Query(t.Context(), `SELECT g.order_id::text, g.starts_at, g.ends_at,
		g.ends_at AT TIME ZONE 'UTC' = g.starts_at AT TIME ZONE 'UTC' + interval '12 months', g.revoked_at IS NULL
		FROM provisioning.grants g JOIN provisioning.accounts a ON a.id = g.account_id WHERE a.email_key = lower($1) OR g.order_id = $2`, b.email, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := pgx.CollectRows(rows, pgx.RowToStructByPos[grant])
	if err != nil {
		t.Fatal(err)
	}
	if len(grants) != 1 {
		t.Errorf("grants %+v, want one", grants)
		return
	}
	if g := grants[0]; g.Order != r.ID || !g.Year || !g.Active || g.Starts.Before(r.CreatedAt) || g.Starts.After(*r.CompletedAt) {
		t.Errorf("grant %+v of an order made at %s and completed at %s", g, r.CreatedAt, r.CompletedAt)
	}
	if until := b.looks(t).AccessUntil; until == nil || !until.Equal(grants[0].Ends) {
		t.Errorf("the order says access until %v, the grant %s", until, grants[0].Ends)
	}
}

// judgeMails: one mail, or at most that many copies under one Message-ID, of
// this kind and about this order.
func (b *buyer) judgeMails(t *testing.T, orderID, kind string, most int) {
	t.Helper()
	list := b.mails(t)
	if len(list) < 1 || len(list) > most {
		t.Errorf("%d mails arrived, want 1 to %d", len(list), most)
	}
	for _, m := range list {
		if m.MessageID != list[0].MessageID || m.MessageID == "" {
			t.Errorf("mails under several ids: %q and %q", list[0].MessageID, m.MessageID)
		}
		if m.kind() != kind || m.Headers["X-Makegood-Order"] != orderID || m.HTML == "" || !strings.Contains(m.Text, strings.ToUpper(b.reference[:8])) {
			t.Errorf("the mail %q is a %s about order %s, want a %s about %s:\n%s", m.Subject, m.kind(), m.Headers["X-Makegood-Order"], kind, orderID, m.Text)
		}
	}
}
