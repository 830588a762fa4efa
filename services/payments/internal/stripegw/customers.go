package stripegw

import (
	"context"

	"github.com/stripe/stripe-go/v76"
)

// CreateCustomer creates the Customer of an address. Errors: ErrUnknown,
// ErrRefused, ErrKeyReused.
func (g *Gateway) CreateCustomer(ctx context.Context, key, email, name string) (string, error) {
	params := &stripe.CustomerParams{Params: request(ctx, key), Email: stripe.String(email)}
	if name != "" {
		params.Name = stripe.String(name)
	}
	params.AddMetadata("makegood_app", g.cfg.AppID)
	c, err := g.api.Customers.New(params)
	if err != nil {
		return "", classify(err)
	}
	return c.ID, nil
}

// FindCustomers lists the ids of our Customers with an address, as typed.
// Errors: ErrUnknown.
func (g *Gateway) FindCustomers(ctx context.Context, email string) ([]string, error) {
	it := g.api.Customers.List(&stripe.CustomerListParams{
		ListParams: stripe.ListParams{Context: ctx, Limit: stripe.Int64(100)}, Email: stripe.String(email),
	})
	var ids []string
	for it.Next() {
		if c := it.Customer(); g.IsOurs(c.Metadata) {
			ids = append(ids, c.ID)
		}
	}
	return ids, classify(it.Err())
}

// Customer is a Customer as Stripe shows it; a deleted one is only an id.
type Customer struct {
	Email, Name string
	Metadata    map[string]string
}

// GetCustomer reads whose Customer it is. Errors: ErrUnknown, ErrNotFound.
func (g *Gateway) GetCustomer(ctx context.Context, id string) (Customer, error) {
	c, err := g.api.Customers.Get(id, &stripe.CustomerParams{Params: request(ctx, "")})
	if err != nil {
		return Customer{}, classify(err)
	}
	return Customer{Email: c.Email, Name: c.Name, Metadata: c.Metadata}, nil
}
