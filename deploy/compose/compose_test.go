package compose

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	"makegood.example/deploy/internal/images"
	"makegood.example/deploy/internal/stack"
	"makegood.example/gateway"
	"makegood.example/services/notifications"
	"makegood.example/services/orders"
	"makegood.example/services/payments"
	"makegood.example/services/platform/config"
	"makegood.example/services/provisioning"
	"makegood.example/services/reconciliation"
)

// shell is what whoever runs Compose must set.
var shell = map[string]string{"MAKEGOOD_VERSION": "1.2.3"}

// product is how each process of the product reads its settings.
var product = map[string]func(config.Lookup) error{
	"orders":         func(l config.Lookup) error { _, err := orders.LoadConfig(l); return err },
	"payments":       func(l config.Lookup) error { _, err := payments.LoadConfig(l); return err },
	"provisioning":   func(l config.Lookup) error { _, err := provisioning.LoadConfig(l); return err },
	"notifications":  func(l config.Lookup) error { _, err := notifications.LoadConfig(l); return err },
	"reconciliation": func(l config.Lookup) error { _, err := reconciliation.LoadConfig(l); return err },
	"gateway":        func(l config.Lookup) error { _, err := gateway.LoadConfig(l); return err },
}

func load(t *testing.T) *types.Project {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(t.Context(), dir, shell)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestItIsStrict: a word that Compose does not know, or a version that nobody
// chose, is refused.
func TestItIsStrict(t *testing.T) {
	body, err := os.ReadFile(File)
	if err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile("makegood.env")
	if err != nil {
		t.Fatal(err)
	}
	try := func(text string, shell map[string]string) error {
		dir := t.TempDir()
		for name, body := range map[string][]byte{File: []byte(text), "makegood.env": env} {
			if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Load(t.Context(), dir, shell)
		return err
	}
	if err := try(string(body), shell); err != nil {
		t.Error(err)
	}
	if err := try(strings.Replace(string(body), "  read_only:", "  readonly:", 1), shell); err == nil {
		t.Error("a misspelt word is read over")
	}
	if err := try(string(body), nil); err == nil || !strings.Contains(err.Error(), "MAKEGOOD_VERSION") {
		t.Errorf("without a version: %v", err)
	}
}

// TestWhatRuns: every process of the product, from the images that make images
// makes, and nothing else but a pinned PostgreSQL.
func TestWhatRuns(t *testing.T) {
	p := load(t)
	var known []string
	for _, program := range images.Programs {
		known = append(known, images.Release{Version: "1.2.3"}.Reference(program.Name))
	}
	for name := range product {
		s, ok := p.Services[name]
		if !ok || s.Image != "makegood/"+name+":1.2.3" || s.Restart != types.RestartPolicyUnlessStopped || s.StopGracePeriod == nil ||
			len(s.Entrypoint)+len(s.Command) != 0 {
			t.Errorf("%s: %s, restarted %q", name, s.Image, s.Restart)
		}
		if s.HealthCheck == nil || !slices.Equal(s.HealthCheck.Test, []string{"CMD", "/" + name, "healthcheck"}) {
			t.Errorf("%s is checked by %+v", name, s.HealthCheck)
		}
		for _, job := range []string{"migrate", "certs"} {
			if s.DependsOn[job].Condition != types.ServiceConditionCompletedSuccessfully {
				t.Errorf("%s does not wait for %s", name, job)
			}
		}
	}
	for name, s := range p.Services {
		tag := s.Image[strings.LastIndex(s.Image, ":")+1:]
		if pinned := name == "postgres" && strings.Count(tag, ".") == 1; !pinned && !slices.Contains(known, s.Image) {
			t.Errorf("%s runs %s", name, s.Image)
		}
	}
	if len(p.Services) != len(product)+5 { // postgres, migrate, certs, renew-certs, token
		t.Errorf("there are %v", slices.Sorted(maps.Keys(p.Services)))
	}
}

// TestNothingHasRights: whatever runs, runs as nobody, without capabilities, on
// a file system that it cannot write, and within limits.
func TestNothingHasRights(t *testing.T) {
	for name, s := range load(t).Services {
		if s.User != "65532:65532" && name != "postgres" || s.User == "" || s.User == "root" || strings.HasPrefix(s.User, "0") {
			t.Errorf("%s runs as %q", name, s.User)
		}
		if !s.ReadOnly || s.Privileged || len(s.CapAdd) != 0 || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) ||
			s.Pid != "" || s.Ipc != "" || s.NetworkMode != "" && s.NetworkMode != "none" || len(s.Devices) != 0 {
			t.Errorf("%s may more than it must: %+v", name, s)
		}
		if s.Logging == nil || s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("%s logs without an end", name)
		}
		if name != "postgres" && (s.MemLimit == 0 || s.PidsLimit == 0) {
			t.Errorf("%s has no limits", name)
		}
		for _, v := range s.Volumes {
			writes := name == "postgres" || name == "token" || strings.HasSuffix(name, "certs")
			if v.Type != types.VolumeTypeVolume || v.ReadOnly == writes {
				t.Errorf("%s mounts %+v", name, v)
			}
		}
	}
}

