package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Plan is a whole history before it begins. A seed makes it, and nothing that
// happens changes it: a step that cannot be done as things stand is left out.
type Plan struct {
	Seed  uint64
	Begin time.Time
	// Rested is how long before it the shop last swept, and nothing happened since.
	Rested   time.Duration
	Settings map[string]string
	// After is what becomes of a subscription whose renewal is never paid.
	After string
	Post  Post
	Steps []Step
}

// Step is one thing that somebody does, after a while.
type Step struct {
	Wait   time.Duration
	Jump   bool // the clock jumps over the wait
	Buyer  int
	Do     Act
	Card   string
	Faults []Fault
}

// Fault is what is to go wrong from a step on, at the place that it names.
type Fault struct {
	Kind    Kind
	Service string
	// Nth is which write, call or request it strikes, from 1.
	Nth int
	// Down is how long a killed service stays away; Off how far its clock is off.
	Down, Off time.Duration
	Path      string // at Stripe
}

// Act is what somebody does.
type Act string

// The acts.
const (
	Buys       Act = "buys"
	BuysTwice  Act = "clicks twice"
	BuysInJS   Act = "buys in the browser"
	BuysOnPage Act = "orders on Stripe's page"
	Subscribes Act = "subscribes"
	PaysOnPage Act = "pays on Stripe's page"
	Repeats    Act = "repeats the request"
	BuysMore   Act = "orders once more"
	PaysAgain  Act = "tries another card"
	Proves     Act = "passes 3-D Secure"
	FailsProof Act = "fails 3-D Secure"
	ComesBack  Act = "comes back"

	Refund       Act = "is refunded at Stripe"
	RefundPart   Act = "is refunded in part"
	RefundByUs   Act = "is refunded by support"
	RefundBounce Act = "has a refund fail"
	Dispute      Act = "disputes"
	Wins         Act = "loses the dispute" // the shop wins
	Loses        Act = "wins the dispute"

	GivesCard    Act = "gives a card"
	PaysInvoice  Act = "pays the open invoice"
	ProvesAgain  Act = "passes 3-D Secure for the invoice"
	RunsOut      Act = "cancels at the end"
	Ends         Act = "is canceled"
	PaysStranger Act = "another product is paid"
	Waits        Act = "waits"
)

var serviceNames = []string{"orders", "payments", "provisioning", "notifications", "reconciliation"}

// paths are the product's requests that a fault at Stripe may strike.
var paths = []string{
	"/v1/payment_intents", "/v1/payment_intents/*/confirm", "/v1/payment_intents/*/confirm", "/v1/payment_intents/*", "/v1/customers", "/v1/charges",
	"/v1/checkout/sessions", "/v1/checkout/sessions/*", "/v1/subscriptions/*", "/v1/invoices", "/v1/refunds", "/v1/charges/*", "/v1/payment_intents/*/cancel",
}

const (
	visa      = "pm_card_visa"
	asking    = "pm_card_authenticationRequired"
	declining = "pm_card_chargeCustomerFail"
	day       = 24 * time.Hour
)

var (
	paying   = []string{visa, visa, "pm_card_mastercard", "pm_card_amex", "pm_card_pendingRefund"}
	refusing = []string{"pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds", "pm_card_chargeDeclinedFraudulent", "pm_card_chargeDeclinedProcessingError"}
	debits   = []string{"pm_sim_async_success", "pm_sim_async_failure"}
)

// planner draws from the seed.
type planner struct{ *rand.Rand }

func one[T any](p planner, of []T) T { return of[p.IntN(len(of))] }

// in says yes so many times of a hundred.
func (p planner) in(hundred int) bool { return p.IntN(100) < hundred }

func (p planner) within(d time.Duration) time.Duration {
	return time.Duration(p.Int64N(int64(d))).Truncate(time.Millisecond)
}

// timed is a step at a time of its buyer's life.
type timed struct {
	at time.Duration
	Step
}

// Batch is how many histories, by their seeds, share one running product, one after
// the other, each with an empty database, and the settings that it was started with.
const Batch = 20

// FirstOf is the seed with which a seed's batch begins.
func FirstOf(seed uint64) uint64 { return seed - seed%Batch }

// Renews says whether the buyers of a seed's batch subscribe: those take four times as
// long as others.
func Renews(seed uint64) bool { return FirstOf(seed)/Batch%10 == 3 }

