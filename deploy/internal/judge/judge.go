// Package judge says from outside whether every charge was made good. It reads
// what Stripe has, what the tables hold, by plain SQL, and what the mail server
// accepted; it asks no service, and shares no code with one. What it finds wrong
// is a Finding with the evidence; what is merely unfinished is told by Unfinished,
// so that whoever judges waits for rest first.
package judge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Rule is what a finding violates.
type Rule string

// The rules, each about what a customer, a bookkeeper or a colleague would see.
const (
	// Unserved is money of ours that gives no access and was not given back.
	Unserved Rule = "UNSERVED"
	// ServedTwice is one charge that pays for several accesses.
	ServedTwice Rule = "SERVED_TWICE"
	// ChargedTwice is one order with two charges that were not refunded.
	ChargedTwice Rule = "CHARGED_TWICE"
	// FreeAccess is access that nobody paid, or that was paid by none of our money.
	FreeAccess Rule = "FREE_ACCESS"
	// KeptAccess is access whose money went back, by a refund or a lost dispute.
	KeptAccess Rule = "KEPT_ACCESS"
	// NotTold is a customer with access who got no mail about it.
	NotTold Rule = "NOT_TOLD"
	// ToldTwice is a customer who was told the same in two mails, or got one mail
	// more often than it was tried.
	ToldTwice Rule = "TOLD_TWICE"
	// Misdirected is access that somebody else got than who ordered it, or a mail about
	// an order that went to another address than its own.
	Misdirected Rule = "MISDIRECTED"
	// Shortened is access that is shorter than the term that was paid, or that runs
	// while other access of the same account does, so that one of the two is for nothing.
	Shortened Rule = "SHORTENED"
	// ToldUntrue is a mail that confirms what was never paid.
	ToldUntrue Rule = "TOLD_UNTRUE"
	// EventLost is an event that was acknowledged to Stripe without its effect.
	EventLost Rule = "EVENT_LOST"
	// ForeignTouched is another product's money in our records, or given back by us.
	ForeignTouched Rule = "FOREIGN_TOUCHED"
	// AmountDiffers is a charge whose money is another in our records than at Stripe.
	AmountDiffers Rule = "AMOUNT_DIFFERS"
	// SumsDiffer are sums, by currency, that are not equal to the cent.
	SumsDiffer Rule = "SUMS_DIFFER"
	// PaidUnpaid is an order that is recorded as paid by a charge that Stripe does not have.
	PaidUnpaid Rule = "PAID_UNPAID"
	// StillPayable is something at Stripe that could yet be charged, for an order that
	// says that nothing more will be.
	StillPayable Rule = "STILL_PAYABLE"
	// NeedlessCase is an open case although nothing needs a person.
	NeedlessCase Rule = "NEEDLESS_CASE"
	// MissingCase is something that only a person can see to, and nobody is told.
	MissingCase Rule = "MISSING_CASE"
	// Stranded is something that did not come to rest in the time it was given.
	Stranded Rule = "STRANDED"
)

// Finding is one violation.
type Finding struct {
	Rule Rule
	// Subject is what it is about: an order, a charge, an event, an intent, a case.
	Subject string
	// Evidence is what was read, for a person who looks into it.
	Evidence string
}

func (f Finding) String() string { return fmt.Sprintf("%s %s: %s", f.Rule, f.Subject, f.Evidence) }

// Sources are what the judge reads.
type Sources struct {
	// DB is the database as its owner.
	DB *pgxpool.Pool
	// StripeURL is the simulator's, whose /_sim/ tells everything.
	StripeURL string
	// InboxURL is the mail server's.
	InboxURL string
	// AppID is the mark by which money is ours.
	AppID string
	// Acknowledged are the ids of events that were answered with 2xx, where somebody
	// else than the simulator delivered them.
	Acknowledged []string
}

// reading is the patience with a source.
const reading = 30 * time.Second

var client = http.Client{Timeout: reading}

// Picture is everything at one moment. What moves while it is taken may make a
// finding that is none: judge what is at rest.
type Picture struct {
	stripe  *account
	records *records
	mails   []mail
	heard   []string // acknowledged events beside Stripe's own deliveries
}

// Look takes a picture.
func Look(ctx context.Context, s Sources) (*Picture, error) {
	mails, err := readMails(ctx, s.InboxURL)
	if err != nil {
		return nil, err
	}
	records, err := readRecords(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	// Stripe last: what is recorded must be there.
	stripe, err := readStripe(ctx, s.StripeURL, s.AppID)
	if err != nil {
		return nil, err
	}
	return &Picture{stripe: stripe, records: records, mails: mails, heard: s.Acknowledged}, nil
}

// Judge looks and says what is wrong; nothing is the verdict hoped for.
func Judge(ctx context.Context, s Sources) ([]Finding, error) {
	p, err := Look(ctx, s)
	if err != nil {
		return nil, err
	}
	return p.Findings(), nil
}

// Findings are all violations in the picture, by rule and subject.
func (p *Picture) Findings() []Finding {
	v := &verdict{Picture: p}
	v.charges()
	v.access()
	v.terms()
	v.orders()
	v.payable()
	v.foreign()
	v.sums()
	v.told()
	v.events()
	v.cases()
	slices.SortFunc(v.findings, func(a, b Finding) int {
		return strings.Compare(string(a.Rule)+a.Subject, string(b.Rule)+b.Subject)
	})
	return v.findings
}

// verdict collects findings.
type verdict struct {
	*Picture
	findings []Finding
}

func (v *verdict) found(rule Rule, subject, evidence string, args ...any) {
	v.findings = append(v.findings, Finding{rule, subject, fmt.Sprintf(evidence, args...)})
}