// TestWhoReachesWhom: only the gateway is published, on this machine alone; the
// database is reached by those who keep something in it, and from nowhere else.
func TestWhoReachesWhom(t *testing.T) {
	p := load(t)
	outside := []string{"gateway", "notifications", "payments", "provisioning"}
	for name, s := range p.Services {
		var published []string
		for _, port := range s.Ports {
			published = append(published, port.HostIP+":"+port.Published)
		}
		if want := []string{"127.0.0.1:8080", "127.0.0.1:8081"}; name == "gateway" && !slices.Equal(published, want) || name != "gateway" && len(published) != 0 {
			t.Errorf("%s is published at %v", name, published)
		}
		_, data := s.Networks["data"]
		if keeps := product[name] != nil && name != "gateway" || name == "postgres" || name == "migrate"; data != keeps {
			t.Errorf("%s reaches the database: %v", name, data)
		}
		if _, calls := s.Networks["calls"]; calls != (product[name] != nil) {
			t.Errorf("%s reaches the services: %v", name, calls)
		}
		if _, goes := s.Networks["outside"]; goes != slices.Contains(outside, name) {
			t.Errorf("%s reaches the world: %v", name, goes)
		}
	}
	if !p.Networks["data"].Internal || !p.Networks["calls"].Internal || p.Networks["outside"].Internal {
		t.Error("the networks inside lead outside, or the other way round")
	}
	subnet := p.Networks["outside"].Ipam.Config[0]
	if trusted := p.Services["gateway"].Environment["TRUSTED_PROXIES"]; trusted == nil || *trusted != subnet.Gateway+"/32" {
		t.Errorf("what comes from this machine comes from %s, and is not believed", subnet.Gateway)
	}
}

// TestSettings: every process is given what it needs to start, only settings that
// are documented, and no secret of another's.
func TestSettings(t *testing.T) {
	p := load(t)
	documented, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{
		"stripe-secret-key": "sk_test_example", "stripe-webhook-secrets": "whsec_example", "smtp-url": "smtp://mail.example.com:587",
	}
	dir := t.TempDir()
	for name, read := range product {
		s := p.Services[name]
		granted := map[string]string{} // a path in the container, and where it lies here
		for _, secret := range s.Secrets {
			value := secrets[secret.Source]
			if value == "" {
				value = "postgres://example@postgres:5432/makegood"
			}
			path := filepath.Join(dir, secret.Source)
			if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
			granted["/run/secrets/"+secret.Source] = path
			if key := strings.ToUpper(strings.ReplaceAll(secret.Source, "-", "_")); stack.Withheld(key, name) {
				t.Errorf("%s is given the secret %s", name, secret.Source)
			}
		}
		for key, value := range s.Environment {
			if !isDocumented(string(documented), key) {
				t.Errorf("%s: docs/settings.md does not name %s", name, key)
			}
			if stack.Withheld(key, name) || value == nil {
				t.Errorf("%s is given %s", name, key)
			}
		}
		if err := read(func(key string) (string, bool) {
			value, ok := s.Environment[key]
			if !ok {
				return "", false
			}
			if here := granted[*value]; here != "" {
				return here, true
			}
			return *value, true
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for key := range p.Secrets {
		if file := p.Secrets[key].File; filepath.Base(filepath.Dir(file)) != "secrets" || filepath.Base(file) != key {
			t.Errorf("%s is in %s", key, file)
		}
	}
}

// isDocumented knows that of what each service has one, the page may name the
// first, or only the end.
func isDocumented(page, key string) bool {
	key = strings.TrimSuffix(key, "_FILE")
	for _, k := range []string{key, key + "_FILE"} {
		if strings.Contains(page, "`"+k+"`") {
			return true
		}
	}
	_, end, _ := strings.Cut(key, "_")
	for _, service := range []string{"ORDERS", "PAYMENTS", "PROVISIONING", "NOTIFICATIONS", "RECONCILIATION"} {
		if strings.HasPrefix(key, service+"_") && (strings.Contains(page, "`ORDERS_"+end+"`") || strings.Contains(page, "`…_"+end+"`")) {
			return true
		}
	}
	return false
}