// batch draws what a batch shares: its settings, and whether its buyers subscribe.
func batch(seed uint64) (settings map[string]string, renews bool) {
	p := planner{rand.New(rand.NewPCG(FirstOf(seed), 0x6d616465))}
	settings = map[string]string{
		"RESCUE_AFTER": one(p, []string{"30s", "30s", "5m"}), "CHARGE_WITHIN": "5m",
		"RECONCILE_EVERY": one(p, []string{"20m", "1h", "3h"}), "ORDER_EXPIRES_AFTER": one(p, []string{"2h", "2h", "6h"}),
	}
	// One batch of ten, so that no run of some length lacks them. Weeks of an account on
	// which next to nothing is: what reads them again is mostly the same.
	if renews = Renews(seed); renews {
		settings["RECONCILE_EVERY"], settings["DEEP_PASS_EVERY"] = one(p, []string{"12h", "24h"}), "120h"
	}
	settings["DEEP_PASS_READERS"] = one(p, []string{"1", "1", "1", "4"})
	return settings, renews
}

// slot is the time that a history has before the next of its batch begins.
const slot = 100 * day

// NewPlan draws a history.
func NewPlan(seed uint64) Plan {
	p := planner{rand.New(rand.NewPCG(seed, 0x6d616b65676f6f64))}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seed%Batch)*slot + p.within(30*day).Truncate(time.Microsecond))
	plan := Plan{Seed: seed, Begin: begin, After: one(p, []string{"cancel", "unpaid", "past_due"}), Post: drawPost(p, seed)}
	settings, renews := batch(seed)
	plan.Settings = settings
	// From a stream of its own: where between two sweeps it begins.
	plan.Rested = planner{rand.New(rand.NewPCG(seed, 0x72657374))}.within(plan.every())
	var all []timed
	for buyer := range one(p, []int{1, 1, 1, 2, 2, 3}) {
		if renews && buyer == 0 {
			all = append(all, p.subscriber(buyer)...)
		} else {
			all = append(all, p.customer(buyer)...)
		}
	}
	if p.in(15) {
		all = append(all, timed{p.within(time.Hour), Step{Do: PaysStranger}})
	}
	slices.SortStableFunc(all, func(a, b timed) int { return int(a.at - b.at) })
	before := time.Duration(0)
	for _, s := range all {
		s.Wait, before = s.at-before, s.at
		s.Jump = s.Wait >= time.Minute && p.in(20)
		for p.in(45) {
			s.Faults = append(s.Faults, p.fault())
		}
		plan.Steps = append(plan.Steps, s.Step)
	}
	return plan
}

// every is how often the shop sweeps.
func (p Plan) every() time.Duration {
	every, err := time.ParseDuration(p.Settings["RECONCILE_EVERY"])
	if err != nil {
		panic(err) // it is one of those in batch
	}
	return every
}

// pause is how long somebody takes until their next step.
func (p planner) pause() time.Duration {
	return p.within(one(p, []time.Duration{time.Second, 30 * time.Second, 4 * time.Minute, 20 * time.Minute, 2 * time.Hour}))
}

// customer buys once, mostly, and has what people have with a purchase.
func (p planner) customer(buyer int) (life []timed) {
	at := p.within(10 * time.Minute)
	do := func(a Act, card string) {
		life = append(life, timed{at, Step{Buyer: buyer, Do: a, Card: card}})
		at += p.pause()
	}
	card := one(p, paying)
	switch n := p.IntN(20); {
	case n < 4:
		card = one(p, refusing)
	case n < 7:
		card = asking
	case n < 8:
		card = one(p, debits)
	}
	switch n := p.IntN(20); {
	case n < 10:
		do(Buys, card)
	case n < 12:
		do(BuysTwice, card)
	case n < 15:
		do(BuysInJS, card)
	default:
		do(BuysOnPage, "")
		if p.in(85) {
			do(PaysOnPage, card)
		}
	}
	if card == asking && p.in(85) {
		do(one(p, []Act{Proves, Proves, Proves, FailsProof}), "")
	}
	if p.in(30) {
		do(ComesBack, "")
	}
	for p.in(45) {
		do(Repeats, card)
	}
	if (slices.Contains(refusing, card) || p.in(15)) && p.in(80) {
		do(PaysAgain, one(p, append(slices.Clone(paying), asking, "pm_card_chargeDeclinedExpiredCard")))
		if p.in(50) {
			do(Proves, "")
		}
	}
	if p.in(12) {
		do(BuysMore, one(p, paying))
	}
	switch n := p.IntN(40); {
	case n < 5:
		do(Refund, "")
		if p.in(25) {
			do(RefundBounce, "")
		}
	case n < 9:
		do(RefundPart, "")
		if p.in(50) {
			do(Refund, "")
		}
	case n < 14:
		do(RefundByUs, "")
		if p.in(15) {
			do(RefundBounce, "")
		}
	case n < 18:
		do(Dispute, "")
		if p.in(80) {
			do(one(p, []Act{Wins, Loses}), "")
		}
	case n < 20:
		do(Waits, "")
	}
	return life
}

