package stripesim

import (
	"encoding/json"
	"math"
	"net/http"
	"time"
)

// BalanceTransaction is Stripe's balance transaction: what a charge, refund,
// dispute or payout did to the account's balance.
type BalanceTransaction struct {
	Header
	Amount            int64       `json:"amount"` // minor units of the balance's currency
	AvailableOn       int64       `json:"available_on"`
	Currency          string      `json:"currency"`
	Description       NullString  `json:"description"`
	ExchangeRate      *float64    `json:"exchange_rate"`
	Fee               int64       `json:"fee"`
	FeeDetails        []feeDetail `json:"fee_details"`
	Net               int64       `json:"net"`
	ReportingCategory string      `json:"reporting_category"`
	Source            string      `json:"source"`
	Status            string      `json:"status"`
	Type              string      `json:"type"`

	payout string // the payout that brought it to the bank; asked for by a filter only
}

type feeDetail struct {
	Amount      int64      `json:"amount"`
	Application NullString `json:"application"`
	Currency    string     `json:"currency"`
	Description string     `json:"description"`
	Type        string     `json:"type"`
}

type storedBalance struct {
	*BalanceTransaction
	Payout string `json:"payout,omitempty"`
}

func (b *BalanceTransaction) stored() any { return storedBalance{b, b.payout} }

func (b *BalanceTransaction) restore(raw json.RawMessage) error {
	s := storedBalance{BalanceTransaction: b}
	err := json.Unmarshal(raw, &s)
	b.payout = s.Payout
	return err
}

func (b *BalanceTransaction) refresh(now time.Time) {
	if b.AvailableOn <= now.Unix() {
		b.Status = "available"
	}
}

// homeCurrency is what the account's bank keeps. Money in the currencies of
// rates is converted; any other has a balance of its own.
const homeCurrency = "usd"

var rates = map[string]float64{"eur": 1.1, "gbp": 1.25, "jpy": 0.67}

// availableAfter is how long money stays pending.
const availableAfter = 2 * 24 * time.Hour

// movement is one change of the balance, in the currency of the customer.
type movement struct {
	kind, category, source, description, currency string
	amount                                        int64
	percentFee                                    bool  // 2.9 % and 30 on top
	fixedFee                                      int64 // minor units of the balance's currency
}

func (t *tx) book(m movement) *BalanceTransaction {
	b := t.w.newBalance(t.header("txn_", "balance_transaction", 24), m)
	save(t, t.w.balance, b)
	t.schedulePayout()
	return b
}

func (w *world) newBalance(h Header, m movement) *BalanceTransaction {
	b := &BalanceTransaction{Header: h, Amount: m.amount, Currency: m.currency, Description: NullString(m.description),
		FeeDetails: []feeDetail{}, ReportingCategory: m.category, Source: m.source, Status: "pending", Type: m.kind}
	if rate, ok := rates[m.currency]; ok {
		b.Amount, b.Currency, b.ExchangeRate = int64(math.Round(float64(m.amount)*rate)), homeCurrency, &rate
	}
	b.Fee = m.fixedFee
	if m.percentFee {
		b.Fee += (b.Amount*29+500)/1000 + 30
	}
	if b.Fee != 0 {
		description := "Stripe processing fees"
		if m.category == "dispute" || m.category == "dispute_reversal" {
			description = "Dispute fee"
		}
		b.FeeDetails = append(b.FeeDetails, feeDetail{Amount: b.Fee, Currency: b.Currency, Description: description, Type: "stripe_fee"})
	}
	b.Net = b.Amount - b.Fee
	b.AvailableOn = time.Unix(h.Created, 0).Add(availableAfter).UTC().Truncate(24 * time.Hour).Unix()
	return b
}

// bookCharge credits a charge that has succeeded.
func (t *tx) bookCharge(ch *Charge) {
	m := ch.movement()
	ch.BalanceTransaction = NullString(t.book(m).ID)
}

func (ch *Charge) movement() movement {
	m := movement{kind: "charge", category: "charge", source: ch.ID, description: string(ch.Description), currency: ch.Currency, amount: ch.Amount, percentFee: true}
	if ch.slow() {
		m.kind = "payment"
	}
	return m
}

// slow reports whether the charge was a debit rather than a card payment.
func (ch *Charge) slow() bool { return ch.PaymentMethodDetails.USBankAccount != nil }

func balancePayout(b *BalanceTransaction) string { return b.payout }

func listBalance(c *call) (any, *Error) {
	p := c.params
	kind, currency := p.text("type"), p.text("currency")
	return listBy(c, c.w.balance, []filter[*BalanceTransaction]{
		{"source", func(b *BalanceTransaction) string { return b.Source }, p.text("source")},
		{"payout", balancePayout, p.text("payout")},
	}, func(b *BalanceTransaction) bool {
		return (kind == "" || b.Type == kind) && (currency == "" || b.Currency == currency)
	})
}

func retrieveBalance(c *call) (any, *Error) {
	return retrieve(c, c.w.balance, "balance transaction", "id")
}

// retrieve answers with the object that the path names.
func retrieve[T object](c *call, col *collection[T], kind, param string) (any, *Error) {
	o, err := byPath(c, col, kind, param)
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	refresh(o, c.now)
	return o, nil
}

func byPath[T object](c *call, col *collection[T], kind, param string) (T, *Error) {
	id := c.r.PathValue("id")
	o, ok := col.get(id)
	if !ok {
		return o, c.missing(http.StatusNotFound, kind, id, param)
	}
	return o, nil
}
