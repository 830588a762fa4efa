package helm

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"

	"makegood.example/deploy/internal/stack"
	"makegood.example/gateway"
	"makegood.example/services/notifications"
	"makegood.example/services/orders"
	"makegood.example/services/payments"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/mtls"
	"makegood.example/services/provisioning"
	"makegood.example/services/reconciliation"
)

// programs are what the chart runs all the time, and how each reads its settings.
var programs = map[string]func(config.Lookup) error{
	"orders":         func(l config.Lookup) error { _, err := orders.LoadConfig(l); return err },
	"payments":       func(l config.Lookup) error { _, err := payments.LoadConfig(l); return err },
	"provisioning":   func(l config.Lookup) error { _, err := provisioning.LoadConfig(l); return err },
	"notifications":  func(l config.Lookup) error { _, err := notifications.LoadConfig(l); return err },
	"reconciliation": func(l config.Lookup) error { _, err := reconciliation.LoadConfig(l); return err },
	"gateway":        func(l config.Lookup) error { _, err := gateway.LoadConfig(l); return err },
}

// secretly is what the Secrets hold, by setting.
var secretly = map[string]string{
	"STRIPE_SECRET_KEY": "sk_live_example", "STRIPE_WEBHOOK_SECRETS": "whsec_example", "SMTP_URL": "smtp://mail.example.com:587",
	"ACCESS_HOOK_SECRETS": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "SLACK_BOT_TOKEN": "xoxb-example", "SLACK_WEBHOOK_URL": "https://hooks.example.com/x",
	"ADMIN_TOKENS_FILE": "[]", "SERVICE_TOKENS_FILE": "[]",
}

func secretValue(setting string) string {
	if service, ok := strings.CutSuffix(setting, "_DATABASE_URL"); ok {
		return "postgres://makegood_" + strings.ToLower(service) + ":example@10.20.0.5:5432/makegood"
	}
	return secretly[setting]
}

// world is a Pod's surroundings: its environment, and the files it finds under /etc.
type world struct {
	env  map[string]string
	root string
}

// lookup reads the environment; paths lead to the files made here.
func (w world) lookup(key string) (string, bool) {
	v, ok := w.env[key]
	if strings.HasPrefix(v, "/etc/makegood/") {
		v = filepath.Join(w.root, v)
	}
	return v, ok
}

