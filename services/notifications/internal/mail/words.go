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
// promises no times, and formats no money.
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
		w.Rows = []Row{plan, {"Amount", f.AmountDisplay}, reference, {"Valid until", day(f.AccessUntil)}}
		w.Paragraphs = append(w.Paragraphs, renews(f)...)
		w.Action, w.Note = action(f)
	case "RECOVERY":
		w.Subject = fmt.Sprintf("Your %s order %s is ready, and we are sorry it took longer", b.AppName, f.ReferenceShort)
		w.Heading = "Your access is ready"
		w.Paragraphs = []string{
			"Your payment went through, but your access came later than it should have. That is for us to answer for, not for you, and we are sorry for the delay.",
			fmt.Sprintf("Your payment of %s is applied to this order, and your access to %s is ready. There is nothing for you to put right, and no need to pay again.", f.AmountDisplay, b.AppName),
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
	case "REFUND":
		w.Subject = fmt.Sprintf("Your refund for %s order %s", b.AppName, f.ReferenceShort)
		w.Heading = "Your refund is on its way"
		w.Paragraphs = []string{
			fmt.Sprintf("In all, %s of your payment of %s is on its way back to the card or account you paid with.", f.RefundedDisplay, f.AmountDisplay),
			fmt.Sprintf("Banks usually take %s until it shows on your statement; how long it takes is in their hands. There is nothing for you to do.", b.RefundDays),
		}
		if f.AccessEnds {
			w.Paragraphs = append(w.Paragraphs, fmt.Sprintf("The access to %s that this order paid for ends with it.", b.AppName))
		}
		if s := f.Subscription; f.AccessEnds && s != nil && s.WillRenew() {
			w.Paragraphs = append(w.Paragraphs, "A refund does not cancel a subscription: as it stands, yours renews by itself and is charged again. To cancel it, answer this mail.")
		}
		w.Rows = []Row{plan, {"Paid", f.AmountDisplay}, {"Refunded so far", f.RefundedDisplay}, reference}
		if len(f.Refunds) == 1 {
			w.Rows = append(w.Rows, Row{"Refund reference", f.Refunds[0].Reference})
		} else {
			for _, r := range f.Refunds {
				w.Rows = append(w.Rows, Row{"Refund reference", fmt.Sprintf("%s (%s)", r.Reference, r.AmountDisplay)})
			}
		}
		if len(f.Refunds) > 0 {
			w.Note = "The refund reference is what our payment provider, Stripe, calls the refund. Mention it when you ask us about it."
		}
	}
	return w
}

func action(f Facts) (*Link, string) {
	if !f.Activation {
		return &Link{"Log in", f.SignInURL}, ""
	}
	note := "This link sets up your account. It is meant for you alone and works once"
	if !f.LinkExpires.IsZero() {
		note += ", until " + f.LinkExpires.UTC().Format("2 January 2006, 15:04") + " UTC"
	}
	return &Link{"Set up your account", f.SignInURL}, note + "."
}

// day is a date as people write it, in UTC like every time of ours.
func day(t time.Time) string { return t.UTC().Format("2 January 2006") + " (UTC)" }

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
