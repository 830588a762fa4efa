package stripesim

import (
	"net/http"
	"strings"
)

// Customer is Stripe's customer.
type Customer struct {
	Header
	Address             any               `json:"address"`
	Balance             int64             `json:"balance"`
	Currency            NullString        `json:"currency"`
	DefaultSource       NullString        `json:"default_source"`
	Delinquent          bool              `json:"delinquent"`
	Description         NullString        `json:"description"`
	Discount            any               `json:"discount"`
	Email               NullString        `json:"email"`
	InvoicePrefix       string            `json:"invoice_prefix"`
	InvoiceSettings     invoiceSettings   `json:"invoice_settings"`
	Livemode            bool              `json:"livemode"`
	Metadata            map[string]string `json:"metadata"`
	Name                NullString        `json:"name"`
	NextInvoiceSequence int64             `json:"next_invoice_sequence"`
	Phone               NullString        `json:"phone"`
	PreferredLocales    []string          `json:"preferred_locales"`
	Shipping            any               `json:"shipping"`
	TaxExempt           string            `json:"tax_exempt"`
	TestClock           NullString        `json:"test_clock"`
	Deleted             bool              `json:"deleted,omitempty"`
}

type invoiceSettings struct {
	CustomFields         any        `json:"custom_fields"`
	DefaultPaymentMethod NullString `json:"default_payment_method"`
	Footer               NullString `json:"footer"`
	RenderingOptions     any        `json:"rendering_options"`
}

// deletedObject is all that Stripe still says about a deleted object.
type deletedObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

func createCustomer(c *call) (any, *Error) {
	cus := c.newCustomer()
	readCustomer(c.params, cus)
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	save(c.tx, c.w.customers, cus)
	c.emit("customer.created", cus, nil)
	return cus, nil
}

func (t *tx) newCustomer() *Customer {
	return &Customer{
		Header:              t.header("cus_", "customer", 14),
		InvoicePrefix:       strings.ToUpper(newID("", 8)),
		Livemode:            t.w.live,
		Metadata:            map[string]string{},
		NextInvoiceSequence: 1,
		PreferredLocales:    []string{},
		TaxExempt:           "none",
	}
}

func readCustomer(p *params, cus *Customer) {
	p.setText("description", &cus.Description)
	p.setText("email", &cus.Email)
	p.setText("name", &cus.Name)
	p.setText("phone", &cus.Phone)
	p.metadata(cus.Metadata)
	if p.has("balance") {
		cus.Balance = p.integer("balance")
	}
	if p.has("invoice_settings") {
		p.sub("invoice_settings").setText("default_payment_method", &cus.InvoiceSettings.DefaultPaymentMethod)
	}
	if p.has("preferred_locales") {
		cus.PreferredLocales = p.texts("preferred_locales")
	}
	if p.has("address") {
		cus.Address = p.sub("address").tree
	}
	p.ignore("tax_exempt", "validate")
}

// customerByPath finds the customer that the path names; a deleted one is found
// only where Stripe still shows it.
func (c *call) customerByPath() (*Customer, *Error) {
	id := c.r.PathValue("id")
	cus, ok := c.w.customers.get(id)
	if !ok {
		return nil, c.missing(http.StatusNotFound, "customer", id, "id")
	}
	return cus, nil
}

// customerParam checks that the parameter, if sent, names a customer.
func (c *call) customerParam() (NullString, *Error) {
	id := c.params.text("customer")
	if id == "" {
		return "", nil
	}
	if cus, ok := c.w.customers.get(id); !ok || cus.Deleted {
		return "", c.missing(http.StatusBadRequest, "customer", id, "customer")
	}
	return NullString(id), nil
}

func retrieveCustomer(c *call) (any, *Error) {
	cus, err := c.customerByPath()
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	if cus.Deleted {
		return deletedObject{cus.ID, cus.Object, true}, nil
	}
	return cus, nil
}

func updateCustomer(c *call) (any, *Error) {
	cus, err := c.customerByPath()
	if err != nil {
		return nil, err
	}
	if cus.Deleted {
		return nil, c.missing(http.StatusNotFound, "customer", cus.ID, "id")
	}
	next := *cus
	next.Metadata = cloneMetadata(cus.Metadata)
	readCustomer(c.params, &next)
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	before := *cus
	*cus = next
	save(c.tx, c.w.customers, cus)
	c.emit("customer.updated", cus, changed(before, next))
	return cus, nil
}

func deleteCustomer(c *call) (any, *Error) {
	cus, err := c.customerByPath()
	if err == nil && cus.Deleted {
		err = c.missing(http.StatusNotFound, "customer", cus.ID, "id")
	}
	if err == nil {
		err = c.params.finish()
	}
	if err != nil {
		return nil, err
	}
	for _, sub := range c.w.subscriptions.by("customer", func(s *Subscription) string { return string(s.Customer) }, cus.ID) {
		if !sub.ended() {
			c.endSubscription(sub, "")
		}
	}
	c.emit("customer.deleted", cus, nil)
	cus.Deleted = true
	save(c.tx, c.w.customers, cus)
	return deletedObject{cus.ID, cus.Object, true}, nil
}

func listCustomers(c *call) (any, *Error) {
	byEmail, email := c.params.has("email"), c.params.text("email")
	return listBy(c, c.w.customers, []filter[*Customer]{
		{"email", func(cus *Customer) string { return string(cus.Email) }, email},
	}, func(cus *Customer) bool { return !cus.Deleted && (!byEmail || string(cus.Email) == email) })
}