// surround gives a program what the chart gives it: certificates are any folder of
// makegood certs, and each key of a Secret holds what the values say is in it.
func surround(t *testing.T, r *rendering, v map[string]any, program string) world {
	t.Helper()
	w := world{env: map[string]string{}, root: t.TempDir()}
	maps := map[string]map[string]string{}
	for _, m := range of[*core.ConfigMap](r) {
		maps[m.Name] = m.Data
	}
	pod := r.pods()[program]
	c := own(t, pod)
	for _, from := range c.EnvFrom {
		for key, value := range maps[from.ConfigMapRef.Name] {
			w.env[key] = value
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil {
			t.Errorf("%s: %s shows in the environment", program, e.Name)
		}
		w.env[e.Name] = e.Value
	}
	write := func(mount, path, text string) {
		t.Helper()
		file := filepath.Join(w.root, mount, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mounts := map[string]string{}
	for _, m := range c.VolumeMounts {
		mounts[m.Name] = m.MountPath
	}
	for _, volume := range pod.Spec.Volumes {
		at := mounts[volume.Name]
		switch {
		case at == "":
			t.Errorf("%s does not mount %s", program, volume.Name)
		case volume.Secret != nil:
			made := t.TempDir()
			if err := mtls.Make(made, append(servicesOf(), mtls.Gateway), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(volume.Secret.SecretName, "-"+program) {
				t.Errorf("%s has the certificates of %s", program, volume.Secret.SecretName)
			}
			of := map[string]string{"ca.crt": "ca.pem", "tls.crt": program + ".pem", "tls.key": program + "-key.pem"}
			for _, item := range volume.Secret.Items {
				text, err := os.ReadFile(filepath.Join(made, of[item.Key]))
				if err != nil {
					t.Fatal(err)
				}
				write(at, item.Path, string(text))
			}
		case volume.Projected != nil:
			for _, source := range volume.Projected.Sources {
				setting := settingAt(v, source.Secret.Name, source.Secret.Items[0].Key)
				write(at, source.Secret.Items[0].Path, secretValue(setting))
			}
		default:
			for key, text := range maps[volume.ConfigMap.Name] {
				write(at, key, text)
			}
		}
	}
	return w
}

// settingAt is the setting that is in a key of a Secret, by the values.
func settingAt(v map[string]any, secret, key string) string {
	for setting, place := range v["secrets"].(map[string]any) {
		if at, ok := place.(map[string]any); ok && at["name"] == secret && at["key"] == key {
			return setting
		}
	}
	return ""
}

func servicesOf() (names []string) {
	for _, schema := range stack.Schemas {
		names = append(names, schema.Name)
	}
	return names
}

// TestEachProgramIsGivenWhatItNeeds: with what its Pod is given, each program finds
// its settings complete, its secrets in their files and its certificate its own.
func TestEachProgramIsGivenWhatItNeeds(t *testing.T) {
	for _, name := range cases {
		r, v := rendered(t, name), complete(t, name)
		for program, load := range programs {
			w := surround(t, r, v, program)
			if err := load(w.lookup); err != nil {
				t.Errorf("%s: %s: %v", name, program, err)
			}
			dir, _ := w.lookup("GRPC_TLS_DIR")
			if _, err := mtls.Open(dir, program, slog.New(slog.DiscardHandler)); err != nil {
				t.Errorf("%s: %s: %v", name, program, err)
			}
			for key, value := range w.env {
				path, _ := w.lookup(key)
				if _, err := os.Stat(path); strings.HasPrefix(value, "/etc/makegood/") && errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %s: %s leads to %s, and nothing is there", name, program, key, value)
				}
			}
		}
	}
}

// complete are the values of a case over the chart's own.
func complete(t *testing.T, name string) map[string]any {
	t.Helper()
	all := load(t).Values
	return merge(all, values(t, name))
}

func merge(under, over map[string]any) map[string]any {
	for key, value := range over {
		if deep, ok := value.(map[string]any); ok {
			if below, ok := under[key].(map[string]any); ok {
				under[key] = merge(below, deep)
				continue
			}
		}
		if value == nil {
			delete(under, key)
			continue
		}
		under[key] = value
	}
	return under
}

// TestSecretsGoOnlyWhereTheyAreNeeded: to the programs that make up gives them to,
// as files, and never into a ConfigMap or the environment.
func TestSecretsGoOnlyWhereTheyAreNeeded(t *testing.T) {
	for _, name := range cases {
		r, v := rendered(t, name), complete(t, name)
		for _, m := range of[*core.ConfigMap](r) {
			for key := range m.Data {
				if _, secret := stack.GivenTo(key); secret {
					t.Errorf("%s: %s is in the ConfigMap %s", name, key, m.Name)
				}
			}
		}
		if found := of[*core.Secret](r); len(found) != 0 {
			t.Errorf("%s: the chart makes the Secret %s", name, found[0].Name)
		}
		given := map[string][]string{}
		for program, pod := range r.pods() {
			for _, volume := range pod.Spec.Volumes {
				if volume.Projected == nil {
					continue
				}
				for _, source := range volume.Projected.Sources {
					if source.Secret == nil || len(source.Secret.Items) != 1 {
						t.Fatalf("%s: %s: %+v", name, program, source)
					}
					setting := settingAt(v, source.Secret.Name, source.Secret.Items[0].Key)
					given[setting] = append(given[setting], program)
				}
			}
		}
		for setting := range v["secrets"].(map[string]any) {
			want, secret := stack.GivenTo(setting)
			if !secret {
				t.Errorf("%s is no secret", setting)
			}
			want = slices.DeleteFunc(want, func(program string) bool { return programs[program] == nil })
			if strings.HasSuffix(setting, "DATABASE_URL") && name != "nothing" {
				want = append(want, "makegood") // which migrates
			}
			slices.Sort(want)
			slices.Sort(given[setting])
			if !slices.Equal(given[setting], want) {
				t.Errorf("%s: %s is given to %v, want %v", name, setting, given[setting], want)
			}
		}
	}
}

// notOffered are settings that a cluster does not need, each with the reason.
var notOffered = map[string]string{
	"DATABASE_URL":    "read by a service only where it has no URL of its own",
	"ADMIN_ADDR":      "the desk listens on loopback, at its usual port",
	"STRIPE_API_BASE": "another Stripe is for trying out", "STRIPE_JS_URL": "the same", "DEMO_CHECKOUT": "the same",
	"INBOX_HTTP_ADDR": "the same", "MAKEGOOD_DIR": "nothing is written",
	"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "only traces are sent", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "there is one", "OTEL_EXPORTER_OTLP_PROTOCOL": "the same",
	"OTEL_SDK_DISABLED": "without an endpoint there are no traces", "OTEL_TRACES_EXPORTER": "the same",
	"ADMIN_ALLOW_PLAIN": "the desk stays on loopback",
	"DRAIN_DELAY":       "a Pod sleeps before it is told to stop (drainSeconds)",
}

// TestEverySettingIsKnown: whatever a program reads can be set or is set by the
// chart, and whatever can be set is read by some program and stands in docs/settings.md.
func TestEverySettingIsKnown(t *testing.T) {
	page, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := func(key string) bool {
		return strings.Contains(string(page), "`"+key+"`") || regexp.MustCompile(`^[A-Z]+_(GRPC_(ADDR|LISTEN)|DATABASE_URL)$`).MatchString(key)
	}
	schema := schemaOf(t)
	r := rendered(t, "everything")
	read := map[string]bool{}
	for program, load := range programs {
		w := surround(t, r, complete(t, "everything"), program)
		_ = load(func(key string) (string, bool) {
			read[key] = true
			return w.lookup(key)
		})
		for key := range w.env {
			if !documented(key) && !documented(strings.TrimSuffix(key, "_FILE")) {
				t.Errorf("docs/settings.md does not name %s", key)
			}
			if _, ok := schema[key]; !ok {
				schema[key] = nil // set by the chart
			}
		}
	}
	for key := range read {
		_, offered := schema[key]
		if short, isFile := strings.CutSuffix(key, "_FILE"); isFile && !offered {
			_, offered = schema[short]
		}
		if offered || notOffered[key] != "" || notOffered[strings.TrimSuffix(key, "_FILE")] != "" {
			continue
		}
		if _, withFile := schema[key+"_FILE"]; withFile { // a secret, which is a file here
			continue
		}
		t.Errorf("%s cannot be set: name it in values.schema.json under settings (or say in notOffered why not)", key)
	}
	for key := range schema {
		if !read[key] {
			t.Errorf("no program reads %s", key)
		}
	}
}

// schemaOf are the settings, files and secrets that the chart takes.
func schemaOf(t *testing.T) map[string]any {
	t.Helper()
	var schema struct {
		Properties map[string]struct{ Properties map[string]any }
	}
	readJSON(t, load(t).Schema, &schema)
	all := map[string]any{}
	for _, part := range []string{"settings", "files", "secrets"} {
		for key, what := range schema.Properties[part].Properties {
			all[key] = what
		}
	}
	if len(all) < 40 {
		t.Fatalf("only %d settings", len(all))
	}
	return all
}
