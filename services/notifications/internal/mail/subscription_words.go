package mail

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"makegood.example/services/notifications/internal/message"
)

// subscriptionWords is the part of the catalogue that is about a subscription's
// later terms. What may still change is told as it stands; a page of Stripe's is
// linked when there is one, and nothing is offered that would charge twice.
func (b Brand) subscriptionWords(w *Words, f Facts) {
	plan, reference := Row{"Plan", f.PlanName}, Row{"Order reference", f.ReferenceShort}
	if f.Kind == "RENEWED" {
		w.Subject = fmt.Sprintf("Your %s subscription is renewed, order %s", b.AppName, f.ReferenceShort)
		w.Heading = "Your subscription is renewed"
		went := fmt.Sprintf("Thank you. Your payment of %s for the next term went through, and your access to %s goes on.", f.AmountDisplay, b.AppName)
		if f.NothingDue {
			went = fmt.Sprintf("There was nothing to pay for the next term, and your access to %s goes on.", b.AppName)
		}
		w.Paragraphs = append([]string{went}, renews(f)...)
		w.Rows = []Row{plan, {"Amount", f.AmountDisplay}, reference, {"Valid until", day(f.AccessUntil)}}
		return
	}
	s := *f.Subscription
	due := s.Due()
	switch f.Kind {
	case "PAYMENT_FAILED":
		w.Subject = fmt.Sprintf("The renewal of your %s subscription could not be charged, order %s", b.AppName, f.ReferenceShort)
		w.Heading = "Your renewal could not be charged"
		w.Paragraphs = append([]string{
			fmt.Sprintf("We could not collect %s for the next term of your subscription. Nothing was charged for that term.", due.AmountDisplay),
		}, access(f)...)
	case "ACTION_REQUIRED":
		w.Subject = fmt.Sprintf("Please confirm the renewal of your %s subscription, order %s", b.AppName, f.ReferenceShort)
		w.Heading = "Your bank asks you to confirm"
		w.Paragraphs = append([]string{
			fmt.Sprintf("Before it pays %s for the next term of your subscription, your bank asks you to confirm that it is you. Nothing has been charged for that term.", due.AmountDisplay),
		}, access(f)...)
	case "ACCESS_ENDING":
		w.Subject = fmt.Sprintf("Your access to %s ends on %s, order %s", b.AppName, day(s.AccessUntil), f.ReferenceShort)
		w.Heading = "Your access ends on " + day(s.AccessUntil)
		w.Paragraphs = ending(b, s)
	}
	w.Rows = []Row{plan}
	if due != nil {
		w.Rows = append(w.Rows, Row{"Next term, not charged", due.AmountDisplay})
	}
	w.Rows = append(w.Rows, reference)
	if until := accessUntil(f); until.After(f.Now) {
		w.Rows = append(w.Rows, Row{"Access until", day(until)})
	}
	switch {
	case due != nil:
		pay(w, f, *due)
	case s.Collecting():
		w.Paragraphs = append(w.Paragraphs, byMail)
	case s.Status != message.Paused && b.AppURL != "":
		w.Action = &Link{"Order again", b.AppURL}
	}
}

// renews says what comes after the term that was just paid, as far as is known.
func renews(f Facts) []string {
	switch {
	case !f.Renews:
		return nil
	case f.Subscription != nil && !f.Subscription.WillRenew():
		return []string{"As it stands, the subscription does not renew again after this term."}
	}
	return []string{"The subscription renews by itself after each term until it is canceled. To cancel it, answer this mail."}
}

// access says what a failed renewal means for the customer's access.
func access(f Facts) []string {
	switch until := accessUntil(f); {
	case until.IsZero():
		return []string{"Once it is paid, your subscription goes on."}
	case until.After(f.Now):
		return []string{fmt.Sprintf("As it stands, you keep your access until %s. Once the term is paid, it goes on.", day(until))}
	default:
		return []string{fmt.Sprintf("Your access ended on %s. Once the term is paid, you have it again.", day(until))}
	}
}

// accessUntil is until when there is access, as far as it can be told; zero when
// it cannot. What is known may be from before the failure that the mail is about:
// access that is over may have got its grace since, while Stripe tries again, and
// access that goes on may be over, once Stripe has given up.
func accessUntil(f Facts) time.Time {
	s := f.Subscription
	if f.Kind != "ACCESS_ENDING" && s.AccessUntil.After(f.Now) == (s.Status == message.Unpaid) {
		return time.Time{}
	}
	return s.AccessUntil
}

// ending says why access ends, and what that leaves to do.
func ending(b Brand, s message.Subscription) []string {
	why := "As it stands, your access to " + b.AppName + " ends on " + day(s.AccessUntil) + ", because "
	switch {
	case s.Status == message.Ended:
		return []string{
			why + "your subscription has ended. You will not be charged for it again.",
			"If that is what you wanted, there is nothing for you to do. To keep your access, you can order again.",
		}
	case s.Due() != nil && s.Due().ActionRequired:
		return []string{
			why + "your bank still waits for you to confirm the payment for the next term.",
			"Nothing was charged for that term. Once it is paid, your access goes on.",
		}
	case s.Collecting():
		return []string{
			why + "the payment for the next term of your subscription could not be collected.",
			"Nothing was charged for that term. Once it is paid, your access goes on.",
		}
	case s.Status == message.Paused:
		return []string{
			why + "your subscription is paused. You are not charged while it is.",
			"If that is what you wanted, there is nothing for you to do. To resume it, answer this mail.",
		}
	}
	return []string{
		why + "your subscription is not set to renew. You are not charged for a further term.",
		"If you canceled it, there is nothing for you to do. To keep your access, answer this mail, or order again.",
	}
}

// byMail is how to pay when there is no page for it.
const byMail = "To pay it, answer this mail: we tell you how."

// pay offers what an unpaid renewal needs.
func pay(w *Words, f Facts, u message.UnpaidInvoice) {
	page := hostedPage(u.HostedURL)
	switch {
	case page == "":
		w.Paragraphs = append(w.Paragraphs, byMail)
	case u.ActionRequired:
		w.Action, w.Note = &Link{"Confirm the payment", page}, "The link opens a page of Stripe, our payment provider."
	default:
		w.Action, w.Note = &Link{"Pay, with this or another card", page}, "The link opens a page of Stripe, our payment provider."
	}
	switch {
	case u.ActionRequired: // to wait for another attempt would not help
	case u.NextAttemptAt.After(f.Now):
		w.Paragraphs = append(w.Paragraphs, fmt.Sprintf("Until it is paid, Stripe, our payment provider, tries again by itself; the next time is %s.", day(u.NextAttemptAt)))
	case u.NextAttemptAt.IsZero():
		w.Paragraphs = append(w.Paragraphs, "Stripe, our payment provider, does not try again by itself.")
	}
}

// hostedPage is a page of Stripe's fit to be linked, or "": https, or the
// simulator's on this machine.
func hostedPage(raw string) string {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || strings.ContainsFunc(raw, odd) {
		return ""
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "https" || u.Scheme == "http" && local {
		return u.String()
	}
	return ""
}
