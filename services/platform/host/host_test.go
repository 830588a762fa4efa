package host_test

import (
	"strings"
	"testing"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/host"
)

// What is not encrypted stays on this machine.
func TestWithoutTLSAServiceListensOnLoopbackOnly(t *testing.T) {
	for _, c := range []struct {
		listen, dir string
		refused     bool
	}{
		{"127.0.0.1:9101", "", false}, {"[::1]:9101", "", false}, {"localhost:9101", "", false},
		{"0.0.0.0:9101", "", true}, {":9101", "", true}, {"10.0.0.5:9101", "", true}, {"orders:9101", "", true},
		{"0.0.0.0:9101", "/etc/makegood/tls", false}, {":9101", "/etc/makegood/tls", false}, {"no address", "/etc/makegood/tls", true},
	} {
		env := map[string]string{"ORDERS_GRPC_LISTEN": c.listen, "GRPC_TLS_DIR": c.dir, "ORDERS_DATABASE_URL": "postgres://x"}
		r := config.NewReader(func(key string) (string, bool) { v, ok := env[key]; return v, ok })
		cfg := host.LoadConfig(r, "ORDERS")
		err := r.Err()
		if refused := err != nil; refused != c.refused || !refused && (cfg.Listen != c.listen || cfg.TLSDir != c.dir) {
			t.Errorf("%q with certificates in %q: %v", c.listen, c.dir, err)
		}
		if c.refused && c.dir == "" && !strings.Contains(err.Error(), "set GRPC_TLS_DIR") {
			t.Errorf("no remedy in %v", err)
		}
	}
}
