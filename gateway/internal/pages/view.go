package pages

import (
	"fmt"
	"html/template"
	"net/url"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// refreshEvery is how often, in seconds, a page asks again while its order is
// not at rest.
const refreshEvery = 5

// view is one drawing of the status page.
type view struct {
	Style   template.CSS
	AppName string
	Words   words
	// Tone colours the mark: wait, good, or stop.
	Tone string
	// RefreshSeconds is 0 once nothing changes any more by itself.
	RefreshSeconds int

	Reference      string
	ReferenceShort string
	Facts          []fact
	ProviderSays   string
	LookAgain      string
	ContinueURL    string

	SupportEmail string
	MailTo       string
	HomeURL      string
	Labels       labels
}

type fact struct{ Label, Value string }

type labels struct{ Reference, ProviderSays, Continue, Questions, Home string }

// newView says what can be said without an order.
func newView(cfg Config, s situation, reference string) view {
	v := view{
		Style: template.CSS(style), AppName: cfg.AppName, Words: catalogue[s], Tone: tone(s),
		Reference: reference, SupportEmail: cfg.SupportEmail, MailTo: mailTo(cfg.SupportEmail, reference), HomeURL: cfg.HomeURL,
		Labels: labels{
			Reference: wordReference, ProviderSays: wordProviderSays, Continue: wordContinue,
			Questions: wordQuestionsBare, Home: fmt.Sprintf(wordHome, cfg.AppName),
		},
	}
	if reference != "" {
		v.ReferenceShort, v.Labels.Questions = short(reference), wordQuestions
		if !atRest(s) {
			v.RefreshSeconds = refreshEvery
		}
	}
	return v
}

// orderView adds what Orders told.
func orderView(cfg Config, order *ordersv1.Order, reference string) view {
	now := cfg.Now()
	s := situationOf(order, now)
	v := newView(cfg, s, reference)
	add := func(label, value string) {
		if value != "" {
			v.Facts = append(v.Facts, fact{label, value})
		}
	}
	if free, ok := nothingToPay[s]; ok && order.GetAmountMinor() == 0 && order.GetChargedAt() == nil {
		v.Words.Title, v.Words.Lead = free.Title, free.Lead
	}
	add(wordAmount, order.GetAmountDisplay())
	switch s {
	case settingUp, extending, ready, renewed, accessEnded:
		add(wordReceived, minute(order.GetChargedAt()))
	}
	switch s {
	case ready, renewed:
		add(wordAccessUntil, day(order.GetAccessUntil()))
	case accessEnded:
		add(wordAccessEnded, day(order.GetAccessUntil()))
	case declined:
		v.ProviderSays = order.GetPaymentError().GetMessage()
	case payElsewhere:
		if u, err := url.Parse(order.GetNextAction().GetUrl()); err == nil && u.Scheme == "https" {
			v.ContinueURL = u.String()
		}
	case checking, settingUp, extending:
		if by := order.GetNextAction().GetBy(); by != nil && by.AsTime().After(now) {
			v.LookAgain = fmt.Sprintf(wordLookAgainBy, clock(by.AsTime()))
		}
	}
	return v
}

func atRest(s situation) bool {
	switch s {
	case ready, renewed, accessEnded, declined, nothingCharged, refunded:
		return true
	}
	return false
}

func tone(s situation) string {
	switch s {
	case ready, renewed, settingUp, extending:
		return "good"
	case declined, nothingCharged, accessEnded, refunded:
		return "stop"
	}
	return "wait"
}

func minute(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().UTC().Format("2 January 2006, 15:04 UTC")
}

func day(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().UTC().Format("2 January 2006")
}

// clock rounds up to the minute: "by 14:06" must not come before the moment.
func clock(t time.Time) string {
	return t.UTC().Add(time.Minute - time.Nanosecond).Truncate(time.Minute).Format("15:04 UTC")
}
