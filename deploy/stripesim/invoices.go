package stripesim

import (
	"fmt"
	"strings"
)

// total is what one period costs, in minor units.
func (sub *Subscription) total() (sum int64) {
	for _, it := range sub.Items.Data {
		sum += it.Price.UnitAmount * it.Quantity
	}
	return sum
}

// newInvoice is the draft of the bill for one period.
func (t *tx) newInvoice(sub *Subscription, reason string, start, end int64) *Invoice {
	inv := &Invoice{
		Header: t.header("in_", "invoice", 24), AccountCountry: "US", AccountName: "Makegood", AutoAdvance: true,
		AutomaticTax: map[string]any{"enabled": false, "liability": nil, "status": nil}, BillingReason: reason, CollectionMethod: "charge_automatically",
		Currency: sub.Currency, Customer: sub.Customer, CustomerTaxExempt: "none", CustomerTaxIDs: []any{}, DefaultTaxRates: []any{}, Discounts: []any{},
		Issuer: map[string]any{"type": "self"}, Livemode: t.w.live, Metadata: map[string]string{},
		PaymentSettings: map[string]any{"default_mandate": nil, "payment_method_options": nil, "payment_method_types": nil},
		PeriodEnd:       start, PeriodStart: start, Status: "draft", Subscription: NullString(sub.ID),
		SubscriptionDetails: details{cloneMetadata(sub.Metadata)}, TotalDiscounts: []any{}, TotalTaxAmounts: []any{},
	}
	if reason == "subscription_cycle" {
		inv.PeriodStart = sub.CurrentPeriodStart // the period that has ended
	}
	if cus, ok := t.w.customers.get(string(sub.Customer)); ok {
		inv.CustomerEmail, inv.CustomerName, inv.CustomerPhone, inv.CustomerAddress = cus.Email, cus.Name, cus.Phone, cus.Address
	}
	inv.Lines = &invoiceLines{URL: "/v1/invoices/" + inv.ID + "/lines"}
	items := t.takeItems(sub, inv)
	for _, it := range sub.Items.Data {
		line := &invoiceLine{ID: newID("il_", 24), Object: "line_item", Amount: it.Price.UnitAmount * it.Quantity, Currency: sub.Currency,
			Description:     fmt.Sprintf("%d × %s (at %s / %s)", it.Quantity, t.productName(it.Price.Product), amountText(it.Price), it.Price.Recurring.Interval),
			DiscountAmounts: []any{}, Discountable: true, Discounts: []any{}, Invoice: inv.ID, Livemode: t.w.live, Metadata: cloneMetadata(sub.Metadata),
			Period: period{End: end, Start: start}, Plan: it.Plan, Price: it.Price, ProrationDetails: map[string]any{"credited_items": nil}, Quantity: it.Quantity,
			Subscription: sub.ID, SubscriptionItem: it.ID, TaxAmounts: []any{}, TaxRates: []any{}, Type: "subscription", UnitAmountExTax: it.Price.UnitAmountDecimal}
		line.AmountExcludingTax = line.Amount
		inv.Lines.Data = append(inv.Lines.Data, line)
	}
	inv.add(sub.total() + items)
	inv.discount(sub)
	save(t, t.w.invoices, inv)
	return inv
}

func (inv *Invoice) add(total int64) {
	inv.Total, inv.Subtotal, inv.SubtotalExcludingTax, inv.TotalExcludingTax = total, total, total, total
	inv.AmountDue, inv.AmountRemaining = total, total
}

// trial makes the invoice one for a trial, which costs nothing.
func (inv *Invoice) trial(end int64) {
	for _, line := range inv.Lines.Data {
		line.Amount, line.AmountExcludingTax, line.UnitAmountExTax = 0, 0, "0"
		line.Description, line.Period.End = "Trial period for "+line.Description, end
	}
	inv.add(0)
}

func (t *tx) productName(id string) string {
	if pr, ok := t.w.products.get(id); ok {
		return pr.Name
	}
	return id
}

func amountText(pr *Price) string {
	return fmt.Sprintf("%s%d.%02d", map[bool]string{true: "$", false: strings.ToUpper(pr.Currency) + " "}[pr.Currency == "usd"], pr.UnitAmount/100, pr.UnitAmount%100)
}

func retrieveInvoice(c *call) (any, *Error) { return retrieve(c, c.w.invoices, "invoice", "invoice") }

func listInvoices(c *call) (any, *Error) {
	p := c.params
	status := p.text("status")
	p.ignore("collection_method")
	return listBy(c, c.w.invoices, []filter[*Invoice]{
		{"subscription", invoiceSubscription, p.text("subscription")},
		{"customer", func(inv *Invoice) string { return string(inv.Customer) }, p.text("customer")},
	}, func(inv *Invoice) bool { return status == "" || inv.Status == status })
}
