package judge_test

import (
	"fmt"
	"net/smtp"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"makegood.example/deploy/internal/judge"
	"makegood.example/deploy/internal/oneprocess"
)

// TestEveryRuleIsPlanted: a rule that no test here violates might find nothing.
func TestEveryRuleIsPlanted(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("judge.go")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("plant_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t(\w+) Rule = "`).FindAllSubmatch(rules, -1)
	if len(found) < 15 {
		t.Fatalf("only %d rules are found", len(found))
	}
	for _, rule := range found {
		if !regexp.MustCompile(`judge\.` + string(rule[1]) + `\b`).Match(tests) {
			t.Errorf("%s is planted nowhere", rule[1])
		}
	}
}

func TestMoneyWithoutAccessAndAccessWithoutMoney(t *testing.T) {
	t.Parallel()
	p := plant(t)
	_, order, charge := p.buys()
	p.sql("UPDATE provisioning.grants SET withdrawn_at = now(), revoked_at = now() WHERE order_id = $1", order)
	p.finds("a grant that was taken", is(judge.Unserved, charge))

	charge = pay(p.World, map[string]string{"makegood_app": "makegood", "order_id": uuid.NewString()}, "")
	p.finds("a charge that nobody knows", is(judge.Unserved, charge))

	_, order, _ = p.buys()
	free := uuid.NewString()
	p.sql(`INSERT INTO provisioning.grants (order_id, account_id, plan_id, term_months, starts_at, ends_at, account_created, created_at)
		SELECT $1, account_id, plan_id, term_months, ends_at, ends_at + interval '1 year', false, created_at FROM provisioning.grants WHERE order_id = $2 LIMIT 1`, free, order)
	p.finds("a grant for nothing", is(judge.FreeAccess, free))

	_, _, charge = p.buys()
	p.Stripe.Post("/v1/refunds", url.Values{"charge": {charge}}, nil)
	p.finds("a refund that nobody heard of", is(judge.KeptAccess, charge), is(judge.AmountDiffers, charge))

	_, order, charge = p.buys()
	var dispute struct{ ID string }
	p.Stripe.Control("/_sim/charges/"+charge+"/dispute", map[string]string{"reason": "fraudulent"}, &dispute)
	p.finds("a dispute that is open, and nobody is told", is(judge.MissingCase, "order/"+order))
	p.Stripe.Control("/_sim/disputes/"+dispute.ID+"/close", map[string]string{"outcome": "lost"}, nil)
	p.finds("a dispute that was lost, and nobody heard of it", is(judge.KeptAccess, charge))

	_, order, _ = p.buys()
	pay(p.World, map[string]string{"makegood_app": "makegood", "order_id": order}, "")
	p.finds("a second charge", is(judge.ChargedTwice, order))

	_, order, _ = p.buys()
	p.sql("UPDATE orders.orders SET charge_id = 'ch_invented' WHERE id = $1", order)
	p.finds("a charge that Stripe does not have", is(judge.PaidUnpaid, order))

	_, order, charge = p.buys()
	p.sql("ALTER TABLE provisioning.grants DROP CONSTRAINT grants_pkey CASCADE")
	p.sql("INSERT INTO provisioning.grants SELECT * FROM provisioning.grants WHERE order_id = $1", order)
	p.finds("a second grant", is(judge.ServedTwice, charge))
}

func TestWhatCanStillBePaid(t *testing.T) {
	t.Parallel()
	p := plant(t)
	says := func(order, state string) {
		p.sql("UPDATE orders.orders SET state = $2, next_look_at = NULL, payment_method = NULL WHERE id = $1", order, state)
	}
	ordered := func(name, plan string, more map[string]any) (*oneprocess.Buyer, oneprocess.Order) {
		b := p.Buyer(name)
		_, o, _ := b.Place(plan, more)
		return b, o
	}
	_, page := ordered("page", "annual", map[string]any{"checkout": "HOSTED"})
	_, browser := ordered("browser", "annual", nil)
	_, asked := ordered("asked", "annual", map[string]any{"payment_method": "pm_card_authenticationRequired"})
	first, term := ordered("first", "annual-subscription", nil)
	p.finds("orders that wait for their buyers")

	says(page.ID, "EXPIRED")
	p.finds("a page that is open, of an order that was given up", is(judge.StillPayable, page.ID))
	says(browser.ID, "FAILED")
	p.finds("an intent that waits for another card")
	says(browser.ID, "EXPIRED")
	p.finds("an intent that waits for a card, of an order that was given up", is(judge.StillPayable, browser.ID))
	says(asked.ID, "FAILED")
	p.finds("a question of the bank's that is open, of an order that failed", is(judge.StillPayable, asked.ID))

	_, order, _ := p.buys()
	p.Stripe.Post("/v1/payment_intents", url.Values{"amount": {"24900"}, "currency": {"usd"}, "payment_method_types[]": {"card"},
		"metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {order}}, nil)
	p.finds("one more intent of an order that is paid", is(judge.StillPayable, order))

	// The intent of a first term names nobody, and its page may be over.
	var customer, product, price struct{ ID string }
	p.Stripe.Post("/v1/customers", url.Values{"email": {first.Email}}, &customer)
	p.Stripe.Post("/v1/products", url.Values{"name": {"a plan"}}, &product)
	p.Stripe.Post("/v1/prices", url.Values{"product": {product.ID}, "currency": {"usd"}, "unit_amount": {"24900"}, "recurring[interval]": {"year"}}, &price)
	p.Stripe.Post("/v1/subscriptions", url.Values{"customer": {customer.ID}, "items[0][price]": {price.ID}, "payment_behavior": {"default_incomplete"},
		"metadata[makegood_app]": {"makegood"}, "metadata[order_id]": {term.ID}}, nil)
	p.finds("a first term that waits for its buyer")
	over, err := url.Parse(term.NextAction.URL)
	if err != nil {
		t.Fatal(err)
	}
	p.Stripe.Post("/v1/checkout/sessions/"+path.Base(over.Path)+"/expire", nil, nil)
	says(term.ID, "EXPIRED")
	p.finds("a first term that can be paid, of an order that was given up", is(judge.StillPayable, term.ID))

	p.Stripe.Post("/v1/payment_intents", url.Values{"amount": {"24900"}, "currency": {"usd"}, "payment_method_types[]": {"card"},
		"metadata[order_id]": {order}}, nil)
	p.finds("an intent of another product")
}

func TestAccessThatIsNotWhatWasPaid(t *testing.T) {
	t.Parallel()
	p := plant(t)
	_, theirs, _ := p.buys()
	_, order, _ := p.buys()
	p.sql("UPDATE provisioning.grants SET account_id = (SELECT account_id FROM provisioning.grants WHERE order_id = $2), starts_at = starts_at + interval '2 years', ends_at = ends_at + interval '2 years' WHERE order_id = $1", order, theirs)
	p.finds("access that a stranger has", is(judge.Misdirected, order))

	_, order, _ = p.buys()
	named := uuid.NewString()
	p.sql("UPDATE orders.orders SET account_id = $2 WHERE id = $1", order, named)
	p.finds("access that another account has than was named", is(judge.Misdirected, order))

	_, order, _ = p.buys()
	p.sql("UPDATE provisioning.grants SET ends_at = starts_at + interval '11 months' WHERE order_id = $1", order)
	p.finds("a year of eleven months", is(judge.Shortened, order))

	jane, first, _ := p.buys()
	jane.Reference = uuid.NewString()
	_, second, _ := jane.Place("annual", map[string]any{"payment_method": "pm_card_visa", "allow_repeat": true})
	p.Settle()
	p.finds("a second year, after the first")
	p.sql("UPDATE provisioning.grants SET starts_at = g.starts_at, ends_at = g.ends_at FROM provisioning.grants g WHERE g.order_id = $2 AND grants.order_id = $1", second.ID, first)
	if !slices.ContainsFunc(judged(t, p.World), func(f judge.Finding) bool {
		return f.Rule == judge.Shortened && (f.Subject == first || f.Subject == second.ID)
	}) {
		t.Error("two years at the same time are not found")
	}

	_, began, _ := p.buys()
	_, order, _ = p.buys()
	p.known = judged(t, p.World)
	p.sql("UPDATE orders.orders SET kind = 'RENEWAL', renews_order_id = $2, subscription_id = 'sub_1', period_start = now(), period_end = now() + interval '1 year' WHERE id = $1", order, began)
	p.finds("a later term that is not the subscriber's", is(judge.Misdirected, order))
}

func TestOneCentIsSeen(t *testing.T) {
	t.Parallel()
	p := plant(t)
	_, order, charge := p.buys()
	if slices.ContainsFunc(p.known, func(f judge.Finding) bool { return f.Rule == judge.SumsDiffer }) {
		t.Fatal("the sums differ from the start")
	}
	p.sql("UPDATE orders.orders SET amount_minor = amount_minor - 1 WHERE id = $1", order)
	p.finds("a cent less in the order", is(judge.AmountDiffers, charge))
	i := slices.IndexFunc(p.known, func(f judge.Finding) bool { return f.Rule == judge.SumsDiffer })
	if i < 0 || p.known[i].Subject != "USD" || !strings.Contains(p.known[i].Evidence, "49799") {
		t.Errorf("the sums: %v", p.known)
	}
	_, _, charge = p.buys()
	p.sql("UPDATE payments.payments SET received_minor = received_minor + 1 WHERE charge_id = $1", charge)
	p.finds("a cent more in the payment", is(judge.AmountDiffers, charge))
	_, order, charge = p.buys()
	p.reconciled(charge, "MATCHED", order, 24901)
	p.finds("a cent more in what was reconciled", is(judge.AmountDiffers, charge))
}

// reconciled is what reconciliation would keep of a charge.
func (p *planted) reconciled(charge, disposition, order string, amount int64) {
	p.t.Helper()
	p.sql(`INSERT INTO reconciliation.charge_dispositions (charge_id, disposition, order_id, reason, evidence, owner, status, captured, payment_intent_id,
		balance_transaction_id, amount_minor, refunded_minor, disputed_minor, currency, created_at, recovered_by, case_kind, case_summary, first_seen_at, seen_at, decided_at)
		VALUES ($1, $2, $3, '', '{}', 'OURS', 'SUCCEEDED', true, '', '', $4, 0, 0, 'USD', now(), '', '', '', now(), now(), now())`, charge, disposition, order, amount)
}

// mail sends one to an inbox as the product would.
func (p *planted) mail(to, messageID, kind, order string) {
	p.t.Helper()
	addr, _ := p.Setting("SMTP_URL")
	body := fmt.Sprintf("From: a@example.com\r\nTo: %s\r\nSubject: x\r\nMessage-ID: <%s>\r\nX-Makegood-Kind: %s\r\nX-Makegood-Order: %s\r\n\r\nx\r\n", to, messageID, kind, order)
	if err := smtp.SendMail(strings.TrimPrefix(addr, "smtp://"), nil, "a@example.com", []string{to}, []byte(body)); err != nil {
		p.t.Fatal(err)
	}
}

func TestMailsThatAreMissingRepeatedOrUntrue(t *testing.T) {
	t.Parallel()
	p := plant(t)
	p.StopMail()
	_, order, _ := p.buys()
	p.StartMail()
	p.finds("a mail that did not arrive", is(judge.NotTold, order))
	lines, err := judge.Unfinished(t.Context(), sources(p.World))
	if err != nil || !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "order/"+order+"/confirmation") }) {
		t.Errorf("what is unfinished: %v %v", lines, err)
	}
	if found := judge.StrandedBy(lines, time.Second); len(found) == 0 || found[0].Rule != judge.Stranded {
		t.Errorf("stranded: %v", found)
	}

	p.Settle()
	p.sql("UPDATE orders.river_job SET state = 'discarded', finalized_at = now() WHERE id = (SELECT max(id) FROM orders.river_job)")
	if lines, err = judge.Unfinished(t.Context(), sources(p.World)); err != nil || !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "orders job") && strings.Contains(l, "is discarded") }) {
		t.Errorf("a job that was given up: %v %v", lines, err)
	}
	p.sql("UPDATE orders.river_job SET state = 'completed' WHERE state = 'discarded'")

	b, order, _ := p.buys()
	p.mail(b.Email, "another@example.com", "recovery", order)
	p.finds("a second mail of the same", is(judge.ToldTwice, order))

	b, order, _ = p.buys()
	id := p.Mails(b.Email)[0].MessageID
	p.mail(b.Email, id, "confirmation", order)
	p.finds("a repeat that was never tried", is(judge.ToldTwice, "mail "+id))

	_, order, _ = p.buys()
	p.mail("stranger@example.com", "astray@example.com", "refund", order)
	p.finds("a mail about an order that a stranger got", is(judge.Misdirected, "mail astray@example.com"))

	b = p.Buyer("pat")
	order = b.Orders("annual", "HOSTED").ID
	p.mail(b.Email, "too-early@example.com", "confirmation", order)
	p.finds("a mail about what is not paid", is(judge.ToldUntrue, order))

	nobody := uuid.NewString()
	p.mail("sam@example.com", "invented@example.com", "confirmation", nobody)
	p.finds("a mail about nothing", is(judge.ToldUntrue, nobody))
}

func TestAnEventThatWasAcknowledgedAndLost(t *testing.T) {
	t.Parallel()
	p := plant(t)
	p.endpoint()
	foreign := pay(p.World, nil, "")
	events := p.delivered(foreign)
	var lost []judge.Finding
	for _, e := range events {
		lost = append(lost, is(judge.EventLost, e))
	}
	p.finds("events that are in no ledger", lost...)

	p.Stripe.Control("/_sim/webhooks", map[string]any{"paused": true}, nil)
	ours := pay(p.World, map[string]string{"makegood_app": "makegood", "order_id": uuid.NewString()}, "")
	for n, e := range p.pending() {
		status, rest := "PROCESSED", "NULL, now()"
		if n == 0 {
			status, rest = "RECEIVED", "now(), NULL"
		}
		p.sql(`INSERT INTO payments.webhook_events (stripe_event_id, type, livemode, api_version, object_id, status, payload, received_at, next_look_at, processed_at)
			VALUES ($1, 'x', false, '', '', $2, '', now(), `+rest+`)`, e, status)
	}
	p.Stripe.Control("/_sim/webhooks", map[string]any{"paused": false}, nil)
	lost = []judge.Finding{is(judge.Unserved, ours)}
	events = p.delivered(ours)
	received := number(t, p.World, "SELECT count(*) FROM payments.webhook_events WHERE status = 'RECEIVED'")
	p.known = append(p.known, lost...)
	now := judged(t, p.World)
	var processed, open int
	for _, f := range now {
		if f.Rule == judge.EventLost && slices.Contains(events, f.Subject) {
			if strings.Contains(f.Evidence, "no payment has the charge") {
				processed++
			} else if strings.Contains(f.Evidence, "is RECEIVED") {
				open++
			}
		}
	}
	if processed == 0 || open != received || open != 1 {
		t.Errorf("%d events without effect and %d that are not settled: %v", processed, open, now)
	}
}

// delivered waits until Stripe heard yes about everything of a charge.
func (p *planted) delivered(charge string) (events []string) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if waiting := p.pending(); len(waiting) == 0 {
			break
		} else if time.Now().After(deadline) {
			p.t.Fatalf("%d webhooks about %s are still under way", len(waiting), charge)
		}
	}
	var state struct {
		Deliveries []struct {
			EventID string `json:"event_id"`
		} `json:"webhook_deliveries"`
	}
	p.Stripe.Control("/_sim/state", nil, &state)
	for _, d := range state.Deliveries {
		if !slices.Contains(events, d.EventID) {
			events = append(events, d.EventID)
		}
	}
	return events
}

// pending are the events that Stripe still has to deliver.
func (p *planted) pending() (events []string) {
	p.t.Helper()
	var hooks struct {
		Deliveries []struct {
			EventID string `json:"event_id"`
			State   string
		}
	}
	p.Stripe.Control("/_sim/webhooks", nil, &hooks)
	for _, d := range hooks.Deliveries {
		if d.State == "pending" {
			events = append(events, d.EventID)
		}
	}
	return events
}

func TestForeignMoneyThatIsTouched(t *testing.T) {
	t.Parallel()
	p := plant(t)
	given := pay(p.World, nil, "")
	p.finds("another product's charge")
	p.Stripe.Post("/v1/refunds", url.Values{"charge": {given}}, nil)
	p.finds("it was given back", is(judge.ForeignTouched, given))

	_, order, _ := p.buys()
	matched := pay(p.World, nil, "")
	p.reconciled(matched, "MATCHED", order, 24900)
	p.finds("it was counted as ours", is(judge.ForeignTouched, matched))

	var customer struct{ ID string }
	p.Stripe.Post("/v1/customers", url.Values{"email": {"stranger@example.com"}}, &customer)
	written := pay(p.World, nil, customer.ID)
	p.mail("stranger@example.com", "to-a-stranger@example.com", "refund", "")
	p.finds("its payer got a mail", is(judge.ForeignTouched, written))

	_, order, charge := p.buys()
	taken := pay(p.World, nil, "")
	p.sql("UPDATE orders.orders SET charge_id = $2 WHERE id = $1", order, taken)
	p.sql("UPDATE payments.payments SET charge_id = $2 WHERE order_id = $1", order, taken)
	p.finds("it pays an order of ours", is(judge.ForeignTouched, taken), is(judge.FreeAccess, order))
	_ = charge
}

// opens puts a case into the queue, and answers with what a finding calls it.
func (p *planted) opens(kind, subject, summary string) string {
	p.t.Helper()
	return "case " + strconv.Itoa(number(p.t, p.World, `INSERT INTO reconciliation.cases (kind, subject, state, summary, opened_at, reported_count, last_reported_at)
		VALUES ($1, $2, 'OPEN', $3, now(), 1, now()) RETURNING id`, kind, subject, summary))
}

// lacks fails unless it is found now, or no more, that nobody is told of an order.
func (p *planted) lacks(what, order string, want bool) {
	p.t.Helper()
	missing := is(judge.MissingCase, "order/"+order)
	if got := slices.ContainsFunc(p.known, func(f judge.Finding) bool { return f.Rule == missing.Rule && f.Subject == missing.Subject }); got != want {
		p.t.Errorf("%s: a case is missing: %v", what, got)
	}
}

func TestACaseThatNobodyNeeds(t *testing.T) {
	t.Parallel()
	p := plant(t)
	_, order, charge := p.buys()
	needless := p.opens("STUCK_ORDER", "order/"+order, "it is not")
	p.finds("a case", is(judge.NeedlessCase, needless))
	p.sql("UPDATE reconciliation.cases SET state = 'RESOLVED', resolved_at = now()")
	p.finds("it was resolved")

	// What somebody else's money needs excuses no case about this.
	_, disputed, other := p.buys()
	p.Stripe.Control("/_sim/charges/"+other+"/dispute", map[string]string{"reason": "fraudulent"}, nil)
	p.finds("a dispute that nobody is told of", is(judge.MissingCase, "order/"+disputed))
	for _, kind := range []string{"DISPUTE", "DUPLICATE_CHARGE", "FAILED_REFUND", "SUBSCRIPTION"} {
		p.finds("a case about another", is(judge.NeedlessCase, p.opens(kind, "order/"+order, "charge "+charge+" has it")))
	}
	p.lacks("a case about another", disputed, true)
	p.opens("DISPUTE", "order/"+disputed, "charge "+other+" is disputed")
	p.finds("the case about the dispute")
	p.lacks("its own case", disputed, false)
	p.finds("one more about the same", is(judge.NeedlessCase, p.opens("DISPUTE", "charge/"+other, "charge "+other+" is disputed")))
	p.finds("a difference that is none", is(judge.NeedlessCase, p.opens("DISCREPANCY", "integrity", "they differ in 1: "+charge)))
}

// What only a person can see to, each kind with the case that it needs.
func TestACaseThatIsMissing(t *testing.T) {
	p := plant(t)
	_, order, charge := p.buys()
	var back struct{ ID string }
	p.Stripe.Post("/v1/refunds", url.Values{"charge": {charge}, "amount": {"500"}}, &back)
	p.Stripe.Control("/_sim/refunds/"+back.ID+"/fail", map[string]string{"reason": "declined"}, nil)
	p.finds("a refund that failed", is(judge.MissingCase, "order/"+order))
	p.opens("FAILED_REFUND", "order/"+order, "refund "+back.ID+" of charge "+charge+" failed at the bank")
	p.finds("its case")
	p.lacks("its case", order, false)

	jane, first, _ := p.buys()
	jane.Reference = uuid.NewString()
	_, second, _ := jane.Place("annual", map[string]any{"payment_method": "pm_card_visa", "allow_repeat": true})
	p.Settle()
	p.finds("the same again, as it was meant")
	p.sql("UPDATE orders.orders SET allow_repeat = false WHERE id = $1", second.ID)
	p.finds("the same again, as nobody meant it", is(judge.MissingCase, "order/"+second.ID))
	p.lacks("of two, the first", first, false)
	p.opens("DUPLICATE_CHARGE", "order/"+second.ID, "the same person paid twice for the same")
	p.finds("its case")
	p.lacks("its case", second.ID, false)
}

// A mail that was given up is no secret, and not given up at the first failure.
func TestAMailThatWasGivenUp(t *testing.T) {
	t.Parallel()
	p := plant(t)
	p.StopMail()
	_, order, _ := p.buys()
	p.StartMail()
	p.finds("a mail that is tried", is(judge.NotTold, order))
	p.sql(`UPDATE notifications.messages SET state = 'FAILED', last_error = 'given up', created_at = now() - interval '71 hours' WHERE order_id = $1`, order)
	key := "message/order/" + order + "/confirmation"
	p.finds("nobody knows of it", is(judge.MissingCase, key))
	early := p.opens("UNDELIVERED_MESSAGE", key, "it could not be delivered")
	p.finds("it was tried for less than three days", is(judge.NeedlessCase, early))
	p.sql(`UPDATE notifications.messages SET created_at = now() - interval '73 hours' WHERE order_id = $1`, order)
	p.opens("UNDELIVERED_MESSAGE", "mail-server", "no mail can be sent")
	for _, f := range judged(t, p.World) {
		if f.Subject == key || strings.HasPrefix(f.Subject, "case ") || f.Subject == order {
			t.Errorf("a person knows of it, and it is found: %s", f)
		}
	}
}
