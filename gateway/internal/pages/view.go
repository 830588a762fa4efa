package pages

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// lookAgainAfter is when, in seconds, a page without scripts asks again while
// its order is not at rest: seldom enough to be read to its end.
const lookAgainAfter = 15

// view is one drawing of the status page.
type view struct {
	Style template.CSS
	// Script makes the page live.
	Script  template.JS
	Words   *catalogue
	AppName string

	// Tone is wait, good, or stop; Sign is the same, or back.
	Tone, Sign  string
	Title       string
	Lead, Next  template.HTML
	Missed      template.HTML
	Promise     template.HTML
	Offer       template.HTML
	ProviderSay string
	Steps       []step
	Form        *form
	Actions     []action

	Reference      string
	ReferenceShort string
	// Known is whether Orders told us; what it told is not replaced by less.
	Known bool
	// News is whether anything is still to come by itself.
	News bool
	// Until is the time that was promised, RFC 3339, or empty.
	Until string
	// LookAgainAfter is for pages without scripts, in seconds.
	LookAgainAfter int
	// Here is this page's own address.
	Here string

	SupportEmail string
	MailTo       string
	// QuestionsHelp holds the address, as plain text and as a link.
	QuestionsHelp template.HTML
	// Stale has the place for the time of what is shown.
	Stale template.HTML
}

// signBack is drawn where money goes back.
const signBack = "back"

// action is a way to go on.
type action struct {
	ID, URL, Label string
	// Primary is the one that most readers want.
	Primary bool
}

// form asks for the refund; it needs no script.
type form struct {
	Reference, Token, Label string
	Amount                  string
}

// newView says what can be said without an order.
func newView(cfg Config, s situation, reference string) view {
	v := blankView(cfg, reference)
	v.say(text.Situations[s], nil)
	v.Tone, v.Sign = s.tone(), s.tone()
	if s == refunding || s == refundFailed || s == refunded {
		v.Sign = signBack
	}
	v.Known = s != unreachable
	v.Actions = []action{home(cfg, s == ready || s == readyLate || s == renewed)}
	if reference != "" {
		v.News = s == unreachable || s == notFound
	}
	return v
}

// blankView is what surrounds every situation.
func blankView(cfg Config, reference string) view {
	v := view{
		Style: template.CSS(style), Script: template.JS(script), Words: text, AppName: cfg.AppName,
		Reference: reference, SupportEmail: cfg.SupportEmail, MailTo: mailTo(cfg.SupportEmail, reference),
		LookAgainAfter: lookAgainAfter, Tone: "stop", Sign: "stop", Known: true,
	}
	link := template.HTML(fmt.Sprintf(`<a id="mail" href="%s">%s</a>`, escaped(v.MailTo), escaped(cfg.SupportEmail)))
	help := text.Around.QuestionsBare
	if reference != "" {
		v.ReferenceShort, v.Here, help = short(reference), statusPage(reference), text.Around.QuestionsHelp
	}
	v.QuestionsHelp = fill(help, values{"mail": link})
	v.Stale = fill(text.Around.Stale, values{"time": `<time data-form="clock"></time>`})
	return v
}

func (v *view) say(w words, in values) {
	v.Title, v.Lead, v.Next = w.Title, fill(w.Lead, in), fill(w.Next, in)
}

// orderView adds what Orders told.
func orderView(cfg Config, order *ordersv1.Order, reference string) view {
	now := cfg.Now()
	s := situationOf(order, now)
	v := newView(cfg, s, reference)
	w := wordsFor(order, s)
	v.say(w, orderValues(cfg, order))
	v.News = !Rests(order)
	v.Steps = stepsOf(order, s)
	v.promise(w, order, now)
	switch s {
	case declined:
		v.ProviderSay = order.GetPaymentError().GetMessage()
		v.Actions = append([]action{{"another-card", cfg.CheckoutURL, text.Around.AnotherCard, true}}, v.Actions...)
	case nothingCharged:
		v.Actions = append([]action{{"shop", cfg.CheckoutURL, text.Around.Shop, true}}, v.Actions...)
	case payElsewhere:
		if u, err := url.Parse(order.GetNextAction().GetUrl()); err == nil && u.Scheme == "https" {
			v.Actions = append([]action{{"continue", u.String(), text.Around.Continue, true}}, v.Actions...)
		}
	}
	return v
}

// promise names the time that Orders named, unless it has passed; and what else
// the reader can do once one was missed.
func (v *view) promise(w words, order *ordersv1.Order, now time.Time) {
	if w.Promise == "" {
		return // there is nothing to wait for
	}
	if w.Missed != "" {
		missed := order.GetPromise().GetMissedBy()
		if missed == nil {
			missed = order.GetPromise().GetBy() // nobody has looked since
		}
		v.Missed = fill(w.Missed, values{"missed": clock(missed.AsTime(), now)})
	}
	promised, looks := order.GetPromise().GetBy(), order.GetNextAction().GetBy()
	switch {
	case promised != nil && roundUp(promised.AsTime()).After(now):
		by := roundUp(promised.AsTime())
		v.Promise, v.Until = fill(w.Promise, values{"by": clock(by, now)}), by.Format(time.RFC3339)
	case w.PromiseOpen != "":
		v.Promise = fill(w.PromiseOpen, nil)
	case looks != nil && looks.AsTime().After(now):
		v.Promise = fill(text.Around.LookAgainBy, values{"by": clock(looks.AsTime(), now)})
	}
	if order.GetPromise().GetRefundOffered() {
		v.Offer = fill(text.Refund.Offered, values{"email": address(order)})
	}
}

func orderValues(cfg Config, order *ordersv1.Order) values {
	return values{
		"email": address(order), "days": escaped(cfg.RefundDays), "asked": moment(order.GetRefundAskedAt()),
		"amount": escaped(order.GetAmountDisplay()),
	}
}

// address is where mails go, as far as the holder of a reference may see it.
func address(order *ordersv1.Order) template.HTML {
	if masked := order.GetEmailMasked(); masked != "" {
		return escaped(masked)
	}
	return escaped(text.Around.YourAddress)
}

func home(cfg Config, primary bool) action {
	return action{"home", cfg.HomeURL, plain(text.Around.Home, map[string]string{"app": cfg.AppName}), primary}
}

func short(reference string) string { return strings.ToUpper(reference[:8]) }

// statusPage is where the order's page is, without anything that may not be seen.
func statusPage(reference string) string { return "/payment-issue?ref=" + reference }

// mailTo is a mailto: link with the reference filled in.
func mailTo(address, reference string) string {
	link := "mailto:" + url.PathEscape(address) + "?subject="
	if reference == "" {
		return link + url.PathEscape(text.Around.MailSubjectBare)
	}
	in := map[string]string{"short": short(reference), "reference": reference}
	return link + url.PathEscape(plain(text.Around.MailSubject, in)) + "&body=" + url.PathEscape(plain(text.Around.MailBody, in)+"\n\n")
}
