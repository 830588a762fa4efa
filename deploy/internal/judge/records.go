package judge

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What the tables hold; only what is judged.
type (
	order struct {
		ID, State        string
		Charge           string
		Amount, Refunded int64
		Currency         string
		Kind             string
		Email, Plan      string
		AllowRepeat      bool
		ChargedAt        *time.Time
		WithdrawnAt      *time.Time // its access
		Account          string     // that it names; "" for the one of its address
		Renews           string     // the order that began its subscription
		Subscription     string
	}
	payment struct {
		Order, Intent, Charge, Status string
		Received, Refunded            int64
		Currency                      string
	}
	grant struct {
		Order   string
		Account string
		Revoked bool
		Ended   bool // with its subscription
		// Email is the account's, as addresses are compared.
		Email        string
		Months       int
		Length       string // MONTHS, PERIOD or TIME
		Starts, Ends time.Time
	}
	ledger  struct{ Event, Type, Status, Error string }
	message struct {
		Order, Key, Kind, State, MessageID string
		Attempts                           int
		CreatedAt                          time.Time
		SentAt                             *time.Time
	}
	openCase struct {
		ID, Kind, Subject, Summary string
		OpenedAt                   time.Time
	}
	disposition struct {
		Charge, Kind, Order string
		Amount, Refunded    int64
	}
)

type records struct {
	orders       []order
	payments     []payment
	grants       []grant
	events       map[string]ledger
	messages     map[string]message // by Message-ID
	cases        []openCase
	dispositions []disposition

	byCharge    map[string]payment
	ordersByID  map[string]order
	activeGrant map[string][]grant // by order
	endedGrant  map[string]bool
}

func readRecords(ctx context.Context, db *pgxpool.Pool) (*records, error) {
	r := &records{}
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("what is recorded: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	var events []ledger
	var messages []message
	for _, read := range []func() error{
		into(ctx, tx, &r.orders, `SELECT id::text, state, coalesce(charge_id, ''), amount_minor, refunded_minor, currency,
			kind, email_key, plan_id, allow_repeat, charged_at, access_withdrawn_at, account_id,
			coalesce(renews_order_id::text, ''), coalesce(subscription_id, '') FROM orders.orders ORDER BY created_at, id`),
		into(ctx, tx, &r.payments, `SELECT order_id::text, coalesce(payment_intent_id, ''), coalesce(charge_id, ''), status,
			coalesce(received_minor, 0), refunded_minor, coalesce(received_currency, currency) FROM payments.payments ORDER BY created_at, id`),
		into(ctx, tx, &r.grants, `SELECT g.order_id::text, g.account_id::text, g.revoked_at IS NOT NULL, g.ended_at IS NOT NULL, a.email_key, g.term_months, g.length, g.starts_at, g.ends_at
			FROM provisioning.grants g JOIN provisioning.accounts a ON a.id = g.account_id ORDER BY g.created_at`),
		into(ctx, tx, &events, `SELECT stripe_event_id, type, status, coalesce(last_error, '') FROM payments.webhook_events`),
		into(ctx, tx, &messages, `SELECT coalesce(order_id::text, ''), dedupe_key, kind, state, message_id, attempt_count, created_at, sent_at FROM notifications.messages ORDER BY created_at, id`),
		into(ctx, tx, &r.cases, `SELECT id::text, kind, subject, summary, opened_at FROM reconciliation.cases WHERE state = 'OPEN' ORDER BY id`),
		into(ctx, tx, &r.dispositions, `SELECT charge_id, disposition, coalesce(order_id::text, ''), amount_minor, refunded_minor FROM reconciliation.charge_dispositions`),
	} {
		if err := read(); err != nil {
			return nil, fmt.Errorf("what is recorded: %w", err)
		}
	}
	r.events = index(events, func(e ledger) string { return e.Event })
	r.messages = index(messages, func(m message) string { return m.MessageID })
	r.ordersByID = index(r.orders, func(o order) string { return o.ID })
	r.byCharge = index(r.payments, func(p payment) string { return p.Charge })
	r.activeGrant, r.endedGrant = map[string][]grant{}, map[string]bool{}
	for _, g := range r.grants {
		r.endedGrant[g.Order] = r.endedGrant[g.Order] || g.Ended
		if !g.Revoked {
			r.activeGrant[g.Order] = append(r.activeGrant[g.Order], g)
		}
	}
	return r, nil
}

func into[T any](ctx context.Context, tx pgx.Tx, list *[]T, sql string) func() error {
	return func() error {
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return err
		}
		*list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		return err
	}
}

// mail is what the mail server accepted.
type mail struct {
	ReceivedAt time.Time `json:"received_at"`
	To         []string
	Subject    string
	MessageID  string `json:"message_id"`
	Headers    map[string]string
}

func (m mail) kind() string  { return m.Headers["X-Makegood-Kind"] }
func (m mail) order() string { return m.Headers["X-Makegood-Order"] }

func readMails(ctx context.Context, url string) ([]mail, error) {
	var mails []mail
	if err := fetch(ctx, url+"/api/messages", &mails); err != nil {
		return nil, fmt.Errorf("what the mail server accepted: %w", err)
	}
	return mails, nil
}