// subscriber has a plan that renews, for some five weeks.
func (p planner) subscriber(buyer int) (life []timed) {
	at := p.within(10 * time.Minute)
	do := func(a Act, card string, wait time.Duration) {
		life = append(life, timed{at, Step{Buyer: buyer, Do: a, Card: card}})
		at += wait
	}
	do(Subscribes, "", p.within(2*time.Minute))
	card := one(p, []string{visa, visa, visa, "pm_card_mastercard", asking})
	do(PaysOnPage, card, p.within(3*day))
	if p.in(30) {
		do(Refund, "", p.within(day))
	}
	switch n := p.IntN(10); {
	case n < 3:
		do(GivesCard, declining, 0)
	case n < 5:
		do(GivesCard, asking, 0)
	case n < 6:
		do(RunsOut, "", 0)
	case n < 7:
		do(Ends, "", 0)
	}
	at = max(at, 31*day) + p.within(2*day) // the renewal, or its first refusal
	do(Waits, "", p.within(2*day))
	do(ProvesAgain, "", p.within(day))
	if p.in(60) {
		do(PaysInvoice, visa, p.within(day))
	}
	switch n := p.IntN(10); {
	case n < 2:
		do(Refund, "", p.within(day))
	case n < 3:
		do(Dispute, "", p.within(day))
	case n < 5:
		do(Ends, "", p.within(day))
	}
	do(Waits, "", 0)
	return life
}

func (p planner) fault() Fault {
	f := Fault{Kind: one(p, atSteps), Service: one(p, serviceNames), Nth: 1 + p.IntN(1+p.IntN(12)), Path: one(p, paths)}
	f.Down = p.within(one(p, []time.Duration{time.Second, time.Second, time.Minute, 20 * time.Minute}))
	switch f.Kind {
	case ClockOff:
		f.Off = p.within(6*time.Second) - 3*time.Second
	case KilledWhileStripe:
		f.Service = "payments"
		f.Path = one(p, []string{"/v1/payment_intents/*/confirm", "/v1/payment_intents", "/v1/customers", "/v1/payment_intents/*"})
	}
	if stripeModes[f.Kind] != "" {
		f.Nth = 1 + p.IntN(2)
	}
	return f
}

// String is the whole plan, for a person and to compare two.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d from %s, sweeps each %s, rescue after %s, orders wait %s, %s\n", p.Seed, p.Begin.Format(time.DateTime),
		p.Settings["RECONCILE_EVERY"], p.Settings["RESCUE_AFTER"], p.Settings["ORDER_EXPIRES_AFTER"], p.Post)
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "  %s\n", s)
	}
	return b.String()
}

func (s Step) String() string {
	text := fmt.Sprintf("after %s buyer %d %s", s.Wait, s.Buyer, s.Do)
	if s.Jump {
		text = strings.Replace(text, "after", "after a jump of", 1)
	}
	if s.Card != "" {
		text += " with " + s.Card
	}
	for _, f := range s.Faults {
		text += "; " + f.String()
	}
	return text
}

func (f Fault) String() string {
	switch {
	case stripeModes[f.Kind] != "":
		return fmt.Sprintf("%s at the %d. %s", f.Kind, f.Nth, f.Path)
	case f.Kind == ClockOff:
		return fmt.Sprintf("%s: %s by %s", f.Kind, f.Service, f.Off)
	case f.Kind == CallLost || f.Kind == AnswerLost:
		return fmt.Sprintf("%s, the %d.", f.Kind, f.Nth)
	case f.Kind == MailDown || f.Kind == MailRefused || f.Kind == MailAnswerLost:
		return string(f.Kind)
	default:
		return fmt.Sprintf("%s at the %d. write of %s, away for %s", f.Kind, f.Nth, f.Service, f.Down)
	}
}
