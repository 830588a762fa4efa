package mail

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Row is one fact in a mail.
type Row struct{ Label, Value string }

// Link is something to follow.
type Link struct{ Label, URL string }

// Words is everything one mail says, once, for its HTML and its text part.
type Words struct {
	Subject    string
	Heading    string
	Greeting   string
	Paragraphs []string
	Rows       []Row
	// Action is the one thing to follow; nil when there is none.
	Action *Link
	// Note explains the action.
	Note string
	// Help comes before the support address.
	Help string
}

// words is the catalogue: all that is ever said to a customer by mail. It
// names no time but those it is given, and formats no money. Why each mail is as
// it is stands in docs/messages.md.
func (b Brand) words(f Facts) Words {
	w := Words{
		Greeting: greeting(f.Name),
		Help:     "Questions? Answer this mail, or write to us and mention " + f.ReferenceShort + ":",
	}
	plan := Row{"Plan", f.PlanName}
	reference := Row{"Order reference", f.ReferenceShort}
	switch f.Kind {
	case "RENEWED", "ACTION_REQUIRED", "ACCESS_ENDING":
		b.subscriptionWords(&w, f)
	case "CONFIRMATION":
		w.Subject = fmt.Sprintf("Your %s order %s is confirmed", b.AppName, f.ReferenceShort)
		w.Heading = "You're in"
		w.Paragraphs = []string{
			fmt.Sprintf("Thank you. Your payment of %s went through, and your access to %s is ready.", f.AmountDisplay, b.AppName),
		}
		if f.NothingDue {
			w.Paragraphs[0] = fmt.Sprintf("Thank you. There was nothing to pay for it, and your access to %s is ready.", b.AppName)
		}
		w.Rows = []Row{plan, {"Amount", f.AmountDisplay}, reference, {"Valid until", day(f.AccessUntil)}}
		w.Paragraphs = append(w.Paragraphs, renews(f)...)
		w.Action, w.Note = action(f)
	case "RECOVERY":
		w.Subject = fmt.Sprintf("Your %s order %s is ready, and we are sorry it took longer", b.AppName, f.ReferenceShort)
		w.Heading = "Your access is ready"
		w.Paragraphs = []string{
			"Your payment went through, but your access came later than it should have. That is ours to answer for, not yours, and we are sorry for the delay.",
			fmt.Sprintf("Your payment of %s is applied to this order, and your access to %s is ready. There is nothing for you to put right, and no need to pay again.", f.AmountDisplay, b.AppName),
		}
		if f.NothingDue {
			w.Paragraphs = []string{
				"Your access came later than it should have. That is for us to answer for, not for you, and we are sorry for the delay.",
				fmt.Sprintf("There was nothing to pay for this order, and your access to %s is ready. There is nothing for you to put right.", b.AppName),
			}
		}
		w.Rows = []Row{plan, {"Amount", f.AmountDisplay}, reference, {"Valid until", day(f.AccessUntil)}}
		w.Paragraphs = append(w.Paragraphs, renews(f)...)
		w.Action, w.Note = action(f)
	case "PAYMENT_FAILED":
		if f.OfRenewal {
			b.subscriptionWords(&w, f)
			break
		}
		w.Subject = fmt.Sprintf("Nothing was charged for your %s order %s", b.AppName, f.ReferenceShort)
		w.Heading = "Nothing was charged"
		w.Paragraphs = []string{
			"We could not complete your order, so we stopped it. Nothing was charged for it, and nothing will be.",
			"If you still want it, you are welcome to order again.",
		}
		if f.Refused { // the order is open to another card
			w.Paragraphs[0] = "Your payment was refused, so your order is not complete. Nothing was charged for it."
		}
		w.Rows = []Row{plan, {"Amount, not charged", f.AmountDisplay}, reference}
		if b.AppURL != "" {
			w.Action = &Link{"Order again", b.AppURL}
		}
	case "REFUND", "DUPLICATE_REFUNDED":
		b.refundWords(&w, f)
	case "STILL_WORKING", "REFUND_OFFER", "REPEAT_REFUSED":
		b.waitingWords(&w, f)
	}
	return w
}

func action(f Facts) (*Link, string) {
	if !f.Activation {
		return &Link{"Log in", f.SignInURL}, ""
	}
	note := "This link sets up your account. It is meant for you alone and works once"
	if !f.LinkExpires.IsZero() {
		note += ", until " + minute(f.LinkExpires)
	}
	return &Link{"Set up your account", f.SignInURL}, note + "."
}

// day is a date as people write it, in UTC like every time of ours.
func day(t time.Time) string { return t.UTC().Format("2 January 2006") + " (UTC)" }

// minute is a moment as people write it.
func minute(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04") + " UTC" }

// byMinute is a moment by which something is promised: rounded up, so that the
// minute that is named is never before the moment that was meant.
func byMinute(t time.Time) string {
	return minute(t.Add(time.Minute - time.Nanosecond).Truncate(time.Minute))
}

func greeting(name string) string {
	if name = safeName(name); name == "" {
		return "Hello,"
	}
	return "Hello " + name + ","
}

// nameMax is in characters; longer is a text, not a name.
const nameMax = 60

// looksLikeLink finds what mail programs turn into a link.
var looksLikeLink = regexp.MustCompile(`[@/\\]|(?i:www\.)|[\pL\pN-]{2,}\.\pL{2,}`)

// safeName is the buyer's name fit to be printed, or "". Anyone can order in
// anyone's name and address, so a name must not carry a message or a link, nor
// reverse the text around it.
func safeName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == '\u200d': // joins emoji and letters
			return r
		case !unicode.IsPrint(r): // control characters, direction overrides
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if len([]rune(name)) > nameMax || looksLikeLink.MatchString(name) {
		return ""
	}
	return name
}
