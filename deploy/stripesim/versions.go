package stripesim

import (
	"regexp"
	"slices"
)

// Webhook endpoints can have an API version of their own: what is delivered to
// them has the shape of that version, whatever the API itself renders. Versions
// are dates with, since 2024, a name behind; they compare as strings.

var versionPattern = regexp.MustCompile(`^20\d\d-\d\d-\d\d(\.[a-z]+)?$`)

// The versions that changed what we render.
const (
	versionCharges = "2022-11-15" // payment intents lose their charges, charges their refunds
	versionTaxes   = "2020-08-27" // tax_percent goes away
	versionParents = "2025-03-31" // basil: an invoice names its subscription under parent, periods move to the items
	versionClover  = "2025-09-30"
)

// rendered is the body of an event in another version, as of now.
func (w *world) rendered(ev *Event, version string) ([]byte, error) {
	tree, err := toTree(ev)
	if err != nil {
		return nil, err
	}
	whole := tree.(map[string]any)
	whole["api_version"] = version
	data := whole["data"].(map[string]any)
	obj := data["object"].(map[string]any)
	previous, _ := data["previous_attributes"].(map[string]any)
	if err := w.reshape(obj, previous, version); err != nil {
		return nil, err
	}
	return indented(whole)
}

// reshape turns an object, and what changed on it, into another version's.
func (w *world) reshape(obj, previous map[string]any, version string) error {
	kind, _ := obj["object"].(string)
	if version < versionTaxes && (kind == "subscription" || kind == "invoice") {
		obj["tax_percent"] = nil
	}
	if version < versionCharges {
		if err := w.addLists(kind, obj, version); err != nil {
			return err
		}
	}
	if version < versionParents {
		return nil
	}
	switch kind {
	case "charge", "payment_intent":
		drop(obj, "invoice")
	case "invoice":
		newInvoiceShape(obj)
	case "subscription":
		newSubscriptionShape(obj, previous, version)
	case "checkout.session":
		obj["collected_information"] = map[string]any{"shipping_details": obj["shipping_details"]}
		drop(obj, "shipping_details")
	}
	if previous != nil && kind == "invoice" {
		drop(previous, "charge", "payment_intent", "paid", "subscription")
	}
	return nil
}

func drop(obj map[string]any, fields ...string) {
	for _, f := range fields {
		delete(obj, f)
	}
}

// addLists puts back what older versions had inside their objects.
func (w *world) addLists(kind string, obj map[string]any, version string) error {
	id, _ := obj["id"].(string)
	switch kind {
	case "charge":
		page, err := toTree(w.refundsOf(id))
		if err != nil {
			return err
		}
		list := page.(map[string]any)
		list["total_count"] = len(list["data"].([]any))
		obj["refunds"] = list
		if version < versionTaxes {
			obj["order"], obj["destination"] = nil, nil
		}
	case "payment_intent":
		page := &listPage{Object: "list", Data: []object{}, URL: "/v1/charges?payment_intent=" + id}
		for _, ch := range slices.Backward(w.charges.by("payment_intent", func(ch *Charge) string { return string(ch.PaymentIntent) }, id)) {
			page.Data = append(page.Data, ch)
		}
		tree, err := toTree(page)
		if err != nil {
			return err
		}
		list := tree.(map[string]any)
		list["total_count"] = len(page.Data)
		for _, inner := range list["data"].([]any) {
			if err := w.addLists("charge", inner.(map[string]any), version); err != nil {
				return err
			}
		}
		obj["charges"] = list
		if version < versionTaxes {
			obj["source"] = nil
		}
	}
	return nil
}

func newInvoiceShape(inv map[string]any) {
	var parent any
	if sub := inv["subscription"]; sub != nil {
		metadata := any(map[string]any{})
		if d, ok := inv["subscription_details"].(map[string]any); ok {
			metadata = d["metadata"]
		}
		parent = map[string]any{"quote_details": nil, "type": "subscription_details",
			"subscription_details": map[string]any{"metadata": metadata, "subscription": sub}}
	}
	inv["parent"] = parent
	inv["amount_overpaid"] = 0
	inv["total_taxes"] = []any{}
	inv["total_pretax_credit_amounts"] = []any{}
	drop(inv, "subscription", "subscription_details", "charge", "payment_intent", "paid", "paid_out_of_band", "quote", "discount", "tax",
		"total_tax_amounts", "transfer_data", "application_fee_amount", "rendering_options")
	if tax, ok := inv["automatic_tax"].(map[string]any); ok {
		tax["disabled_reason"], tax["provider"] = nil, nil
	}
	lines, _ := inv["lines"].(map[string]any)
	data, _ := lines["data"].([]any)
	for _, each := range data {
		newLineShape(each.(map[string]any))
	}
}

func newLineShape(line map[string]any) {
	line["parent"] = map[string]any{"invoice_item_details": nil, "type": "subscription_item_details",
		"subscription_item_details": map[string]any{"invoice_item": nil, "proration": line["proration"], "proration_details": line["proration_details"],
			"subscription": line["subscription"], "subscription_item": line["subscription_item"]}}
	if price, ok := line["price"].(map[string]any); ok {
		line["pricing"] = map[string]any{"type": "price_details", "unit_amount_decimal": price["unit_amount_decimal"],
			"price_details": map[string]any{"price": price["id"], "product": price["product"]}}
	}
	line["taxes"], line["pretax_credit_amounts"] = []any{}, []any{}
	drop(line, "price", "plan", "proration", "proration_details", "subscription", "subscription_item", "tax_amounts", "tax_rates", "type",
		"unit_amount_excluding_tax", "amount_excluding_tax")
}

func newSubscriptionShape(sub, previous map[string]any, version string) {
	items, _ := sub["items"].(map[string]any)
	data, _ := items["data"].([]any)
	for _, each := range data {
		item := each.(map[string]any)
		item["current_period_start"], item["current_period_end"] = sub["current_period_start"], sub["current_period_end"]
		item["discounts"] = []any{}
	}
	drop(sub, "current_period_start", "current_period_end", "discount", "plan", "quantity")
	if version >= versionClover {
		sub["billing_mode"] = map[string]any{"type": "classic"}
	}
	moved := map[string]any{}
	for _, f := range []string{"current_period_start", "current_period_end"} {
		if old, ok := previous[f]; ok {
			moved[f] = old
			delete(previous, f)
		}
	}
	if len(moved) > 0 {
		previous["items"] = map[string]any{"data": []any{moved}}
	}
}
