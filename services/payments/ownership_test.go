package payments_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"makegood.example/services/payments"
)

func TestABadOwnershipFileStopsTheStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ownership.json")
	if err := os.WriteFile(path, []byte(`{"rules": [{"amount": 24900}, {"product": ""}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := payments.LoadConfig(env(map[string]string{"OWNERSHIP_FILE": path}))
	for _, want := range []string{"OWNERSHIP_FILE", "rule 1", "rule 2", "STRIPE_SECRET_KEY"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in: %v", want, err)
		}
	}
}
