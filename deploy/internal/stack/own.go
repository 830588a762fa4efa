package stack

import (
	"os"
	"slices"
	"strings"
)

// OwnFolder is a new folder inside the state folder, which PostgreSQL's user
// may enter; Remove takes it away again.
func OwnFolder(state, prefix string) (string, error) {
	if err := os.MkdirAll(state, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(state, prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// MachineEnv keeps of the user's environment what the machine needs and drops
// every setting of the product: what only shows or measures must not meet a
// real database, mail server or Stripe key.
func MachineEnv(user []string) []string {
	kept := []string{"PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "PG_BIN", "GOTRACEBACK"}
	return slices.DeleteFunc(slices.Clone(user), func(pair string) bool {
		key, _, _ := strings.Cut(pair, "=")
		return !slices.Contains(kept, key)
	})
}
