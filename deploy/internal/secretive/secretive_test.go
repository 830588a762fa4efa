package secretive_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"makegood.example/deploy/internal/secretive"
)

// TestLogsThatTell: each form, and each word, is found in the log that has it, and
// nothing in the one that tells nothing.
func TestLogsThatTell(t *testing.T) {
	secrets := secretive.New()
	secrets.Keep("a name", "Winifred Example-Quux")
	for what, planted := range map[string]string{
		"a name": "winifred example-quux", "an address of a customer": "Sam.Example+x@example.com", "a client secret": "pi_1_secret_2", "a Stripe key": "sk_live_1",
		"a webhook secret": "whsec_1", "a token of ours": "mg_admin_1", "a card number": "4242 4242 4242 4242", "a bearer": "Authorization: Bearer abcdefgh",
		"a password in an address": "postgres://orders:word@127.0.0.1/x", "a private key": "-----BEGIN PRIVATE KEY-----", "a signature": "t=1,v1=0123456789abcdef0123",
	} {
		folder := t.TempDir()
		quiet := `{"service":"orders","order_id":"6f9619ff-8b86-5011-b42d-00cf4fc964ff","msg":"Moved to hello@makegood.example","charge":"ch_1","intent":"pi_1"}` + "\n"
		for name, text := range map[string]string{"orders.log": quiet, "payments.log": quiet + `{"msg":"oh: ` + planted + `"}` + "\n" + quiet} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		told, err := secrets.InLogs(folder)
		if err != nil || len(told) != 1 || len(told["payments.log"]) == 0 || !strings.Contains(strings.Join(told["payments.log"], "\n"), what+" in: {") {
			t.Errorf("%s: %v, %v", what, told, err)
		}
	}
	if _, err := secrets.InLogs(t.TempDir()); err == nil {
		t.Error("a folder without logs tells nothing, and that is no answer")
	}
}
