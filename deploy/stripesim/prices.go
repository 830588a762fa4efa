package stripesim

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Price is Stripe's price.
type Price struct {
	Header
	Active            bool              `json:"active"`
	BillingScheme     string            `json:"billing_scheme"`
	Currency          string            `json:"currency"`
	CustomUnitAmount  any               `json:"custom_unit_amount"`
	Livemode          bool              `json:"livemode"`
	LookupKey         NullString        `json:"lookup_key"`
	Metadata          map[string]string `json:"metadata"`
	Nickname          NullString        `json:"nickname"`
	Product           string            `json:"product"`
	Recurring         *recurring        `json:"recurring"`
	TaxBehavior       string            `json:"tax_behavior"`
	TiersMode         NullString        `json:"tiers_mode"`
	TransformQuantity any               `json:"transform_quantity"`
	Type              string            `json:"type"`
	UnitAmount        int64             `json:"unit_amount"` // minor units
	UnitAmountDecimal string            `json:"unit_amount_decimal"`
}

type recurring struct {
	AggregateUsage  NullString `json:"aggregate_usage"`
	Interval        string     `json:"interval"`
	IntervalCount   int64      `json:"interval_count"`
	TrialPeriodDays *int64     `json:"trial_period_days"`
	UsageType       string     `json:"usage_type"`
}

// plan is a recurring price under its older name.
type plan struct {
	ID              string            `json:"id"`
	Object          string            `json:"object"`
	Active          bool              `json:"active"`
	AggregateUsage  NullString        `json:"aggregate_usage"`
	Amount          int64             `json:"amount"`
	AmountDecimal   string            `json:"amount_decimal"`
	BillingScheme   string            `json:"billing_scheme"`
	Created         int64             `json:"created"`
	Currency        string            `json:"currency"`
	Interval        string            `json:"interval"`
	IntervalCount   int64             `json:"interval_count"`
	Livemode        bool              `json:"livemode"`
	Metadata        map[string]string `json:"metadata"`
	Nickname        NullString        `json:"nickname"`
	Product         string            `json:"product"`
	TiersMode       NullString        `json:"tiers_mode"`
	TransformUsage  any               `json:"transform_usage"`
	TrialPeriodDays *int64            `json:"trial_period_days"`
	UsageType       string            `json:"usage_type"`
}

func (pr *Price) plan() *plan {
	r := pr.Recurring
	return &plan{ID: pr.ID, Object: "plan", Active: pr.Active, Amount: pr.UnitAmount, AmountDecimal: pr.UnitAmountDecimal, BillingScheme: pr.BillingScheme,
		Created: pr.Created, Currency: pr.Currency, Interval: r.Interval, IntervalCount: r.IntervalCount, Livemode: pr.Livemode, Metadata: pr.Metadata,
		Nickname: pr.Nickname, Product: pr.Product, UsageType: r.UsageType}
}

// after is the end of the n-th period since the anchor. A month keeps the
// anchor's day, or ends on its own last.
func (r *recurring) after(anchor int64, n int) int64 {
	at := time.Unix(anchor, 0).UTC()
	n *= int(r.IntervalCount)
	switch r.Interval {
	case "day":
		return at.AddDate(0, 0, n).Unix()
	case "week":
		return at.AddDate(0, 0, 7*n).Unix()
	case "year":
		n *= 12
	}
	first := time.Date(at.Year(), at.Month()+time.Month(n), 1, at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(at.Day(), last)-1).Unix()
}

// next is the end of the period that begins at start.
func (r *recurring) next(anchor, start int64) int64 {
	n := 1
	for r.after(anchor, n) <= start {
		n++
	}
	return r.after(anchor, n)
}

func (t *tx) newPrice() *Price {
	return &Price{Header: t.header("price_", "price", 24), Active: true, BillingScheme: "per_unit", Livemode: t.w.live, Metadata: map[string]string{},
		TaxBehavior: "unspecified", Type: "one_time"}
}

// readPrice reads what a price and price_data have in common, and makes the
// product that product_data describes; the caller saves both.
func (c *call) readPrice(p *params) (*Price, *Product, *Error) {
	pr := c.newPrice()
	p.required("currency")
	if pr.Currency = p.text("currency"); pr.Currency != "" && !isCurrency(pr.Currency) {
		p.fail("", "currency", "Invalid currency: %s.", pr.Currency)
	}
	p.required("unit_amount")
	if pr.UnitAmount = p.integer("unit_amount"); pr.UnitAmount < 0 {
		p.fail("parameter_invalid_integer", "unit_amount", "This value must be greater than or equal to 0.")
	}
	pr.UnitAmountDecimal = strconv.FormatInt(pr.UnitAmount, 10)
	if b := p.oneOf("tax_behavior", "inclusive", "exclusive", "unspecified"); b != "" {
		pr.TaxBehavior = b
	}
	if p.has("recurring") {
		r := p.sub("recurring")
		pr.Type = "recurring"
		r.required("interval")
		pr.Recurring = &recurring{Interval: r.oneOf("interval", "day", "week", "month", "year"), IntervalCount: max(1, r.integer("interval_count")), UsageType: "licensed"}
		r.ignore("usage_type")
		p.adopt("recurring", r)
	}
	var made *Product
	if p.has("product_data") {
		data := p.sub("product_data")
		data.required("name")
		made = c.newProduct()
		readProduct(data, made)
		p.adopt("product_data", data)
		pr.Product = made.ID
	} else {
		p.required("product")
		pr.Product = p.text("product")
		if _, ok := c.w.products.get(pr.Product); !ok && p.err == nil {
			return nil, nil, c.missing(http.StatusBadRequest, "product", pr.Product, "product")
		}
	}
	return pr, made, nil
}

