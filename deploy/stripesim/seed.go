package stripesim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// seed describes charges that are made in bulk, without events. The journal
// keeps the description, not the charges: the same ones are made again from it.
//
// The n-th charge, from 0, is ch_3<tag> and n in twelve digits; its payment
// intent, balance transaction and refund have the same end behind pi_, txn_ and
// re_. In customer and in metadata {n} stands for n, {n12} for twelve digits,
// {x12} for twelve hexadecimal ones.
type seed struct {
	Header
	Tag            string            `json:"tag"`
	Count          int               `json:"count"`
	From           int64             `json:"from"` // Unix seconds: the charges are spread evenly
	To             int64             `json:"to"`
	Amount         int64             `json:"amount"` // minor units
	Currency       string            `json:"currency"`
	Customer       string            `json:"customer"`
	Metadata       map[string]string `json:"metadata"`
	ForeignEvery   int               `json:"foreign_every"` // every so many have neither customer nor metadata; 0: none
	FailedEvery    int               `json:"failed_every"`
	RefundEvery    int               `json:"refund_every"` // refunded in full an hour later
	PaymentIntents bool              `json:"payment_intents"`
}

const seedMax = 5_000_000

func (sd *seed) check() string {
	switch {
	case sd.Count < 1 || sd.Count > seedMax:
		return fmt.Sprintf("count must be between 1 and %d", seedMax)
	case sd.To < sd.From || sd.Amount < 1 || !isCurrency(sd.Currency):
		return "from must not be after to; amount and currency are needed"
	case sd.Tag == "" || strings.ContainsAny(sd.Tag, "/?#& "):
		return "tag must be a short name"
	}
	return ""
}

func (sd *seed) fill(template string, n int) string {
	for place, format := range map[string]string{"{n}": "%d", "{n12}": "%012d", "{x12}": "%012x"} {
		if strings.Contains(template, place) {
			template = strings.ReplaceAll(template, place, fmt.Sprintf(format, n))
		}
	}
	return template
}

func (sd *seed) nth(prefix, kind string, n int, at int64) Header {
	return Header{ID: prefix + "3" + sd.Tag + fmt.Sprintf("%012d", n), Object: kind, Created: at, seeded: true}
}

// every reports whether n is one of the regular exceptions.
func every(k, n int) bool { return k > 0 && n%k == k-1 }

// sow makes what a seed describes.
func (w *world) sow(sd *seed) {
	t := &tx{w: w, now: time.Unix(sd.From, 0)}
	pm := t.newPaymentMethod(testCards["visa"])
	pm.ID = "pm_3" + sd.Tag
	charges := make([]*Charge, 0, sd.Count)
	booked := make([]*BalanceTransaction, 0, sd.Count)
	var intents []*PaymentIntent
	var refunds []*Refund
	var ok, bad Charge // what all charges of a kind share
	ok.succeed()
	bad.fail(declined("generic_decline"))
	for n := range sd.Count {
		pi := &PaymentIntent{Amount: sd.Amount, Currency: sd.Currency, Metadata: map[string]string{}}
		at := sd.From + (sd.To-sd.From)*int64(n)/int64(sd.Count)
		pi.Header = sd.nth("pi_", "payment_intent", n, at)
		if !every(sd.ForeignEvery, n) {
			pi.Customer = NullString(sd.fill(sd.Customer, n))
			for k, v := range sd.Metadata {
				pi.Metadata[k] = sd.fill(v, n)
			}
		}
		ch := t.newCharge(pi, pm)
		ch.Header = sd.nth("ch_", "charge", n, at)
		if len(charges) > 0 { // one card serves all
			ch.PaymentMethodDetails, ch.FraudDetails = charges[0].PaymentMethodDetails, charges[0].FraudDetails
		}
		if every(sd.FailedEvery, n) {
			ch.Status, ch.FailureCode, ch.FailureMessage, ch.Outcome = bad.Status, bad.FailureCode, bad.FailureMessage, bad.Outcome
			pi.Status = requiresPaymentMethod
		} else {
			ch.Status, ch.Paid, ch.Captured, ch.AmountCaptured, ch.StatementCalculated, ch.Outcome = ok.Status, true, true, ch.Amount, ok.StatementCalculated, ok.Outcome
			b := w.newBalance(sd.nth("txn_", "balance_transaction", n, at), ch.movement())
			ch.BalanceTransaction = NullString(b.ID)
			booked = append(booked, b)
			if every(sd.RefundEvery, n) {
				re := sd.refund(ch, n)
				refunds = append(refunds, re)
				b := w.newBalance(sd.nth("txn_r", "balance_transaction", n, re.Created), movement{kind: "refund", category: "refund", source: re.ID, currency: re.Currency, amount: -re.Amount})
				re.BalanceTransaction = NullString(b.ID)
				booked = append(booked, b)
			}
			pi.Status, pi.AmountReceived = succeeded, pi.Amount
		}
		charges = append(charges, ch)
		if sd.PaymentIntents {
			intents = append(intents, sd.intent(t, pi, ch))
		}
	}
	slices.SortStableFunc(booked, func(a, b *BalanceTransaction) int { return int(a.Created - b.Created) })
	payouts, own := w.pastPayouts(t, sd, booked)
	w.charges.putAll(charges)
	w.paymentIntents.putAll(intents)
	w.refunds.putAll(refunds)
	w.balance.putAll(append(booked, own...))
	w.payouts.putAll(payouts)
}

