package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// recover starts Orders again and watches, from outside, what happens.
func (st *story) recover(ctx context.Context) error {
	st.show.act("Orders is started again")
	st.restarted = time.Now()
	if err := st.stack.Release("orders"); err != nil {
		return err
	}
	st.show.at(st.restarted, "", "Orders is started; nobody tells it about Jane")
	seen := map[string]bool{}
	err := until(ctx, poll, func() (bool, error) {
		news, done, err := st.news(ctx)
		for _, n := range news {
			if !seen[n.text] {
				seen[n.text] = true
				st.show.at(n.at, n.style, n.text)
			}
		}
		return done, err
	})
	if err != nil {
		return fmt.Errorf("wait for the recovery: %w", err)
	}
	return st.stack.WaitReady(ctx) // the edge finds Orders again within a second
}

// finding is something that has happened since the restart.
type finding struct {
	at          time.Time
	style, text string
}

// news is everything that has happened since the restart, in its order; done
// when the mail server has the email and Notifications knows it.
func (st *story) news(ctx context.Context) (news []finding, done bool, err error) {
	rows, err := st.stack.DB().Query(ctx, `
		SELECT at, '', to_state || ': ' || note FROM orders.history WHERE order_id = $1 AND at >= $2
		UNION ALL SELECT created_at, '32', 'Jane has access, until ' || to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') FROM provisioning.grants WHERE order_id = $1
		ORDER BY 1`, st.order.ID, st.restarted)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var f finding
		if err := rows.Scan(&f.at, &f.style, &f.text); err != nil {
			return nil, false, err
		}
		news = append(news, f)
	}
	if err := rows.Err(); err != nil {
		return nil, false, err
	}
	mails, err := st.inbox(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, m := range mails {
		news = append(news, finding{m.ReceivedAt, green, "the mail server accepts the email to " + strings.Join(m.To, ", ")})
	}
	var sent int
	err = st.stack.DB().QueryRow(ctx, `SELECT count(*) FROM notifications.messages WHERE order_id = $1 AND state = 'SENT'`, st.order.ID).Scan(&sent)
	slices.SortStableFunc(news, func(a, b finding) int { return a.at.Compare(b.at) })
	return news, sent > 0 && len(mails) > 0, err
}

// sum counts at the sources, and says whether the promise was kept.
func (st *story) sum(ctx context.Context) error {
	charges, _, err := st.stripe(ctx)
	if err != nil {
		return err
	}
	count, err := st.tally(ctx)
	if err != nil {
		return err
	}
	now, err := st.world.order(ctx)
	if err != nil {
		return err
	}
	access, err := st.grant(ctx, st.order.ID)
	if err != nil {
		return err
	}
	mails, err := st.inbox(ctx)
	if err != nil {
		return err
	}

	st.show.act("What is left of it")
	st.show.fact("charges at Stripe", fmt.Sprintf("%d, $249.00", len(charges)))
	st.show.fact("grants of access", fmt.Sprintf("%d, until %s", count.Grants, access.EndsAt.UTC().Format(time.DateOnly)))
	st.show.fact("emails", fmt.Sprintf("%d", len(mails)))
	st.show.fact("restart to access", fmt.Sprintf("%.1f s", access.CreatedAt.Sub(st.restarted).Seconds()))
	st.show.fact("payment to access", fmt.Sprintf("%.1f s, %.0f of them held back by this demo", access.CreatedAt.Sub(st.show.began).Seconds(), downFor.Seconds()))
	st.show.fact("recovered by", now.RecoveredBy)
	st.show.fact("people woken", fmt.Sprintf("%d", count.Cases))

	_, wrongCharge := st.theCharge(ctx)
	problems := []error{wrongCharge}
	expect := func(holds bool, format string, args ...any) {
		if !holds {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	expect(count.Orders == 1 && now.State == "RECOVERED", "%d orders, Jane's is %s instead of RECOVERED", count.Orders, now.State)
	expect(now.RecoveredBy != "", "the order does not say what recovered it")
	expect(count.Grants == 1 && access.CreatedAt.After(st.restarted), "%d grants, not the one after the restart", count.Grants)
	expect(access.EndsAt.After(st.restarted.AddDate(1, 0, -1)) && access.EndsAt.Before(st.restarted.AddDate(1, 0, 1)), "access until %s is not a year", access.EndsAt)
	expect(count.Messages == 1 && len(mails) == 1, "%d messages and %d emails instead of one", count.Messages, len(mails))
	for _, m := range mails {
		expect(slices.Equal(m.To, []string{customer}) && m.Headers["X-Makegood-Kind"] == "recovery" && m.Headers["X-Makegood-Order"] == st.order.ID.String(),
			"the email is not the recovery of this order: %v", m.Headers)
		expect(strings.Contains(m.Text, strings.ToUpper(st.reference[:8])), "the email does not name the reference")
	}
	expect(count.Cases == 0, "%d cases wait for a person", count.Cases)
	expect(count.Triggers == 0, "the demo's trigger is still there")
	if err := errors.Join(problems...); err != nil {
		return err
	}
	st.show.line("")
	st.show.line("  " + st.show.paint(bold, "One charge, one access, one honest email; nobody was woken."))
	st.show.line("")
	return nil
}

// explain shows the ends of the logs when the story went wrong.
func (st *story) explain() {
	for _, name := range []string{"orders", "payments", "provisioning", "notifications", "gateway"} {
		fmt.Fprintf(st.show.out, "\nthe end of the log of %s:\n%s\n", name, st.stack.LogTail(name, 12))
	}
}
