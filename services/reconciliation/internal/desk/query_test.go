package desk

import (
	"testing"
	"time"
)

func TestACustomersWordsAreRead(t *testing.T) {
	for words, want := range map[string]Query{
		"jane@example.com":                      {Kind: ByEmail, Text: "jane@example.com"},
		" <Jane+App@Example.com>, ":             {Kind: ByEmail, Text: "Jane+App@Example.com"},
		"mailto:jane@example.com":               {Kind: ByEmail, Text: "jane@example.com"},
		"a1b2c3d4@example.com":                  {Kind: ByEmail, Text: "a1b2c3d4@example.com"},
		"ch_jane@example.com":                   {Kind: ByEmail, Text: "ch_jane@example.com"},
		"#A1B2C3D4":                             {Kind: ByReference, Text: "A1B2C3D4"},
		"a1b2c3d4.":                             {Kind: ByReference, Text: "A1B2C3D4"},
		"a1b2c3d4-e5f":                          {Kind: ByReference, Text: "A1B2C3D4E5F"},
		"A1B2C3D4-E5F6-4A7B-8C9D-0E1F2A3B4C5D":  {Kind: ByID, Text: "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"},
		"a1b2c3d4e5f64a7b8c9d0e1f2a3b4c5d":      {Kind: ByID, Text: "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"},
		"pi_3Abc":                               {Kind: ByIntent, Text: "pi_3Abc"},
		"ch_3Abc":                               {Kind: ByCharge, Text: "ch_3Abc"},
		"py_3Abc":                               {Kind: ByCharge, Text: "py_3Abc"},
		"cus_3Abc":                              {Kind: ByCustomer, Text: "cus_3Abc"},
		"'ch_3Abc'":                             {Kind: ByCharge, Text: "ch_3Abc"},
		"pi_3Abc_secret_xyz":                    {Kind: ByIntent, Text: "pi_3Abc"},
		"Jane Doe <jane@example.com>":           {Kind: ByEmail, Text: "jane@example.com"},
		"mailto:jane@example.com?subject=a%20b": {Kind: ByEmail, Text: "jane@example.com"},
		"Your order A1B2C3D4":                   {Kind: ByReference, Text: "A1B2C3D4"},
		"Reference: A1B2C3D4, on 20261122":      {Kind: ByReference, Text: "A1B2C3D4"},
		"https://shop.example.com/payment-issue?ref=a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d": {Kind: ByID, Text: "a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d"},
		"https://dashboard.stripe.com/payments/pi_3Abc":                                   {Kind: ByIntent, Text: "pi_3Abc"},
	} {
		if got, ok := ReadQuery(words); !ok || got != want {
			t.Errorf("%q: %+v %t, want %+v", words, got, ok, want)
		}
	}
	for _, words := range []string{"", " ", "Jane Example", "a1b2c3d", "a1b2c3dg", "a1b2c3d4e5f64a7b8c9d0e1f2a3b4c5d0", "@example.com", "jane@", "ja ne@example.com", "ch_", "ch_1/2", "evt_1", "4242",
		"A1B2C3D4 or B1B2C3D4", "jane@example.com or joe@example.com", "charged 24900000 on 20261122"} {
		if got, ok := ReadQuery(words); ok {
			t.Errorf("%q is taken for %+v", words, got)
		}
	}
}

// A charge of the printed day, or of a day to either side, is in the window
// wherever the bank and the buyer are.
func TestADayOnAStatementIsADayAnywhere(t *testing.T) {
	from, before := CardHint{Day: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}.Window()
	first, last := time.FixedZone("first", 14*3600), time.FixedZone("last", -12*3600)
	for at, in := range map[time.Time]bool{
		time.Date(2026, 11, 19, 0, 0, 0, 0, first):   true,
		time.Date(2026, 11, 18, 23, 59, 0, 0, first): false,
		time.Date(2026, 11, 21, 23, 59, 0, 0, last):  true,
		time.Date(2026, 11, 22, 0, 0, 0, 0, last):    false,
	} {
		if got := !at.Before(from) && at.Before(before); got != in {
			t.Errorf("%s: %t", at, got)
		}
	}
}
