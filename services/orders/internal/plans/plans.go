// Package plans reads what can be bought from a file and refuses a file that
// would make a charge fail.
package plans

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"unicode/utf8"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/platform/money"
)

//go:embed plans.json
var shipped []byte

// Plans is what can be bought, in the order it is offered.
type Plans struct {
	List []order.Plan
}

// Load reads the plan file; without a path, the one that ships with Orders.
// Every problem in it is named.
func Load(path string) (Plans, error) {
	raw := shipped
	if path != "" {
		var err error
		if raw, err = os.ReadFile(path); err != nil {
			return Plans{}, fmt.Errorf("PLANS_FILE: %w", err)
		}
	}
	return parse(raw)
}

// Find returns a plan and its price; an empty currency is the plan's first.
func (p Plans) Find(planID, currency string) (order.Plan, order.Price, error) {
	for _, plan := range p.List {
		if plan.ID != planID {
			continue
		}
		if currency == "" {
			return plan, plan.Prices[0], nil
		}
		for _, price := range plan.Prices {
			if price.Currency == currency {
				return plan, price, nil
			}
		}
		return plan, order.Price{}, errNoPrice
	}
	return order.Plan{}, order.Price{}, errNoPlan
}

var (
	errNoPlan  = errors.New("there is no such plan")
	errNoPrice = errors.New("this plan is not sold in this currency")
)

// IsNoPrice says whether Find failed for the currency, not the plan.
func IsNoPrice(err error) bool { return errors.Is(err, errNoPrice) }

var planID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// maxName is what Payments accepts as the description of a charge.
const maxName = 200

// maxRenewsMonths is the longest interval of a subscription at Stripe.
const maxRenewsMonths = 36

func parse(raw []byte) (Plans, error) {
	var file struct {
		Plans []struct {
			ID         string `json:"id"`
			Name       string `json:"name"`
			TermMonths int32  `json:"term_months"`
			Renews     bool   `json:"renews"`
			Prices     []struct {
				Currency    string `json:"currency"`
				AmountMinor int64  `json:"amount_minor"`
			} `json:"prices"`
		} `json:"plans"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return Plans{}, fmt.Errorf("plan file: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Plans{}, errors.New("plan file: something follows the plans")
	}
	var out Plans
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("plan file: "+format, args...))
	}
	if len(file.Plans) == 0 {
		problem("there is no plan")
	}
	seen := map[string]bool{}
	for _, p := range file.Plans {
		if !planID.MatchString(p.ID) {
			problem("id %q must be lower-case letters, digits and dashes", p.ID)
		}
		if seen[p.ID] {
			problem("plan %q stands twice", p.ID)
		}
		seen[p.ID] = true
		if p.Name == "" {
			problem("plan %q has no name", p.ID)
		}
		if utf8.RuneCountInString(p.Name) > maxName {
			problem("plan %q: the name is longer than %d characters", p.ID, maxName)
		}
		if p.TermMonths < 1 || p.TermMonths > 120 {
			problem("plan %q: term_months %d is not between 1 and 120", p.ID, p.TermMonths)
		}
		if p.Renews && p.TermMonths > maxRenewsMonths {
			problem("plan %q: term_months %d is more than the %d after which Stripe can renew at the latest", p.ID, p.TermMonths, maxRenewsMonths)
		}
		if len(p.Prices) == 0 {
			problem("plan %q has no price", p.ID)
		}
		plan := order.Plan{ID: p.ID, Name: p.Name, TermMonths: p.TermMonths, Renews: p.Renews}
		currencies := map[string]bool{}
		for _, price := range p.Prices {
			if err := money.Check(price.AmountMinor, price.Currency); err != nil {
				problem("plan %q: %v", p.ID, err)
			}
			if currencies[price.Currency] {
				problem("plan %q has two prices in %s", p.ID, price.Currency)
			}
			currencies[price.Currency] = true
			plan.Prices = append(plan.Prices, order.Price{Currency: price.Currency, AmountMinor: price.AmountMinor})
		}
		out.List = append(out.List, plan)
	}
	return out, errors.Join(problems...)
}