func (sd *seed) refund(ch *Charge, n int) *Refund {
	ch.AmountRefunded, ch.Refunded = ch.Amount, true
	return &Refund{Header: sd.nth("re_", "refund", n, ch.Created+3600), Amount: ch.Amount, Charge: ch.ID, Currency: ch.Currency,
		Metadata: map[string]string{}, PaymentIntent: ch.PaymentIntent, Status: succeeded}
}

// intent completes the payment intent that the charge was copied from.
func (sd *seed) intent(t *tx, pi *PaymentIntent, ch *Charge) *PaymentIntent {
	whole := t.newIntent(pi.Amount, pi.Currency, pi.Customer)
	whole.Header, whole.Metadata, whole.Status, whole.AmountReceived = pi.Header, pi.Metadata, pi.Status, pi.AmountReceived
	whole.ClientSecret = pi.ID + "_secret_seed"
	whole.LatestCharge = NullString(ch.ID)
	return whole
}

// pastPayouts pays out what had become available before the seed was sown.
func (w *world) pastPayouts(t *tx, sd *seed, booked []*BalanceTransaction) ([]*Payout, []*BalanceTransaction) {
	days := map[int64][]*BalanceTransaction{}
	for _, b := range booked {
		b.refresh(time.Unix(sd.Created, 0))
		if b.AvailableOn+int64(payoutDelay/time.Second) <= sd.Created {
			days[b.AvailableOn] = append(days[b.AvailableOn], b)
		}
	}
	var payouts []*Payout
	var own []*BalanceTransaction
	for day, parts := range days {
		n := int(day / 86400)
		var sum int64
		for _, b := range parts {
			sum += b.Net
		}
		po := t.newPayout(sd.nth("po_", "payout", n, day), parts[0].Currency, sum)
		po.Status, po.ReconciliationStatus = "paid", "completed"
		b := po.transaction(sd.nth("txn_p", "balance_transaction", n, day))
		for _, part := range append(parts, b) {
			part.payout = po.ID
		}
		po.BalanceTransaction = NullString(b.ID)
		payouts, own = append(payouts, po), append(own, b)
	}
	slices.SortFunc(payouts, func(a, b *Payout) int { return int(a.Created - b.Created) })
	slices.SortFunc(own, func(a, b *BalanceTransaction) int { return int(a.Created - b.Created) })
	return payouts, own
}

func (s *Server) controlSeed(w http.ResponseWriter, r *http.Request) {
	in := struct {
		seed
		Livemode bool `json:"livemode"`
	}{seed: seed{Tag: "Seed", Amount: 24900, Currency: "usd"}}
	now := s.now().Unix()
	in.From, in.To = now-30*86400, now
	if !read(w, r, &in) {
		return
	}
	sd := in.seed
	if wrong := sd.check(); wrong != "" {
		refuse(w, http.StatusBadRequest, wrong)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.newTx(s.worlds[in.Livemode])
	if _, sown := t.w.charges.get(sd.nth("ch_", "charge", 0, 0).ID); sown {
		refuse(w, http.StatusConflict, "there are charges with this tag")
		return
	}
	sd.Header = Header{ID: "seed_" + sd.Tag, Object: t.w.seeds.kind, Created: t.now.Unix()}
	save(t, t.w.seeds, &sd)
	t.w.sow(&sd)
	t.schedulePayout()
	if err := t.commit(); err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	last := sd.nth("ch_", "charge", sd.Count-1, 0).ID
	answer(w, http.StatusOK, map[string]any{"first": sd.nth("ch_", "charge", 0, 0).ID, "last": last, "seed": sd})
}
