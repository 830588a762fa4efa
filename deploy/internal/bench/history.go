package bench

import (
	"context"
	"fmt"
	"strconv"

	"makegood.example/deploy/internal/stack"
)

// historyClients is where the ledger is measured empty and full.
var historyClients = []int{8, 32}

// fillLedger stores finished events, each a row as the service writes it, as
// copies of one that it wrote.
const fillLedger = `
DO $$
DECLARE columns text; chosen text;
BEGIN
    SELECT string_agg(quote_ident(column_name), ', '),
           string_agg(CASE column_name WHEN 'stripe_event_id' THEN '''evt_history_'' || n' WHEN 'object_id' THEN '''pi_history_'' || n'
                      WHEN 'received_at' THEN 'w.received_at - n * interval ''1 second''' ELSE 'w.' || quote_ident(column_name) END, ', ')
    INTO columns, chosen
    FROM information_schema.columns
    WHERE table_schema = 'payments' AND table_name = 'webhook_events' AND is_generated = 'NEVER' AND is_identity = 'NO';
    EXECUTE format('INSERT INTO payments.webhook_events (%s) SELECT %s FROM generate_series(1, %s) n,
        (SELECT * FROM payments.webhook_events WHERE status = ''IGNORED'' LIMIT 1) w', columns, chosen, current_setting('bench.stored'));
END $$`

// history measures with a small ledger, fills it, and measures again; both
// next to the database's own rate, which says what the disk did meanwhile.
func (b *bench) history(ctx context.Context, s *stack.Stack, contenders []contender) error {
	clients := historyClients
	if b.opts.Quick {
		clients = []int{2}
	}
	if _, err := s.DB().Exec(ctx, "TRUNCATE payments.webhook_events, bench.rows, bench.plain CASCADE"); err != nil {
		return err
	}
	b.say("an empty ledger")
	empty, err := b.compare(ctx, contenders, clients, b.scale.rounds, b.scale.lasts)
	if err != nil {
		return err
	}
	b.say("filling the ledger with %d events", b.scale.stored)
	conn, err := s.DB().Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT set_config('bench.stored', $1::text, false)", strconv.Itoa(b.scale.stored)); err != nil {
		return err
	}
	for _, statement := range []string{fillLedger, "TRUNCATE bench.rows", "VACUUM ANALYZE payments.webhook_events", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	full, err := b.compare(ctx, contenders, clients, b.scale.rounds, b.scale.lasts)
	if err != nil {
		return err
	}
	for _, n := range clients {
		b.report.goal(fmt.Sprintf("with %d events stored, of empty, %d clients", b.scale.stored, n), ">= 0.95",
			"%.2f (%.2f of it in the database's share)", full.at(ours, n).perSecond/empty.at(ours, n).perSecond,
			full.ratio(ours, inserts, n)/empty.ratio(ours, inserts, n))
	}
	return nil
}
