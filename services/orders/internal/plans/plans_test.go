package plans_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"makegood.example/services/orders/internal/plans"
	"makegood.example/services/platform/money"
)

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plans.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheShippedPlansAreValid(t *testing.T) {
	p, err := plans.Load("")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"USD": 24900, "EUR": 23900, "JPY": 36900, "KWD": 76500}
	for id, renews := range map[string]bool{"annual": false, "annual-subscription": true} {
		for currency, minor := range want {
			plan, price, err := p.Find(id, currency)
			if err != nil || plan.TermMonths != 12 || plan.Renews != renews || price.AmountMinor != minor || price.Currency != currency {
				t.Errorf("%s in %s: %+v %+v %v", id, currency, plan, price, err)
			}
			if err := money.Check(price.AmountMinor, price.Currency); err != nil {
				t.Error(err)
			}
		}
	}
	if _, price, err := p.Find("annual", ""); err != nil || price.Currency != "USD" {
		t.Errorf("the first currency: %+v %v", price, err)
	}
}

func TestFind(t *testing.T) {
	p, err := plans.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Find("annual", "SEK"); !plans.IsNoPrice(err) {
		t.Errorf("a currency that is not sold: %v", err)
	}
	if _, _, err := p.Find("forever", "USD"); err == nil || plans.IsNoPrice(err) {
		t.Errorf("a plan that is not sold: %v", err)
	}
	// Currencies are looked up as ISO 4217 writes them.
	if _, _, err := p.Find("annual", "usd"); !plans.IsNoPrice(err) {
		t.Errorf("usd: %v", err)
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	_, err := plans.Load(file(t, `{"plans": [
		{"id": "Annual!", "name": "A", "term_months": 12, "prices": [{"currency": "USD", "amount_minor": 100}]},
		{"id": "two", "name": "", "term_months": 0, "prices": []},
		{"id": "two", "name": "Two", "term_months": 121, "prices": [
			{"currency": "usd", "amount_minor": 100},
			{"currency": "USD", "amount_minor": 0},
			{"currency": "USD", "amount_minor": 100},
			{"currency": "KWD", "amount_minor": 1001},
			{"currency": "ISK", "amount_minor": 150},
			{"currency": "EUR", "amount_minor": 100000000}]},
		{"id": "long", "name": "Long", "term_months": 37, "renews": true, "prices": [{"currency": "USD", "amount_minor": 100}]}
	]}`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{
		`"Annual!" must be lower-case`, `"two" stands twice`, `"two" has no name`, `term_months 0`, `term_months 121`, `term_months 37 is more than the 36`,
		`"two" has no price`, `"usd" is not three capital letters`, `amount_minor 0 USD is not positive`,
		`two prices in USD`, `1001 KWD`, `150 ISK`, `100000000 EUR has more than eight digits`,
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("not named: %s\nin %v", part, err)
		}
	}
}

func TestAFileThatCannotBeMeant(t *testing.T) {
	for name, content := range map[string]string{
		"empty":           ``,
		"no plan":         `{"plans": []}`,
		"not JSON":        `plans: []`,
		"unknown field":   `{"plans": [{"id": "a", "name": "A", "term_months": 1, "price": 5, "prices": [{"currency": "USD", "amount_minor": 100}]}]}`,
		"a fraction":      `{"plans": [{"id": "a", "name": "A", "term_months": 1, "prices": [{"currency": "USD", "amount_minor": 249.5}]}]}`,
		"amount as text":  `{"plans": [{"id": "a", "name": "A", "term_months": 1, "prices": [{"currency": "USD", "amount_minor": "100"}]}]}`,
		"something after": `{"plans": [{"id": "a", "name": "A", "term_months": 1, "prices": [{"currency": "USD", "amount_minor": 100}]}]} {"plans": []}`,
		// Payments refuses a description of more than 200 characters, so no
		// order for this plan could ever be charged.
		"a name too long to charge": `{"plans": [{"id": "a", "name": "` + strings.Repeat("n", 201) + `", "term_months": 1, "prices": [{"currency": "USD", "amount_minor": 100}]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := plans.Load(file(t, content)); err == nil {
				t.Errorf("accepted: %+v", p)
			}
		})
	}
	if _, err := plans.Load(filepath.Join(t.TempDir(), "none.json")); err == nil || !strings.Contains(err.Error(), "PLANS_FILE") {
		t.Errorf("a missing file: %v", err)
	}
}
