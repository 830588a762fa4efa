package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	customer = "jane@example.com"
	// downFor is longer than APOLOGY_AFTER (10 s): a delay that Jane notices.
	downFor = 12 * time.Second
	// lookEvery is the pause between Jane's looks at her page meanwhile.
	lookEvery = 4 * time.Second
	// redeliverEvery is how often Stripe is asked to send an event again: until
	// Payments has found the new Orders, it is answered with a 5xx.
	redeliverEvery = 200 * time.Millisecond
)

// story is the purchase that is told. Each part says what it finds, and fails
// when that is not what the part is about.
type story struct {
	world
	show  *screen
	order order
	// killed and restarted are the moments that the outcome is measured from.
	killed, restarted time.Time
}

func (st *story) tell(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		st.pay, st.lookAround, st.stayDown, st.recover, st.history, st.email, st.repeat, st.sum,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pay buys, and kills Orders between Stripe's yes and our record of it.
func (st *story) pay(ctx context.Context) error {
	st.show.act("Jane buys a year for $249, and our server dies at the worst moment")
	hold, err := newHold(ctx, st.stack.DB())
	if err != nil {
		return err
	}
	defer hold.close()
	pid, err := st.stack.PID("orders")
	if err != nil {
		return err
	}
	st.show.began = time.Now()
	st.show.now("", "POST /v1/orders from Jane's browser")
	type outcome struct {
		answer
		err error
	}
	browser := make(chan outcome, 1)
	go func() {
		got, err := st.buy(ctx)
		browser <- outcome{got, err}
	}()
	if err := hold.await(ctx); err != nil {
		return fmt.Errorf("wait for the moment between Stripe's yes and our record: %w", err)
	}
	reached := time.Now()
	if err := st.stack.Hold("orders"); err != nil {
		return err
	}
	st.killed = time.Now()
	if err := hold.remove(ctx); err != nil {
		return err
	}
	if st.order, err = st.world.order(ctx); err != nil {
		return err
	}
	st.show.at(st.order.CreatedAt, "", "order "+strings.ToUpper(st.reference[:8])+" is PENDING, before any money moves")
	st.show.at(reached, green, "Stripe took $249.00; Orders is about to record it")
	st.show.at(st.killed, red, fmt.Sprintf("kill -9 %d (Orders). Nothing was written.", pid))

	got := <-browser
	if got.err != nil {
		return got.err
	}
	said, err := st.unavailable(got.answer)
	if err != nil {
		return err
	}
	st.show.now("", "Jane's browser gets HTTP 503: %q", said.Message)
	return nil
}

// lookAround asks everybody what they know.
func (st *story) lookAround(ctx context.Context) error {
	st.show.act("What everybody knows now")
	c, err := st.theCharge(ctx)
	if err != nil {
		return err
	}
	st.show.fact("Stripe", fmt.Sprintf("one charge, $249.00, %s (%s)", c.Status, c.ID))

	count, err := st.tally(ctx)
	if err != nil {
		return err
	}
	if st.order.State != "PENDING" || count.Grants != 0 || count.Messages != 0 {
		return fmt.Errorf("this is not the moment that was meant: order %s, %d grants, %d messages", st.order.State, count.Grants, count.Messages)
	}
	st.show.fact("Our database", "order PENDING, no access, no email: Jane has paid and has nothing")

	got, err := st.request(ctx, http.MethodGet, st.stack.URL()+"/v1/orders/"+st.reference, nil, nil)
	if err != nil {
		return err
	}
	said, err := st.unavailable(got)
	if err != nil {
		return err
	}
	st.show.fact("GET /v1/orders/...", fmt.Sprintf("%d %s, with Jane's reference %s", got.status, said.Details[0].Reason, said.Details[0].Metadata["reference"]))

	page, err := st.page(ctx, "pay again")
	if err != nil {
		return err
	}
	st.show.line("")
	st.show.text("The page that Jane sees, /payment-issue?ref=..., served without Orders:")
	st.show.quote(page)
	return nil
}

// page reads the customer's page, which must say what is wanted, and always the
// reference and whom to ask.
func (st *story) page(ctx context.Context, wanted ...string) (string, error) {
	got, err := st.request(ctx, http.MethodGet, st.stack.URL()+"/payment-issue?ref="+st.reference, nil, nil)
	if err != nil {
		return "", err
	}
	text, err := readable(string(got.body))
	if err != nil {
		return "", err
	}
	for _, want := range append(wanted, st.reference, st.stack.Env("SUPPORT_EMAIL")) {
		if got.status != http.StatusOK || !strings.Contains(text, want) {
			return "", fmt.Errorf("the customer's page lacks %q: %d\n%s", want, got.status, text)
		}
	}
	return text, nil
}

// stayDown keeps Orders away for longer than a customer overlooks.
func (st *story) stayDown(ctx context.Context) error {
	st.show.act("Orders stays down")
	st.show.text(fmt.Sprintf("A supervisor starts it again at once. Here it is held back for %.0f s, so that Jane notices: from 10 s on, an apology is due.", downFor.Seconds()))
	for look := lookEvery; look < downFor; look += lookEvery {
		if err := sleepUntil(ctx, st.killed.Add(look)); err != nil {
			return err
		}
		if _, err := st.page(ctx, "pay again"); err != nil {
			return err
		}
		st.show.now("", "Jane looks at her page again: it says the same")
	}
	return sleepUntil(ctx, st.killed.Add(downFor))
}

func sleepUntil(ctx context.Context, when time.Time) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Until(when)):
		return nil
	}
}

