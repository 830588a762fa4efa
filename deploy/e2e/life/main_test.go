// Package life plays the years of a subscription with the whole product in one
// process: renewals, declines, grace, cancellations, refunds, and webhooks that
// are lost, repeated and overtaken. At every moment at which anything happens,
// once a day, and around each time at which access may end, access is what it
// must be by Stripe; in the end there is one order, one grant and one mail for
// each paid term.
//
// A random life that fails names its seed: LIFE_SEED=<seed> plays it again, and
// LIFE_COUNT=<n> plays that many, one after the other, from it on.
package life

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"makegood.example/deploy/internal/oneprocess"
	"makegood.example/deploy/internal/stack"
	"makegood.example/services/platform/pgtest"
)

func TestMain(m *testing.M) {
	// A life mostly waits for the database: several can wait at once.
	_ = flag.Set("test.parallel", "6")
	if !flag.Parsed() {
		flag.Parse()
	}
	pgtest.Main(m, stack.Schemas...)
}

const (
	day     = 24 * time.Hour
	monthly = "monthly-subscription"
	annual  = "annual-subscription"
	visa    = "pm_card_visa"
	// declining is attached and renews nothing.
	declining = "pm_card_chargeCustomerFail"
	// asking has the bank ask at each renewal.
	asking = "pm_card_authenticationRequired"
)

const plans = `{"plans": [
	{"id": "monthly-subscription", "name": "Monthly subscription", "term_months": 1, "renews": true,
		"prices": [{"currency": "USD", "amount_minor": 2900}, {"currency": "JPY", "amount_minor": 4300}]},
	{"id": "annual-subscription", "name": "Annual subscription", "term_months": 12, "renews": true,
		"prices": [{"currency": "USD", "amount_minor": 24900}]}
]}`

// world is one in which months can be subscribed to.
func world(t *testing.T, post oneprocess.Post, begin time.Time) *oneprocess.World {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plans.json")
	if err := os.WriteFile(file, []byte(plans), 0o600); err != nil {
		t.Fatal(err)
	}
	return oneprocess.New(t, oneprocess.Options{Begin: begin, Post: post, Settings: map[string]string{"PLANS_FILE": file}})
}

func number(t *testing.T, key string, standard int) int {
	t.Helper()
	set := os.Getenv(key)
	if set == "" {
		return standard
	}
	n, err := strconv.Atoi(set)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return n
}
