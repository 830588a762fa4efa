package payment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"makegood.example/services/payments/internal/payment"
)

var (
	began   = time.Date(2026, 3, 1, 12, 0, 0, 400_000_000, time.UTC)
	decided = began.Add(3 * time.Second)
)

func attempt(n byte, status payment.AttemptStatus, method string) payment.Attempt {
	due := began.Add(30 * time.Second)
	a := payment.Attempt{ID: uuid.UUID{15: n}, PaymentMethod: method, Status: status, CreatedAt: began, NextLookAt: &due}
	if status.Decided() {
		a.Decide(status, began)
	}
	return a
}

func intent(status string) payment.Intent {
	in := payment.Intent{ID: "pi_1", Status: status, CustomerID: "cus_1", AmountMinor: 24900, Currency: "USD", ClientSecret: "pi_1_secret"}
	if status == payment.StripeSucceeded {
		in.ReceivedMinor, in.Charge = 24900, payment.Charge{ID: "ch_ok", CreatedAt: began.Truncate(time.Second)}
	}
	return in
}

func refused(charge string) payment.Intent {
	in := intent("requires_payment_method")
	in.Error = payment.Decline{Code: "generic_decline", Message: "Your card was declined.", ChargeID: charge}
	return in
}

// What each word of Stripe's means for a payment and for the attempt that is
// under way.
func TestWhatIsLearned(t *testing.T) {
	const card = "pm_card"
	for _, c := range []struct {
		name    string
		last    payment.AttemptStatus // "" is no attempt
		method  string
		in      payment.Intent
		direct  bool
		attempt payment.AttemptStatus
		status  payment.Status
		says    payment.Status
	}{
		{"success of an open attempt", payment.Open, card, intent("succeeded"), true, payment.AttemptSucceeded, payment.Succeeded, payment.Succeeded},
		{"success found by a look", payment.Open, card, intent("succeeded"), false, payment.AttemptSucceeded, payment.Succeeded, payment.Succeeded},
		{"success after authentication", payment.AwaitsBuyer, card, intent("succeeded"), false, payment.AttemptSucceeded, payment.Succeeded, payment.Succeeded},
		{"success at last from the bank", payment.AwaitsBank, card, intent("succeeded"), false, payment.AttemptSucceeded, payment.Succeeded, payment.Succeeded},
		{"success in the browser", payment.AwaitsBuyer, "", intent("succeeded"), false, payment.AttemptSucceeded, payment.Succeeded, payment.Succeeded},
		{"success after a refusal", payment.Declined, "", intent("succeeded"), false, payment.Declined, payment.Succeeded, payment.Succeeded},
		{"success after giving up", payment.AttemptCanceled, "", intent("succeeded"), false, payment.AttemptCanceled, payment.Succeeded, payment.Succeeded},
		{"success without any attempt of ours", "", "", intent("succeeded"), false, "", payment.Succeeded, payment.Succeeded},

		{"canceled while open", payment.Open, card, intent("canceled"), false, payment.AttemptCanceled, payment.Canceled, payment.Canceled},
		{"canceled while the buyer authenticates", payment.AwaitsBuyer, card, intent("canceled"), false, payment.AttemptCanceled, payment.Canceled, payment.Canceled},
		{"canceled after a refusal", payment.Declined, "", intent("canceled"), false, payment.Declined, payment.Canceled, payment.Canceled},

		{"the bank has it", payment.Open, card, intent("processing"), true, payment.AwaitsBank, payment.Processing, payment.Processing},
		{"the bank has it after authentication", payment.AwaitsBuyer, card, intent("processing"), false, payment.AwaitsBank, payment.Processing, payment.Processing},
		{"authentication is asked", payment.Open, card, intent("requires_action"), true, payment.AwaitsBuyer, payment.RequiresAction, payment.RequiresAction},
		{"authentication is asked in the browser", payment.Open, "", intent("requires_action"), false, payment.AwaitsBuyer, payment.RequiresAction, payment.RequiresAction},

		{"nothing was confirmed yet", payment.Open, card, intent("requires_payment_method"), false, payment.Open, payment.RequiresPaymentMethod, payment.Unknown},
		{"a card is attached and not confirmed", payment.Open, card, intent("requires_confirmation"), false, payment.Open, payment.RequiresPaymentMethod, payment.Unknown},
		{"the confirm's own refusal", payment.Open, card, refused("ch_1"), true, payment.Declined, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
		{"the confirm's own refusal, without a charge", payment.Open, card, refused(""), true, payment.Declined, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
		{"a refusal found by a look, with its charge", payment.Open, card, refused("ch_1"), false, payment.Declined, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
		{"a refusal found by a look, whose attempt nothing tells", payment.Open, card, refused(""), false, payment.Open, payment.RequiresPaymentMethod, payment.Unknown},
		{"authentication failed", payment.AwaitsBuyer, card, refused(""), false, payment.Declined, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
		{"the bank refused", payment.AwaitsBank, card, refused("ch_1"), false, payment.Declined, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
		{"the bank refused what the browser confirmed", payment.AwaitsBank, "", refused("ch_1"), false, payment.Declined, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
		{"the bank has it no more, and nothing says why", payment.AwaitsBank, "", intent("requires_payment_method"), false, payment.AwaitsBuyer, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
		{"the browser waits for a card", payment.Open, "", intent("requires_payment_method"), false, payment.AwaitsBuyer, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
		{"a refusal in the browser leaves it to the buyer", payment.AwaitsBuyer, "", refused("ch_1"), false, payment.AwaitsBuyer, payment.RequiresPaymentMethod, payment.RequiresPaymentMethod},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := payment.Payment{Status: payment.RequiresPaymentMethod, IntentID: "pi_1"}
			var attempts []payment.Attempt
			if c.last != "" {
				attempts = append(attempts, attempt(1, c.last, c.method))
			}
			p.Learn(c.in, attempts, c.direct, decided)
			var last *payment.Attempt
			if c.last != "" {
				last = &attempts[0]
				if last.Status != c.attempt {
					t.Errorf("the attempt is %s, want %s", last.Status, c.attempt)
				}
				if rests := last.DecidedAt != nil && last.NextLookAt == nil && last.PaymentMethod == ""; rests != last.Status.Decided() {
					t.Errorf("%s, decided %v, next look %v, payment method %q", last.Status, last.DecidedAt, last.NextLookAt, last.PaymentMethod)
				}
			}
			if p.Status != c.status || p.Says(last) != c.says {
				t.Errorf("the payment is %s and says %s, want %s and %s", p.Status, p.Says(last), c.status, c.says)
			}
			if paid := p.ChargeID == "ch_ok" && p.ReceivedMinor == 24900 && p.ReceivedCurrency == "USD" && p.ChargedAt != nil; paid != (c.status == payment.Succeeded) {
				t.Errorf("%s with charge %q of %d %s at %v", p.Status, p.ChargeID, p.ReceivedMinor, p.ReceivedCurrency, p.ChargedAt)
			}
		})
	}
}

func TestASuccessIsNeverUndone(t *testing.T) {
	for _, in := range []payment.Intent{
		intent("canceled"), intent("processing"), intent("requires_action"), intent("requires_payment_method"), refused("ch_2"),
		{ID: "pi_2", Status: "succeeded", ReceivedMinor: 1, Currency: "EUR", Charge: payment.Charge{ID: "ch_2"}}, {},
	} {
		p := payment.Payment{}
		attempts := []payment.Attempt{attempt(1, payment.Open, "pm_card")}
		p.Learn(intent("succeeded"), attempts, true, decided)
		paid, done := p, attempts[0]
		p.Learn(in, attempts, true, decided.Add(time.Hour))
		if fmt.Sprint(p) != fmt.Sprint(paid) || attempts[0] != done {
			t.Errorf("%q changed a success to %+v, %+v", in.Status, p, attempts[0])
		}
	}
}

// The refusal of an earlier attempt says nothing about the one that follows it.
func TestALateFailureOfTheFirstAttemptDoesNotTouchTheSecond(t *testing.T) {
	p := payment.Payment{Status: payment.RequiresPaymentMethod, IntentID: "pi_1"}
	attempts := []payment.Attempt{attempt(1, payment.Open, "pm_one")}
	p.Learn(refused("ch_1"), attempts, true, decided)
	attempts = append(attempts, attempt(2, payment.Open, "pm_two"))

	p.Learn(refused("ch_1"), attempts, false, decided)
	if attempts[1].Status != payment.Open || p.Says(&attempts[1]) != payment.Unknown {
		t.Fatalf("the old refusal made the second attempt %s, and the payment says %s", attempts[1].Status, p.Says(&attempts[1]))
	}
	p.Learn(refused("ch_2"), attempts, false, decided)
	if attempts[1].Status != payment.Declined || attempts[1].FailedCharge != "ch_2" || attempts[0].FailedCharge != "ch_1" {
		t.Fatalf("its own refusal left %+v", attempts)
	}
	attempts = append(attempts, attempt(3, payment.Open, "pm_three"))
	for _, old := range []string{"ch_1", "ch_2"} {
		p.Learn(refused(old), attempts, false, decided)
		if attempts[2].Status != payment.Open {
			t.Errorf("the refusal of %s made the third attempt %s", old, attempts[2].Status)
		}
	}
	p.Learn(intent("succeeded"), attempts, false, decided)
	p.Learn(refused("ch_1"), attempts, false, decided)
	if p.Status != payment.Succeeded || attempts[2].Status != payment.AttemptSucceeded || attempts[0].Status != payment.Declined {
		t.Errorf("%s, %+v", p.Status, attempts)
	}
}

// Another card while the old authentication is open: what Stripe still says of
// the old confirm is not said of the new one.
func TestAnOldAuthenticationIsNotTheNewAttempts(t *testing.T) {
	p := payment.Payment{Status: payment.RequiresAction, IntentID: "pi_1"}
	attempts := []payment.Attempt{attempt(1, payment.AttemptCanceled, ""), attempt(2, payment.Open, "pm_two")}
	p.Learn(intent("requires_action"), attempts, false, decided)
	if attempts[1].Status != payment.Open || p.Says(&attempts[1]) != payment.Unknown {
		t.Errorf("the second attempt, not confirmed yet, is %s and the payment says %s", attempts[1].Status, p.Says(&attempts[1]))
	}
	p.Learn(intent("requires_action"), attempts, true, decided)
	if attempts[1].Status != payment.AwaitsBuyer || p.Says(&attempts[1]) != payment.RequiresAction {
		t.Errorf("its own authentication made it %s and the payment says %s", attempts[1].Status, p.Says(&attempts[1]))
	}
}

func TestChargedAtMakesUpForWholeSeconds(t *testing.T) {
	for _, c := range []struct {
		name         string
		charge, want time.Time
	}{
		{"within the attempt's second", began.Truncate(time.Second), began},
		{"after it", began.Add(2 * time.Second).Truncate(time.Second), began.Add(2 * time.Second).Truncate(time.Second)},
		{"long before it, as Stripe says", began.Add(-time.Hour), began.Add(-time.Hour)},
		{"a whole second before it, as Stripe says", began.Add(-time.Second), began.Add(-time.Second)},
	} {
		p, attempts, in := payment.Payment{}, []payment.Attempt{attempt(1, payment.Open, "pm_card")}, intent("succeeded")
		in.Charge.CreatedAt = c.charge
		p.Learn(in, attempts, true, decided)
		if !p.ChargedAt.Equal(c.want) {
			t.Errorf("%s: charged at %v, want %v", c.name, p.ChargedAt, c.want)
		}
	}
	p, in := payment.Payment{}, intent("succeeded")
	p.Learn(in, nil, false, decided)
	if !p.ChargedAt.Equal(in.Charge.CreatedAt) {
		t.Errorf("without an attempt: charged at %v", p.ChargedAt)
	}
}

func TestWhatIsNotSaidIsKept(t *testing.T) {
	p := payment.Payment{IntentID: "pi_1", CustomerID: "cus_1", ClientSecret: "pi_1_secret"}
	in := refused("ch_1")
	in.ClientSecret, in.CustomerID = "", "" // a card error may come without the intent
	p.Learn(in, []payment.Attempt{attempt(1, payment.Open, "pm_card")}, true, decided)
	if p.ClientSecret != "pi_1_secret" || p.CustomerID != "cus_1" {
		t.Errorf("a refusal took the customer %q or the secret %q", p.CustomerID, p.ClientSecret)
	}
}

func TestSays(t *testing.T) {
	all := []payment.AttemptStatus{payment.Open, payment.AwaitsBuyer, payment.AwaitsBank, payment.AttemptSucceeded, payment.Declined, payment.AttemptCanceled}
	for _, p := range []payment.Status{payment.Creating, payment.RequiresPaymentMethod, payment.RequiresAction, payment.Processing} {
		pay := payment.Payment{Status: p}
		if got := pay.Says(nil); got != payment.Unknown {
			t.Errorf("%s without an attempt says %s", p, got)
		}
		for _, s := range all {
			a := attempt(1, s, "pm_card")
			switch got := pay.Says(&a); {
			case got == payment.Succeeded, got == payment.Canceled:
				t.Errorf("%s with a %s attempt says %s", p, s, got)
			case s == payment.Open && got != payment.Unknown:
				t.Errorf("%s with an open attempt says %s: unknown is not failed", p, got)
			}
		}
	}
	for _, p := range []payment.Status{payment.Succeeded, payment.Canceled} {
		for _, s := range all {
			a := attempt(1, s, "pm_card")
			if got := (payment.Payment{Status: p}).Says(&a); got != p {
				t.Errorf("%s with a %s attempt says %s", p, s, got)
			}
		}
	}
}

func TestKeysAreStableAndTellNothing(t *testing.T) {
	order := uuid.MustParse("6ba7b810-9dad-41d1-80b4-00c04fd430c8")
	a, b := payment.Payment{ID: payment.IDFor(order, 1), CreateTry: 1}, payment.Payment{ID: payment.IDFor(order, 2), CreateTry: 1}
	if a.ID != payment.IDFor(order, 1) || a.ID == b.ID || a.CreateKey() == b.CreateKey() {
		t.Errorf("ids %s and %s", a.ID, b.ID)
	}
	again := a
	again.CreateTry = 2
	if again.CreateKey() == a.CreateKey() {
		t.Error("another try has the same key")
	}
	if got := (payment.Purchase{Email: "  Jane@Example.COM "}).EmailKey(); got != "jane@example.com" {
		t.Errorf("email key %q", got)
	}
}

// A page that is over stays so, whoever read it before it was.
func TestAPageThatIsOverStaysSo(t *testing.T) {
	attempts := []payment.Attempt{attempt(1, payment.AwaitsBuyer, "")}
	p := payment.Payment{SessionID: "cs_1", Status: payment.RequiresAction}
	p.LearnSession(payment.Session{ID: "cs_1", Status: payment.SessionExpired}, attempts, decided)
	p.LearnSession(payment.Session{ID: "cs_1", Status: payment.SessionOpen, URL: "https://example.com/page"}, attempts, decided)
	if p.Status != payment.Canceled || p.RedirectURL != "" || attempts[0].Status != payment.AttemptCanceled {
		t.Errorf("the payment is %s, at %q, its attempt %s", p.Status, p.RedirectURL, attempts[0].Status)
	}
}
