// Package mail turns the facts of an order into a mail and hands it to a mail
// server. All words are in words.go; the templates only lay them out.
package mail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	texttemplate "text/template"
	"time"

	"makegood.example/services/notifications/internal/message"
)

// Brand is what all mails have in common.
type Brand struct {
	AppName string
	// AppURL is where one can order; empty leaves it unsaid.
	AppURL       string
	SupportEmail string
	// RefundDays is how long banks usually take, in words.
	RefundDays string
}

// Facts is what one mail is about, as it is at the moment of sending.
type Facts struct {
	// Kind is the message kind, such as CONFIRMATION.
	Kind string
	// OfRenewal: it is about a later term of Subscription, not about the payment
	// of the order itself.
	OfRenewal bool
	// Now decides what is past.
	Now           time.Time
	Name          string
	PlanName      string
	AmountDisplay string
	// NothingDue: a coupon or a credit left nothing to pay.
	NothingDue     bool
	ReferenceShort string
	AccessUntil    time.Time
	// Refused: the payment was refused, rather than given up.
	Refused bool
	// RefundedDisplay is what went back so far; AccessEnds says that it was all.
	RefundedDisplay string
	AccessEnds      bool
	// NetDisplay is what stays of the payment when a part went back; else empty.
	NetDisplay string
	// Refunds are what RefundedDisplay is made of; empty when that is not known.
	Refunds []message.Refunded
	// Renews: what was paid is a term of a subscription. How that stands is in
	// Subscription, nil until it was first heard of.
	Renews       bool
	Subscription *message.Subscription
	// ChargedAt is when the payment arrived; zero while that is not known.
	ChargedAt time.Time
	// MissedBy is by when access was promised and was not there; PromiseBy is by when
	// it is promised now. Each zero when there is none.
	MissedBy, PromiseBy time.Time
	// StatusURL is the page that shows how the order stands; empty leaves it out.
	StatusURL string
	// RefundURL is the page on which the refund that is offered can be taken, until
	// RefundUntil.
	RefundURL   string
	RefundUntil time.Time
	// SignInURL is an activation link when Activation is set, else the login page.
	SignInURL   string
	Activation  bool
	LinkExpires time.Time
}

// Rendered is a mail's subject and its two parts; HTML may be empty.
type Rendered struct{ Subject, HTML, Text string }

//go:embed templates
var templates embed.FS

var (
	htmlLayout = htmltemplate.Must(htmltemplate.ParseFS(templates, "templates/mail.html"))
	textLayout = texttemplate.Must(texttemplate.ParseFS(templates, "templates/mail.txt"))
)

// Render says f in the brand's name.
func (b Brand) Render(f Facts) (Rendered, error) {
	page := struct {
		Words
		Brand Brand
	}{b.words(f), b}
	if page.Heading == "" {
		return Rendered{}, fmt.Errorf("there are no words for a message of kind %q", f.Kind)
	}
	var html, text bytes.Buffer
	if err := htmlLayout.Execute(&html, page); err != nil {
		return Rendered{}, fmt.Errorf("render HTML: %w", err)
	}
	if err := textLayout.Execute(&text, page); err != nil {
		return Rendered{}, fmt.Errorf("render text: %w", err)
	}
	return Rendered{Subject: page.Subject, HTML: html.String(), Text: text.String()}, nil
}