// history shows the order as support sees it.
func (st *story) history(ctx context.Context) error {
	d, err := st.describe(ctx, st.order.ID)
	if err != nil {
		return err
	}
	if d.Order.State != "RECOVERED" || d.Order.RecoveredBy == "" {
		return fmt.Errorf("support sees the order as %s, recovered by %q", d.Order.State, d.Order.RecoveredBy)
	}
	st.show.act("The order's history, as support reads it")
	for _, h := range d.History {
		st.show.at(h.At, "", fmt.Sprintf("%-9s  by %s (%s): %s", h.ToState, h.Reason, h.Actor, h.Note))
	}
	page, err := st.page(ctx, "$249.00", d.Order.AccessUntil.UTC().Format("2 January 2006"))
	if err != nil {
		return err
	}
	st.show.line("")
	st.show.text("And Jane's page, which asks again by itself:")
	st.show.quote(page)
	return nil
}

// email shows the one that Jane reads.
func (st *story) email(ctx context.Context) error {
	mails, err := st.inbox(ctx)
	if err != nil {
		return err
	}
	if len(mails) == 0 {
		return errors.New("no email arrived")
	}
	m := mails[0]
	st.show.act("The email that Jane reads")
	st.show.fact("To", strings.Join(m.To, ", "))
	st.show.fact("Subject", m.Subject)
	st.show.line("")
	st.show.quote(m.Text)
	return nil
}

// repeat does what must change nothing: a frightened customer, a late webhook.
func (st *story) repeat(ctx context.Context) error {
	st.show.act("Jane's browser repeats its request, and Stripe its webhook")
	got, err := st.buy(ctx)
	if err != nil {
		return err
	}
	if got.status != http.StatusOK || !strings.Contains(string(got.body), st.order.ID.String()) {
		return fmt.Errorf("the repeated request was answered with %d: %s", got.status, got.body)
	}
	st.show.now("", "POST /v1/orders again, same key: 200, the same order")
	err = until(ctx, redeliverEvery, func() (bool, error) { return st.redeliver(ctx) })
	if err != nil {
		return fmt.Errorf("wait for the webhook to be acknowledged: %w", err)
	}
	st.show.now("", "payment_intent.succeeded again: 200, nothing left to do")
	return nil
}
