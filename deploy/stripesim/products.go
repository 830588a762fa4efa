package stripesim

import "slices"

// Product is Stripe's product.
type Product struct {
	Header
	Active              bool              `json:"active"`
	DefaultPrice        NullString        `json:"default_price"`
	Description         NullString        `json:"description"`
	Features            []any             `json:"features"`
	Images              []string          `json:"images"`
	Livemode            bool              `json:"livemode"`
	Metadata            map[string]string `json:"metadata"`
	Name                string            `json:"name"`
	PackageDimensions   any               `json:"package_dimensions"`
	Shippable           *bool             `json:"shippable"`
	StatementDescriptor NullString        `json:"statement_descriptor"`
	TaxCode             NullString        `json:"tax_code"`
	Type                string            `json:"type"`
	UnitLabel           NullString        `json:"unit_label"`
	Updated             int64             `json:"updated"`
	URL                 NullString        `json:"url"`
}

func (t *tx) newProduct() *Product {
	return &Product{Header: t.header("prod_", "product", 14), Active: true, Features: []any{}, Images: []string{}, Livemode: t.w.live,
		Metadata: map[string]string{}, Type: "service", Updated: t.now.Unix()}
}

func readProduct(p *params, pr *Product) {
	if p.has("name") {
		pr.Name = p.text("name")
	}
	if p.has("active") {
		pr.Active = p.boolean("active")
	}
	p.setText("description", &pr.Description)
	p.setText("statement_descriptor", &pr.StatementDescriptor)
	p.setText("tax_code", &pr.TaxCode)
	p.setText("unit_label", &pr.UnitLabel)
	p.metadata(pr.Metadata)
}

func createProduct(c *call) (any, *Error) {
	p := c.params
	p.required("name")
	pr := c.newProduct()
	if id := p.text("id"); id != "" {
		if _, taken := c.w.products.get(id); taken {
			return nil, errState("resource_already_exists", "id", "Product already exists.")
		}
		pr.ID = id
	}
	readProduct(p, pr)
	if err := p.finish(); err != nil {
		return nil, err
	}
	save(c.tx, c.w.products, pr)
	c.emit("product.created", pr, nil)
	return pr, nil
}

func retrieveProduct(c *call) (any, *Error) { return retrieve(c, c.w.products, "product", "id") }

func updateProduct(c *call) (any, *Error) {
	pr, err := byPath(c, c.w.products, "product", "id")
	if err != nil {
		return nil, err
	}
	next := *pr
	next.Metadata = cloneMetadata(pr.Metadata)
	readProduct(c.params, &next)
	c.params.setText("default_price", &next.DefaultPrice)
	if err := c.params.finish(); err != nil {
		return nil, err
	}
	before := *pr
	next.Updated = c.now.Unix()
	*pr = next
	save(c.tx, c.w.products, pr)
	c.emit("product.updated", pr, changed(before, next))
	return pr, nil
}

func listProducts(c *call) (any, *Error) {
	p := c.params
	ids, active, byActive := p.texts("ids"), p.boolean("active"), p.has("active")
	return list(c, c.w.products, func(pr *Product) bool {
		return (len(ids) == 0 || slices.Contains(ids, pr.ID)) && (!byActive || pr.Active == active)
	})
}
