package desk

import (
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"makegood.example/services/platform/apperr"
)

// ErrNotSoYet refuses to write what has not happened.
var ErrNotSoYet = apperr.New(codes.Aborted, "NOT_SO_YET", "that has not happened")

// House is what all replies have in common.
type House struct {
	AppName  string
	LoginURL string
	// RefundDays is how long banks usually take, in words.
	RefundDays string
	// ApologyAfter is the delay from which there is something to explain.
	ApologyAfter time.Duration
}

// Letter is a reply, ready to copy or to send.
type Letter struct{ To, Subject, Text string }

// Ask is what a reply is wanted for.
type Ask struct {
	Template Template
	// OrderID is the order it is about; empty for NOT_FOUND.
	OrderID string
	// To is the order's own address when empty.
	To string
	// Subject is the customer's, so that the answer is in their thread.
	Subject string
	// SignedBy is the person's name.
	SignedBy string
}

// Write renders a reply from what is so, and refuses what is not: a support answer
// says no more than a page does.
func (h House) Write(p Person, ask Ask) (Letter, error) {
	if strings.TrimSpace(ask.SignedBy) == "" {
		return Letter{}, apperr.Invalid("signed_by", "a reply is signed by a person")
	}
	l := Letter{To: ask.To, Subject: thread(ask.Subject, h.AppName)}
	if ask.Template == ReplyNotFound {
		o, found := p.order(ask.OrderID)
		if found && (p.holds(o.ID) || !o.ChargedAt.IsZero()) {
			return Letter{}, notSo("the payment of order %s is found: it is %s", o.ReferenceShort, o.State)
		}
		if l.To == "" {
			l.To = o.Email
		}
		if l.To == "" {
			return Letter{}, apperr.Invalid("to", "there is no order whose address could be taken")
		}
		return h.sign(l, ask, h.notFound()), nil
	}
	o, found := p.order(ask.OrderID)
	if !found {
		return Letter{}, apperr.New(codes.NotFound, "ORDER_NOT_FOUND", "there is no order with this id")
	}
	if l.To == "" {
		l.To = o.Email
	}
	paragraphs, err := h.paragraphs(p, o, ask.Template)
	if err != nil {
		return Letter{}, err
	}
	return h.sign(l, ask, append([]string{hello(o.Name)}, paragraphs...)), nil
}

func (h House) paragraphs(p Person, o Order, t Template) ([]string, error) {
	ready := o.complete() && o.Access
	m, mailed := p.confirmation(o)
	mailed = mailed && !m.SentAt.IsZero()
	switch t {
	case ReplyRecovery:
		if !ready {
			return nil, notSo("order %s has no access yet: recover it first", o.ReferenceShort)
		}
		return append(h.whatBroke(o), h.getIn(o, mailed)...), nil
	case ReplyResend:
		if !ready {
			return nil, notSo("order %s has no access yet", o.ReferenceShort)
		}
		if !mailed {
			return nil, notSo("the mail server has not taken the confirmation of order %s yet: resend it, and look whether it was sent", o.ReferenceShort)
		}
		return append([]string{
			fmt.Sprintf("I am sorry that our mail did not reach you. It was handed to your mail provider on %s, to %s. If it is not in your inbox within a few minutes, please look in the spam folder, and tell me if the address has a slip in it.", minute(m.SentAt), o.Email),
		}, h.getIn(o, true)...), nil
	case ReplyRefundOffered:
		switch {
		case !ready:
			return nil, notSo("order %s has no access yet: recover it first", o.ReferenceShort)
		case o.Dispute == "OPEN" || o.Dispute == "LOST":
			return nil, notSo("order %s is disputed: the bank decides about the money", o.ReferenceShort)
		case o.RefundedMinor > 0:
			return nil, notSo("of order %s, %s went back already", o.ReferenceShort, o.RefundedDisplay)
		}
		return append(append(h.whatBroke(o), h.getIn(o, mailed)...),
			fmt.Sprintf("If, after this, you would rather have your money back, that is completely fine. One word in answer to this mail is enough, and I refund the %s; your access ends with that.", o.AmountDisplay)), nil
	case ReplyRefunded:
		if o.RefundedMinor == 0 || len(o.RefundReferences) == 0 {
			return nil, notSo("no refund of order %s is confirmed by Stripe", o.ReferenceShort)
		}
		text := fmt.Sprintf("I have looked at your order %s: %s of your payment of %s is on its way back to the card or account you paid with. Stripe, our payment provider, calls the refund %s; your bank can look for it by that name.",
			o.ReferenceShort, o.RefundedDisplay, o.AmountDisplay, strings.Join(o.RefundReferences, ", "))
		after := fmt.Sprintf("Banks usually take %s until it shows on your statement. How long it takes is in their hands.", h.RefundDays)
		if o.State == "REFUNDED" {
			after += fmt.Sprintf(" The access to %s that this order paid for has ended with it.", h.AppName)
		}
		return []string{text, after}, nil
	case ReplyCheckSpam:
		if !ready || !mailed {
			return nil, notSo("order %s has no access or no mail about it that the mail server took", o.ReferenceShort)
		}
		return append([]string{
			fmt.Sprintf("I have looked, and everything about your order %s is in place. Our mail about it was handed to your mail provider on %s, to %s; when it is not in the inbox, it is mostly in the spam folder.", o.ReferenceShort, minute(m.SentAt), o.Email),
		}, append(h.getIn(o, true), "If the login page does not take your password, ask it for a new one, and write to me if that does not help.")...), nil
	case ReplyDuplicate:
		return h.duplicateWords(p, o)
	}
	return nil, apperr.Invalid("template", "there is no such reply")
}

