package desk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"makegood.example/services/platform/apperr"
)

var house = House{AppName: "Example App", LoginURL: "https://app.example.com/login", RefundDays: "5 to 10 business days", ApologyAfter: 10 * time.Second}

func TestEachReplySaysWhatIsSo(t *testing.T) {
	late := with(func(p *Person) {
		p.Orders[0].State, p.Orders[0].CompletedAt = "RECOVERED", p.Orders[0].ChargedAt.Add(8*time.Minute)
	})
	refunded := with(func(p *Person) {
		o := &p.Orders[0]
		o.State, o.Access, o.RefundedMinor, o.RefundedDisplay, o.RefundReferences = "REFUNDED", false, 24900, "$249.00", []string{"re_1"}
		p.Charges[0].RefundedInFull = true
	})
	twice := with(func(p *Person) { second(p, "DUPLICATE"); p.Charges[1].RefundedInFull = true })
	for name, c := range map[string]struct {
		person   Person
		template Template
		has, not []string
	}{
		"recovery":          {late, ReplyRecovery, []string{"Hello Jane Example,", "frightening", "confirmed your payment of $249.00 on 22 November 2026, 14:00 UTC", "8 minutes later", "works now", "https://app.example.com/login", "jane@example.com", "no password yet", "Plan: Annual plan", "A1B2C3D4", "Valid until: 22 November 2027 (UTC)", "Sam Example\nExample App"}, []string{"never happen again", "cannot happen again"}},
		"recovery, in time": {good(), ReplyRecovery, []string{"is applied to your order", "works now"}, []string{"later"}},
		"resend":            {good(), ReplyResend, []string{"handed to your mail provider on 22 November 2026, 14:00 UTC, to jane@example.com", "spam folder"}, nil},
		"refund offered":    {late, ReplyRefundOffered, []string{"works now", "One word in answer to this mail is enough", "I refund the $249.00"}, nil},
		"refunded":          {refunded, ReplyRefunded, []string{"$249.00 of your payment of $249.00 is on its way back", "re_1", "5 to 10 business days", "has ended with it"}, nil},
		"check spam":        {good(), ReplyCheckSpam, []string{"in place", "spam folder", "Log in at"}, []string{"sorry"}},
		"duplicate":         {twice, ReplyDuplicate, []string{"The second payment of $249.00, of 22 November 2026, 14:01 UTC, is on its way back", "The first payment of $249.00 stays"}, nil},
	} {
		l, err := house.Write(c.person, Ask{Template: c.template, OrderID: "o1", Subject: "RE: re: where is my\r\nBcc: x@example.com access", SignedBy: "Sam Example"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l.To != "jane@example.com" || l.Subject != "Re: where is my Bcc: x@example.com access" {
			t.Errorf("%s: to %q, subject %q", name, l.To, l.Subject)
		}
		for _, want := range c.has {
			if !strings.Contains(l.Text, want) {
				t.Errorf("%s lacks %q:\n%s", name, want, l.Text)
			}
		}
		for _, not := range append(c.not, "0001", "%!") {
			if strings.Contains(l.Text, not) {
				t.Errorf("%s says %q:\n%s", name, not, l.Text)
			}
		}
	}
}

func TestNoReplySaysWhatHasNotHappened(t *testing.T) {
	charged := with(func(p *Person) { p.Orders[0].State, p.Orders[0].Access = "CHARGED", false })
	unsent := with(func(p *Person) { p.Mails[0].SentAt = time.Time{} })
	for name, c := range map[string]struct {
		person   Person
		template Template
	}{
		"recovery without access":         {charged, ReplyRecovery},
		"resend without access":           {charged, ReplyResend},
		"resend, not taken":               {unsent, ReplyResend},
		"refund offered without access":   {charged, ReplyRefundOffered},
		"refund offered while disputed":   {with(func(p *Person) { p.Orders[0].Dispute = "OPEN" }), ReplyRefundOffered},
		"refund offered, refunded partly": {with(func(p *Person) { p.Orders[0].RefundedMinor = 1 }), ReplyRefundOffered},
		"refunded, nothing went back":     {good(), ReplyRefunded},
		"refunded, no reference":          {with(func(p *Person) { p.Orders[0].RefundedMinor = 1 }), ReplyRefunded},
		"check spam, no mail":             {unsent, ReplyCheckSpam},
		"duplicate, both are here":        {with(func(p *Person) { second(p, "DUPLICATE") }), ReplyDuplicate},
		"duplicate, the only one is back": {with(func(p *Person) { p.Charges[0].RefundedInFull = true }), ReplyDuplicate},
	} {
		_, err := house.Write(c.person, Ask{Template: c.template, OrderID: "o1", SignedBy: "Sam Example"})
		if e := apperr.Of(err); e == nil || e.Reason != "NOT_SO_YET" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNobodyIsFound(t *testing.T) {
	l, err := house.Write(Person{}, Ask{Template: ReplyNotFound, To: "jane@example.com", SignedBy: "Sam Example"})
	if err != nil || l.Subject != "Your message to Example App" {
		t.Fatalf("%v %+v", err, l)
	}
	for _, want := range []string{"another email address", "last four digits", "exact amount", "date on the statement", "another seller"} {
		if !strings.Contains(l.Text, want) {
			t.Errorf("lacks %q:\n%s", want, l.Text)
		}
	}
	// Nothing was searched for this letter: it does not say that there is nothing.
	if strings.Contains(l.Text, "there is no") {
		t.Errorf("says more than is known:\n%s", l.Text)
	}
	unpaid := good()
	unpaid.Orders[0].ChargedAt, unpaid.Charges = time.Time{}, nil
	if l, err := house.Write(unpaid, Ask{Template: ReplyNotFound, OrderID: "o1", SignedBy: "Sam Example"}); err != nil || l.To != unpaid.Orders[0].Email {
		t.Errorf("of an order without money: %+v %v", l, err)
	}
	for _, ask := range []Ask{{Template: ReplyNotFound, OrderID: "o1", SignedBy: "Sam Example"}, {Template: ReplyNotFound, SignedBy: "Sam Example"}, {Template: ReplyNotFound, To: "jane@example.com", SignedBy: " "}, {Template: "HUG", OrderID: "o1", SignedBy: "Sam Example"}, {Template: ReplyRecovery, OrderID: "o9", SignedBy: "Sam Example"}} {
		var e *apperr.Error
		if _, err := house.Write(good(), ask); !errors.As(err, &e) {
			t.Errorf("%+v: %v", ask, err)
		}
	}
}
