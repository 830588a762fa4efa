package ownership_test

import (
	"path/filepath"
	"strings"
	"testing"

	"makegood.example/services/payments/internal/ownership"
)

func TestRulesClaimByWhatTheySayAndNothingElse(t *testing.T) {
	t.Parallel()
	rules, problems := ownership.Parse([]byte(`{"rules": [
		{"product": "prod_old"}, {"price": "price_old"}, {"metadata": {"key": "shop", "value": "old"}}, {"metadata": {"key": "legacy_id"}}]}`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	meta := func(pairs ...string) ownership.Seen {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return ownership.Seen{Metadata: []map[string]string{nil, m}}
	}
	for _, c := range []struct {
		seen ownership.Seen
		want string
	}{
		{ownership.Seen{}, ""},
		{ownership.Seen{Products: []string{"prod_new"}, Prices: []string{"prod_old"}}, ""},
		{ownership.Seen{Products: []string{"prod_new", "prod_old"}}, "product prod_old"},
		{ownership.Seen{Prices: []string{"price_old"}}, "price price_old"},
		{meta("shop", "new"), ""},
		{meta("shop", "old"), "metadata shop is old"},
		{meta("legacy_id", ""), "metadata has legacy_id"},
	} {
		if why, claimed := rules.Claims(c.seen); why != c.want || claimed != (c.want != "") {
			t.Errorf("%v: %q %v, want %q", c.seen, why, claimed, c.want)
		}
	}
	whole, problems := ownership.Parse([]byte(`{"whole_account": true}`))
	if _, claimed := whole.Claims(ownership.Seen{}); !claimed || len(problems) > 0 {
		t.Errorf("the whole account: %v %v", claimed, problems)
	}
	if _, claimed := (ownership.Rules{}).Claims(meta("shop", "old")); claimed {
		t.Error("without a file something is claimed")
	}
}

func TestEveryProblemOfTheFileIsNamed(t *testing.T) {
	t.Parallel()
	_, problems := ownership.Parse([]byte(`{"whole_account": true, "rules": [
		{}, {"product": "p", "price": "q"}, {"metadata": {"value": "x"}}, {"amount": 24900}, {"product": "same"}, {"product": "same"}]}`))
	all := strings.Join(problems, "\n")
	for _, want := range []string{"beside it", "rule 1: ", "rule 2: ", "rule 3: metadata has no key", "rule 4: ", `"amount"`, "rule 6 says the same"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among\n%s", want, all)
		}
	}
	for _, bad := range []string{``, `{`, `{}`, `{"rules": []}`, `{"whole_account": "yes"}`, `{"whole_account": true} more`, `{"claims": []}`} {
		if rules, problems := ownership.Parse([]byte(bad)); len(problems) == 0 {
			t.Errorf("%s: %v", bad, rules)
		}
	}
	if _, problems := ownership.Load(filepath.Join(t.TempDir(), "none")); len(problems) != 1 {
		t.Errorf("a file that is not there: %v", problems)
	}
}
