package stripesim

import (
	"maps"
	"slices"
	"time"
)

// Payout is Stripe's payout: a day's balance on its way to the bank.
type Payout struct {
	Header
	Amount               int64             `json:"amount"` // minor units
	ArrivalDate          int64             `json:"arrival_date"`
	Automatic            bool              `json:"automatic"`
	BalanceTransaction   NullString        `json:"balance_transaction"`
	Currency             string            `json:"currency"`
	Description          NullString        `json:"description"`
	Destination          NullString        `json:"destination"`
	FailureBalance       NullString        `json:"failure_balance_transaction"`
	FailureCode          NullString        `json:"failure_code"`
	FailureMessage       NullString        `json:"failure_message"`
	Livemode             bool              `json:"livemode"`
	Metadata             map[string]string `json:"metadata"`
	Method               string            `json:"method"`
	OriginalPayout       NullString        `json:"original_payout"`
	ReconciliationStatus string            `json:"reconciliation_status"`
	ReversedBy           NullString        `json:"reversed_by"`
	SourceType           string            `json:"source_type"`
	StatementDescriptor  NullString        `json:"statement_descriptor"`
	Status               string            `json:"status"`
	Type                 string            `json:"type"`
}

// payoutDelay is how long the money is on its way to the bank.
const payoutDelay = 24 * time.Hour

// schedulePayout makes sure that a payout comes at the end of the day.
func (t *tx) schedulePayout() {
	if _, ok := t.w.timers.get("payout:daily"); !ok {
		t.at(t.now.UTC().Truncate(24*time.Hour).Add(24*time.Hour).Unix(), "payout", "daily")
	}
}

func (t *tx) newPayout(h Header, currency string, amount int64) *Payout {
	return &Payout{Header: h, Amount: amount, ArrivalDate: time.Unix(h.Created, 0).Add(payoutDelay).Unix(), Automatic: true, Currency: currency,
		Description: "STRIPE PAYOUT", Destination: "ba_simulatedbank", Livemode: t.w.live, Metadata: map[string]string{}, Method: "standard",
		ReconciliationStatus: "in_progress", SourceType: "card", Status: "in_transit", Type: "bank_account"}
}

// payOut sends what has become available to the bank, each currency by itself.
func (t *tx) payOut(string) {
	ready := map[string][]*BalanceTransaction{}
	total := map[string]int64{}
	waiting := false
	for _, b := range t.w.unpaid() {
		if b.AvailableOn > t.now.Unix() {
			waiting = true
			continue
		}
		ready[b.Currency] = append(ready[b.Currency], b)
		total[b.Currency] += b.Net
	}
	for _, currency := range slices.Sorted(maps.Keys(ready)) {
		if total[currency] <= 0 {
			waiting = true // until there is more
			continue
		}
		po := t.newPayout(t.header("po_", "payout", 24), currency, total[currency])
		own := po.transaction(t.header("txn_", "balance_transaction", 24))
		save(t, t.w.balance, own)
		po.BalanceTransaction = NullString(own.ID)
		for _, b := range slices.Backward(ready[currency]) { // the index of what is unpaid shrinks from its end
			b.payout = po.ID
			save(t, t.w.balance, b)
		}
		save(t, t.w.payouts, po)
		t.emit("payout.created", po, nil)
		t.at(po.ArrivalDate, "arrival", po.ID)
	}
	if waiting {
		t.schedulePayout()
	}
}

// transaction is what the payout itself takes off the balance.
func (po *Payout) transaction(h Header) *BalanceTransaction {
	return &BalanceTransaction{Header: h, Amount: -po.Amount, AvailableOn: po.ArrivalDate, Currency: po.Currency, Description: po.Description,
		FeeDetails: []feeDetail{}, Net: -po.Amount, ReportingCategory: "payout", Source: po.ID, Status: "pending", Type: "payout", payout: po.ID}
}

// unpaid are the balance transactions that no payout has taken yet, oldest first.
func (w *world) unpaid() []*BalanceTransaction {
	return slices.Clone(w.balance.by("unpaid", func(b *BalanceTransaction) string {
		if b.payout == "" {
			return "unpaid"
		}
		return ""
	}, "unpaid"))
}

func (t *tx) payoutArrives(id string) {
	po, ok := t.w.payouts.get(id)
	if !ok {
		return
	}
	before := *po
	po.Status, po.ReconciliationStatus = "paid", "completed"
	save(t, t.w.payouts, po)
	t.emit("payout.updated", po, changed(before, *po))
	t.emit("payout.paid", po, nil)
	t.emit("payout.reconciliation_completed", po, nil)
}

func retrievePayout(c *call) (any, *Error) { return retrieve(c, c.w.payouts, "payout", "id") }

func listPayouts(c *call) (any, *Error) {
	status, arrival := c.params.text("status"), c.params.within("arrival_date")
	return list(c, c.w.payouts, func(po *Payout) bool {
		return (status == "" || po.Status == status) && arrival.contains(po.ArrivalDate)
	})
}