func createPrice(c *call) (any, *Error) {
	p := c.params
	pr, made, err := c.readPrice(p)
	if err != nil {
		return nil, err
	}
	readPriceDetails(p, pr)
	if err := p.finish(); err != nil {
		return nil, err
	}
	if made != nil {
		save(c.tx, c.w.products, made)
		c.emit("product.created", made, nil)
	}
	save(c.tx, c.w.prices, pr)
	c.emit("price.created", pr, nil)
	return pr, nil
}

func readPriceDetails(p *params, pr *Price) {
	if p.has("active") {
		pr.Active = p.boolean("active")
	}
	p.setText("nickname", &pr.Nickname)
	p.setText("lookup_key", &pr.LookupKey)
	p.metadata(pr.Metadata)
	p.ignore("transfer_lookup_key")
}

func retrievePrice(c *call) (any, *Error) { return retrieve(c, c.w.prices, "price", "price") }

func updatePrice(c *call) (any, *Error) {
	pr, err := byPath(c, c.w.prices, "price", "price")
	if err != nil {
		return nil, err
	}
	next := *pr
	next.Metadata = cloneMetadata(pr.Metadata)
	readPriceDetails(c.params, &next)
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	before := *pr
	*pr = next
	save(c.tx, c.w.prices, pr)
	c.emit("price.updated", pr, changed(before, next))
	return pr, nil
}

func listPrices(c *call) (any, *Error) {
	p := c.params
	product, kind, keys, active, byActive := p.text("product"), p.text("type"), p.texts("lookup_keys"), p.boolean("active"), p.has("active")
	return list(c, c.w.prices, func(pr *Price) bool {
		return (product == "" || pr.Product == product) && (kind == "" || pr.Type == kind) && (!byActive || pr.Active == active) &&
			(len(keys) == 0 || slices.Contains(keys, string(pr.LookupKey)))
	})
}

// pricedItem is one line of what is bought.
type pricedItem struct {
	price    *Price
	name     string // of the product
	quantity int64
	metadata map[string]string
}

// readItems reads line_items or items: each names a price or describes one, and
// what it describes is saved as an inactive price.
func (c *call) readItems(name string) ([]pricedItem, *Error) {
	var out []pricedItem
	for i, p := range c.params.list(name) {
		item := pricedItem{quantity: 1, metadata: map[string]string{}}
		if p.has("quantity") {
			if item.quantity = p.integer("quantity"); item.quantity < 1 {
				p.fail("parameter_invalid_integer", "quantity", "This value must be greater than or equal to 1.")
			}
		}
		p.metadata(item.metadata)
		p.ignore("adjustable_quantity", "tax_rates", "id")
		if id := p.text("price"); id != "" {
			found, ok := c.w.prices.get(id)
			if !ok {
				return nil, c.missing(http.StatusBadRequest, "price", id, name+"["+strconv.Itoa(i)+"][price]")
			}
			copied := *found // later changes of the price are not of what was sold
			item.price = &copied
		} else {
			p.required("price_data")
			data := p.sub("price_data")
			pr, made, err := c.readPrice(data)
			if err != nil {
				return nil, err
			}
			p.adopt("price_data", data)
			if p.err == nil && c.params.err == nil {
				pr.Active = false
				c.invented = append(c.invented, pr)
				if made != nil {
					item.name = made.Name
					c.inventedProducts = append(c.inventedProducts, made)
				}
			}
			item.price = pr
		}
		if item.name == "" && item.price != nil {
			item.name = c.productName(item.price.Product)
		}
		c.params.adopt(name+"["+strconv.Itoa(i)+"]", p)
		out = append(out, item)
	}
	return out, nil
}

// keepInvented saves the prices that the parameters described; call it after
// finish.
func (c *call) keepInvented() {
	for _, pr := range c.inventedProducts {
		save(c.tx, c.w.products, pr)
	}
	for _, pr := range c.invented {
		save(c.tx, c.w.prices, pr)
	}
}
