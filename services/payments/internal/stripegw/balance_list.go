package stripegw

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"makegood.example/services/payments/internal/payment"
)

type listedMovement struct {
	stamp
	Amount       int64    `json:"amount"`
	Currency     string   `json:"currency"`
	ExchangeRate *float64 `json:"exchange_rate"`
	Fee          int64    `json:"fee"`
	Net          int64    `json:"net"`
	Source       ref      `json:"source"`
	Type         string   `json:"type"`
}

// deepMovement is a movement with its source.
type deepMovement struct {
	stamp
	Source whole[struct {
		Object string `json:"object"`
		Charge ref    `json:"charge"`
	}] `json:"source"`
}

// ListBalance reads one page of the balance's movements, newest first, with the
// charge behind each. Errors: ErrUnknown, ErrRefused for an after that Stripe
// does not have.
func (g *Gateway) ListBalance(ctx context.Context, w payment.Window, after string) (page []payment.BalanceTransaction, next string, err error) {
	const path = "/v1/balance_transactions"
	listed, next, err := readPage[listedMovement](ctx, g, path, w, after)
	if err != nil {
		return nil, "", err
	}
	charges, ask := map[string]string{}, false
	for _, b := range listed {
		ask = ask || ofACharge(string(b.Source))
	}
	if ask {
		// What a refund or a dispute is of is on these objects: the page is read again
		// with them, which is one request more and not one for each.
		deep, _, err := readPage[deepMovement](ctx, g, path, w, after, "data.source")
		if err != nil {
			return nil, "", err
		}
		for _, b := range deep {
			charges[b.ID] = string(b.Source.Object.Charge)
		}
	}
	page = make([]payment.BalanceTransaction, 0, len(listed))
	for _, b := range listed {
		m := b.seen()
		m.ChargeID = charges[b.ID]
		if isCharge(m.SourceID) {
			m.ChargeID = m.SourceID
		} else if _, seen := charges[b.ID]; !seen && ofACharge(m.SourceID) {
			// Moved off the page by what was made meanwhile.
			one, err := getOne[deepMovement](ctx, g, path+"/"+url.PathEscape(b.ID), "source")
			if err != nil {
				return nil, "", err
			}
			m.ChargeID = string(one.Source.Object.Charge)
		}
		page = append(page, m)
	}
	return page, next, nil
}

// seen is the movement, without the charge behind it.
func (b listedMovement) seen() payment.BalanceTransaction {
	m := payment.BalanceTransaction{
		ID: b.ID, Type: b.Type, SourceID: string(b.Source), AmountMinor: b.Amount, FeeMinor: b.Fee, NetMinor: b.Net,
		Currency: strings.ToUpper(b.Currency), CreatedAt: time.Unix(b.Created, 0).UTC(),
	}
	if b.ExchangeRate != nil {
		m.ExchangeRate = strconv.FormatFloat(*b.ExchangeRate, 'f', -1, 64)
	}
	return m
}

// isCharge says whether a source is a charge: a card's, or a debit's.
func isCharge(id string) bool { return strings.HasPrefix(id, "ch_") || strings.HasPrefix(id, "py_") }

// ofACharge says whether a source may be of a charge: anything but a charge
// itself and what moves money to the bank or between accounts.
func ofACharge(id string) bool {
	if id == "" || isCharge(id) {
		return false
	}
	for _, other := range []string{"po_", "tu_", "tr_", "trr_"} {
		if strings.HasPrefix(id, other) {
			return false
		}
	}
	return true
}