// whatBroke says what happened to the order, as far as its times show it.
func (h House) whatBroke(o Order) []string {
	first := "To pay and then to have nothing to show for it is frightening. I understand that, and I am sorry."
	if late := o.CompletedAt.Sub(o.ChargedAt); !o.ChargedAt.IsZero() && late >= h.ApologyAfter {
		return []string{first, fmt.Sprintf("This is what happened: Stripe, our payment provider, confirmed your payment of %s on %s. On our side, setting up your access did not go through then; it was done %s later. The payment is applied to your order; there is nothing for you to put right, and no need to pay again.",
			o.AmountDisplay, minute(o.ChargedAt), span(late))}
	}
	return []string{first, fmt.Sprintf("Your payment of %s is applied to your order; there is nothing for you to put right, and no need to pay again.", o.AmountDisplay)}
}

// getIn says that it works now, and how to get in.
func (h House) getIn(o Order, mailed bool) []string {
	in := fmt.Sprintf("Your access to %s works now. Log in at %s with the address %s.", h.AppName, h.LoginURL, o.Email)
	if mailed {
		in += " If you have no password yet, the mail about your order has a link that sets up the account without one; if that link has run out, tell me and I send a fresh one."
	} else {
		in += " If you have no password yet, tell me and I send you a link that sets up the account without one."
	}
	return []string{in, fmt.Sprintf("Plan: %s\nAmount: %s\nOrder reference: %s\nValid until: %s", o.PlanName, o.AmountDisplay, o.ReferenceShort, day(o.AccessUntil))}
}

func (h House) duplicateWords(p Person, o Order) ([]string, error) {
	var back *Charge
	for i, c := range p.Charges {
		if c.Ours() && c.Paid && c.RefundedInFull && (c.OrderID == o.ID || o.State == "REFUNDED") {
			back = &p.Charges[i]
		}
	}
	if back == nil {
		return nil, notSo("no second payment went back yet: refund it first")
	}
	for _, other := range p.kept() {
		if other.ID != back.ID {
			return []string{
				fmt.Sprintf("You were charged twice for the same, and I am sorry about that. The second payment of %s, of %s, is on its way back to the card or account you paid with.", back.AmountDisplay, minute(back.CreatedAt)),
				fmt.Sprintf("The first payment of %s stays, and so does the access it paid for. Banks usually take %s until a refund shows on the statement.", other.AmountDisplay, h.RefundDays),
			}, nil
		}
	}
	return nil, notSo("no first payment is left beside the one that went back")
}

func (h House) notFound() []string {
	return []string{
		"Hello,",
		"thank you for writing. I want to find your payment, and with what I have I cannot find it yet. So that I can look everywhere, please tell me what you can of the following:",
		"- another email address that you may have paid with\n- the last four digits of the card (never the whole number)\n- the exact amount and currency on your statement\n- the date on the statement\n- the reference that the payment page showed, if you still have it",
		fmt.Sprintf("If the line on your statement names another seller than %s, it may be theirs; their name is then the quickest way to your money.", h.AppName),
	}
}

func (h House) sign(l Letter, ask Ask, paragraphs []string) Letter {
	l.Text = strings.Join(paragraphs, "\n\n") + "\n\n" + line(ask.SignedBy) + "\n" + h.AppName + "\n"
	return l
}

// thread is the customer's subject with one "Re:".
func thread(subject, appName string) string {
	subject = line(subject)
	for {
		rest, again := strings.CutPrefix(strings.ToLower(subject), "re:")
		if !again {
			break
		}
		subject = strings.TrimSpace(subject[len(subject)-len(rest):])
	}
	if subject == "" {
		return "Your message to " + appName
	}
	return "Re: " + subject
}

// line is text on one line: it ends up in a header.
func line(s string) string {
	return strings.Join(strings.Fields(textproto.TrimString(s)), " ")
}

func hello(name string) string {
	if name = line(name); name == "" {
		return "Hello,"
	}
	return "Hello " + name + ","
}

func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func notSo(format string, args ...any) error {
	return apperr.New(codes.Aborted, ErrNotSoYet.Reason, fmt.Sprintf(format, args...))
}
