// Package ownership is how a charge of another checkout on the same Stripe
// account is known as one that a person may adopt: by rules that the operator
// writes down. A rule never goes by amount or address, and nothing is granted
// because of one.
package ownership

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Rules say which charges are claimed; the zero Rules claim none.
type Rules struct {
	whole bool
	rules []rule
}

type rule struct {
	Product  string    `json:"product"`
	Price    string    `json:"price"`
	Metadata *metadata `json:"metadata"`
}

// metadata is a key that a charge has; an empty value stands for any.
type metadata struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Load reads a file of rules; problems are all that is wrong with it.
func Load(path string) (r Rules, problems []string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return Rules{}, []string{"it cannot be read: " + err.Error()}
	}
	return Parse(raw)
}

// Parse reads rules; problems are all that is wrong with them.
func Parse(raw []byte) (r Rules, problems []string) {
	var file struct {
		WholeAccount bool              `json:"whole_account"`
		Rules        []json.RawMessage `json:"rules"`
	}
	if err := strict(raw, &file); err != nil {
		return Rules{}, []string{err.Error()}
	}
	switch {
	case file.WholeAccount && len(file.Rules) > 0:
		problems = append(problems, "whole_account claims everything: beside it, rules say nothing")
	case !file.WholeAccount && len(file.Rules) == 0:
		problems = append(problems, "it claims nothing: neither whole_account nor a rule is there")
	}
	r.whole = file.WholeAccount
	for i, raw := range file.Rules {
		var one rule
		err := strict(raw, &one)
		if err == nil {
			err = one.check()
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("rule %d: %v", i+1, err))
			continue
		}
		if j := slices.IndexFunc(r.rules, one.equal); j >= 0 {
			problems = append(problems, fmt.Sprintf("rule %d says the same as an earlier one: %s", i+1, one))
		}
		r.rules = append(r.rules, one)
	}
	if len(problems) > 0 {
		return Rules{}, problems
	}
	return r, nil
}

// strict decodes one value and refuses fields that nobody reads.
func strict(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows after its end")
	}
	return nil
}

func (r rule) check() error {
	said := 0
	for _, is := range []bool{r.Product != "", r.Price != "", r.Metadata != nil} {
		if is {
			said++
		}
	}
	switch {
	case said != 1:
		return errors.New("it must say exactly one of product, price and metadata")
	case r.Metadata != nil && r.Metadata.Key == "":
		return errors.New("metadata has no key")
	}
	return nil
}

func (r rule) equal(other rule) bool { return r.String() == other.String() }

// String is the rule in plain words.
func (r rule) String() string {
	switch {
	case r.Product != "":
		return "product " + r.Product
	case r.Price != "":
		return "price " + r.Price
	case r.Metadata.Value == "":
		return "metadata has " + r.Metadata.Key
	default:
		return fmt.Sprintf("metadata %s is %s", r.Metadata.Key, r.Metadata.Value)
	}
}

// Seen is what a rule may go by.
type Seen struct {
	// Metadata are those of the charge, or of what stands behind it.
	Metadata []map[string]string
	// Prices and Products are known only of a charge that paid an invoice.
	Prices, Products []string
}

// Claims says whether the rules claim a charge, and in plain words why.
func (r Rules) Claims(s Seen) (why string, claimed bool) {
	if r.whole {
		return "the whole account is claimed", true
	}
	for _, one := range r.rules {
		if one.fits(s) {
			return one.String(), true
		}
	}
	return "", false
}

func (r rule) fits(s Seen) bool {
	switch {
	case r.Product != "":
		return slices.Contains(s.Products, r.Product)
	case r.Price != "":
		return slices.Contains(s.Prices, r.Price)
	}
	return slices.ContainsFunc(s.Metadata, func(m map[string]string) bool {
		value, has := m[r.Metadata.Key]
		return has && (r.Metadata.Value == "" || value == r.Metadata.Value)
	})
}
