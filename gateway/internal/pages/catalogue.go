package pages

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// Everything that the pages say is in one file, so that it can be translated. A
// sentence may be there only if it is true whenever it is shown: nothing about
// money that Stripe has not said, no time that nobody computed.
//
//go:embed catalogue.en.json
var english []byte

// words are what one situation has to say.
type words struct {
	// Title is the one thing to take away; it is the tab's title too.
	Title string `json:"title"`
	// Lead says what is known about the money.
	Lead string `json:"lead"`
	// Next says what happens now, and what the reader must or must not do.
	Next string `json:"next"`
	// Missed names the time that was not kept.
	Missed string `json:"missed"`
	// Promise names a time; only where one can have been promised.
	Promise string `json:"promise"`
	// PromiseOpen stands in for a time after one has passed.
	PromiseOpen string `json:"promise_open"`
}

type catalogue struct {
	Lang string `json:"lang"`
	Date struct {
		Months         [12]string `json:"months"`
		Clock          string     `json:"clock"`
		Day            string     `json:"day"`
		Moment         string     `json:"moment"`
		DayWithoutYear string     `json:"day_without_year"`
	} `json:"date"`
	Situations map[situation]words `json:"situations"`
	// NothingToPay is said instead where a coupon or a credit left nothing to pay:
	// no payment arrived.
	NothingToPay map[situation]words `json:"nothing_to_pay"`
	Refund       struct {
		Offered     string `json:"offered"`
		Ask         words  `json:"ask"`
		AskReady    words  `json:"ask_ready"`
		NotOffered  words  `json:"not_offered"`
		NotNow      words  `json:"not_now"`
		Unsure      words  `json:"unsure"`
		Amount      string `json:"amount"`
		Confirm     string `json:"confirm"`
		ConfirmBare string `json:"confirm_bare"`
		Keep        string `json:"keep"`
		Again       string `json:"again"`
		See         string `json:"see"`
	} `json:"refund"`
	Steps struct {
		Heading         string `json:"heading"`
		Done            string `json:"done"`
		Now             string `json:"now"`
		Later           string `json:"later"`
		Stopped         string `json:"stopped"`
		Ordered         string `json:"ordered"`
		PaymentChecked  string `json:"payment_checked"`
		PaymentHeld     string `json:"payment_held"`
		PaymentWaits    string `json:"payment_waits"`
		PaymentReceived string `json:"payment_received"`
		PaymentDeclined string `json:"payment_declined"`
		PaymentNone     string `json:"payment_none"`
		PaymentNotDue   string `json:"payment_not_due"`
		Access          string `json:"access"`
		AccessSetUp     string `json:"access_set_up"`
		TermAdded       string `json:"term_added"`
		AccessReady     string `json:"access_ready"`
		AccessUntil     string `json:"access_until"`
		AccessEnded     string `json:"access_ended"`
		AccessEnds      string `json:"access_ends"`
		RefundAsked     string `json:"refund_asked"`
		RefundMade      string `json:"refund_made"`
		RefundHeld      string `json:"refund_held"`
		Refunded        string `json:"refunded"`
	} `json:"steps"`
	Around struct {
		Reference       string `json:"reference"`
		ReferenceHelp   string `json:"reference_help"`
		Copy            string `json:"copy"`
		Copied          string `json:"copied"`
		CopyLabel       string `json:"copy_label"`
		CopiedSay       string `json:"copied_say"`
		ProviderSays    string `json:"provider_says"`
		LookAgainBy     string `json:"look_again_by"`
		LookAgain       string `json:"look_again"`
		Continue        string `json:"continue"`
		AnotherCard     string `json:"another_card"`
		Shop            string `json:"shop"`
		Questions       string `json:"questions"`
		QuestionsHelp   string `json:"questions_help"`
		QuestionsBare   string `json:"questions_bare"`
		Home            string `json:"home"`
		YourAddress     string `json:"your_address"`
		MailSubject     string `json:"mail_subject"`
		MailSubjectBare string `json:"mail_subject_bare"`
		MailBody        string `json:"mail_body"`
		Stale           string `json:"stale"`
		StalePromise    string `json:"stale_promise"`
	} `json:"around"`
}

// text is the catalogue in use.
var text = mustRead(english)

func mustRead(file []byte) *catalogue {
	var c catalogue
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		panic(fmt.Errorf("catalogue of the pages: %w", err))
	}
	return &c
}

// Catalogue is everything that the pages say as JSON, for makegood.js, which
// draws the page while the edge cannot be reached.
func Catalogue() []byte { return english }

// wordsFor an order in a situation.
func wordsFor(order *ordersv1.Order, s situation) words {
	w := text.Situations[s]
	if free, ok := text.NothingToPay[s]; ok && nothingToPay(order) {
		w.Title, w.Lead, w.Next = free.Title, free.Lead, free.Next
	}
	return w
}

func nothingToPay(order *ordersv1.Order) bool {
	return order.GetAmountMinor() == 0 && order.GetChargedAt() == nil
}

// values fill the names in braces of a text.
type values map[string]template.HTML

var named = regexp.MustCompile(`\{([a-z]+)\}`)

// fill escapes a text and puts the values in. A name without a value stays, so
// that a test can see it.
func fill(text string, in values) template.HTML {
	return template.HTML(named.ReplaceAllStringFunc(template.HTMLEscapeString(text), func(name string) string {
		if v, ok := in[name[1:len(name)-1]]; ok {
			return string(v)
		}
		return name
	}))
}

// plain fills a text that is no HTML: an address, a label.
func plain(text string, in map[string]string) string {
	return named.ReplaceAllStringFunc(text, func(name string) string {
		if v, ok := in[name[1:len(name)-1]]; ok {
			return v
		}
		return name
	})
}

// escaped is a value that comes from outside.
func escaped(s string) template.HTML { return template.HTML(template.HTMLEscapeString(s)) }
