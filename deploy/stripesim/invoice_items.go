package stripesim

import (
	"encoding/json"
	"slices"
	"strconv"
)

// InvoiceItem is Stripe's invoice item: a line that waits for the next invoice.
type InvoiceItem struct {
	Header
	Amount       int64             `json:"amount"` // minor units
	Currency     string            `json:"currency"`
	Customer     string            `json:"customer"`
	Date         int64             `json:"date"`
	Description  NullString        `json:"description"`
	Discountable bool              `json:"discountable"`
	Discounts    []any             `json:"discounts"`
	Invoice      NullString        `json:"invoice"`
	Livemode     bool              `json:"livemode"`
	Metadata     map[string]string `json:"metadata"`
	Period       period            `json:"period"`
	Plan         *plan             `json:"plan"`
	Price        *Price            `json:"price"`
	Proration    bool              `json:"proration"`
	Quantity     int64             `json:"quantity"`
	Subscription NullString        `json:"subscription"`
	TaxRates     []any             `json:"tax_rates"`
	TestClock    NullString        `json:"test_clock"`
	UnitAmount   int64             `json:"unit_amount"`
}

// createInvoiceItem is POST /v1/invoiceitems, of an amount.
func createInvoiceItem(c *call) (any, *Error) {
	p := c.params
	p.required("customer", "amount", "currency")
	item := &InvoiceItem{
		Header: c.header("ii_", "invoiceitem", 24), Amount: p.integer("amount"), Currency: p.text("currency"), Customer: p.text("customer"), Date: c.now.Unix(),
		Discounts: []any{}, Livemode: c.w.live, Metadata: map[string]string{}, Quantity: 1, Subscription: NullString(p.text("subscription")), TaxRates: []any{},
	}
	item.UnitAmount, item.Period = item.Amount, period{Start: item.Date, End: item.Date}
	p.setText("description", &item.Description)
	p.metadata(item.Metadata)
	if p.has("period") {
		within := p.sub("period")
		item.Period = period{Start: within.integer("start"), End: within.integer("end")}
		p.adopt("period", within)
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	if _, ok := c.w.customers.get(item.Customer); !ok {
		return nil, errMissing(400, "customer", item.Customer, "customer", "")
	}
	if id := string(item.Subscription); id != "" {
		sub, ok := c.w.subscriptions.get(id)
		if !ok {
			return nil, errMissing(400, "subscription", id, "subscription", "")
		}
		if string(sub.Customer) != item.Customer || sub.Currency != item.Currency {
			return nil, errParam("", "subscription", "The subscription is of another customer, or in another currency.")
		}
	}
	save(c.tx, c.w.invoiceItems, item)
	c.emit("invoiceitem.created", item, nil)
	return item, nil
}

// takeItems moves what waits for a subscription's next invoice onto it, before the
// lines of the subscription itself.
func (t *tx) takeItems(sub *Subscription, inv *Invoice) (total int64) {
	for _, item := range slices.Clone(t.w.invoiceItems.by("customer", func(i *InvoiceItem) string { return i.Customer }, string(sub.Customer))) {
		if item.Invoice != "" || item.Currency != sub.Currency || item.Subscription != "" && string(item.Subscription) != sub.ID {
			continue
		}
		item.Invoice = NullString(inv.ID)
		save(t, t.w.invoiceItems, item)
		inv.Lines.Data = append(inv.Lines.Data, &invoiceLine{
			ID: newID("il_", 24), Object: "line_item", Amount: item.Amount, AmountExcludingTax: item.Amount, Currency: item.Currency, Description: string(item.Description),
			DiscountAmounts: []any{}, Discounts: []any{}, Invoice: inv.ID, InvoiceItem: item.ID, Livemode: t.w.live, Metadata: cloneMetadata(item.Metadata), Period: item.Period,
			ProrationDetails: map[string]any{"credited_items": nil}, Quantity: 1, Subscription: sub.ID, TaxAmounts: []any{}, TaxRates: []any{}, Type: "invoiceitem", UnitAmountExTax: strconv.FormatInt(item.Amount, 10),
		})
		total += item.Amount
	}
	return total
}

// shownLines is how many of its lines an invoice shows itself.
const shownLines = 10

// invoiceLines are all lines of an invoice. It shows the first of them; the others
// are at its URL, by the page.
type invoiceLines struct {
	URL  string
	Data []*invoiceLine
}

type linesPage struct {
	Object     string         `json:"object"`
	Data       []*invoiceLine `json:"data"`
	HasMore    bool           `json:"has_more"`
	TotalCount int            `json:"total_count"`
	URL        string         `json:"url"`
}

// MarshalJSON renders what the invoice shows.
func (l *invoiceLines) MarshalJSON() ([]byte, error) { return marshal(l.page(0, shownLines)) }

// UnmarshalJSON reads the lines that were rendered.
func (l *invoiceLines) UnmarshalJSON(raw []byte) error {
	var p linesPage
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	l.URL, l.Data = p.URL, p.Data
	return nil
}

func (l *invoiceLines) page(from, limit int) *linesPage {
	to := min(from+limit, len(l.Data))
	return &linesPage{Object: "list", Data: append([]*invoiceLine{}, l.Data[from:to]...), HasMore: to < len(l.Data), TotalCount: len(l.Data), URL: l.URL}
}

// listInvoiceLines is GET /v1/invoices/{id}/lines: in their order, forwards.
func listInvoiceLines(c *call) (any, *Error) {
	inv, err := byPath(c, c.w.invoices, "invoice", "invoice")
	if err != nil {
		return nil, err
	}
	p := c.params
	limit, after := int64(shownLines), p.text("starting_after")
	if p.has("limit") {
		limit = p.integer("limit")
	}
	if limit < 1 || limit > 100 {
		p.fail("parameter_invalid_integer", "limit", "This value must be between 1 and 100.")
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	if after == "" {
		return inv.Lines.page(0, int(limit)), nil
	}
	for i, line := range inv.Lines.Data {
		if line.ID == after {
			return inv.Lines.page(i+1, int(limit)), nil
		}
	}
	return nil, errMissing(400, "line_item", after, "starting_after", "")
}
