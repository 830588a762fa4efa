package helm

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func readJSON(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// TestTheServicesAreFoundByTheirNames: where each is dialed is a headless Service of
// this release.
func TestTheServicesAreFoundByTheirNames(t *testing.T) {
	for _, name := range cases {
		r := rendered(t, name)
		for _, m := range of[*core.ConfigMap](r) {
			for key, addr := range m.Data {
				service, dialed := strings.CutSuffix(key, "_GRPC_ADDR")
				if !dialed {
					continue
				}
				service = strings.ToLower(service)
				found := slices.ContainsFunc(of[*core.Service](r), func(s *core.Service) bool {
					// Without an address of the Service's own, the port is the Pod's.
					return programOf(s.Labels) == service && s.Spec.ClusterIP == core.ClusterIPNone && addr == fmt.Sprintf("dns:///%s:%d", s.Name, ports[service])
				})
				if listens := own(t, r.pods()[service]).Ports[0]; listens.Name != "grpc" || listens.ContainerPort != ports[service] {
					t.Errorf("%s: %s listens on %+v", name, service, listens)
				}
				if !found {
					t.Errorf("%s: %s=%s leads nowhere", name, key, addr)
				}
			}
		}
	}
}

// TestTheWaysIn: the Ingress is at the host of PUBLIC_URL and leads to the edge, the
// desk's leads to the proxy alone.
func TestTheWaysIn(t *testing.T) {
	r := rendered(t, "everything")
	want := map[string][3]string{"shop-makegood": {"pay.example.com", "http", "pay"}, "shop-makegood-console": {"desk.example.com", "console", "desk"}}
	for _, i := range of[*networking.Ingress](r) {
		rule := i.Spec.Rules[0]
		to := rule.HTTP.Paths[0].Backend.Service
		got := [3]string{rule.Host, to.Port.Name, i.Spec.TLS[0].SecretName}
		if got != want[i.Name] || i.Spec.TLS[0].Hosts[0] != rule.Host || to.Name != "shop-makegood-gateway" || *i.Spec.IngressClassName != "nginx" {
			t.Errorf("%s is %+v", i.Name, i.Spec)
		}
		delete(want, i.Name)
	}
	if len(want) != 0 {
		t.Errorf("missing: %v", want)
	}
}

// TestCertificatesAreThoseThatTheProgramsWant: one name each, which says who it is,
// and the uses that services/platform/mtls asks for.
func TestCertificatesAreThoseThatTheProgramsWant(t *testing.T) {
	for name, issuer := range map[string]string{"cluster": "shop-makegood-authority", "everything": "shop"} {
		r := rendered(t, name)
		mounted := map[string]string{}
		for program, pod := range r.pods() {
			for _, v := range pod.Spec.Volumes {
				if v.Secret != nil {
					mounted[v.Secret.SecretName] = program
				}
			}
		}
		for _, c := range of[*certmanager.Certificate](r) {
			if c.Spec.IsCA {
				if c.Name != issuer || c.Spec.PrivateKey.RotationPolicy != certmanager.RotationPolicyNever {
					t.Errorf("%s: %+v", name, c.Spec)
				}
				continue
			}
			program := mounted[c.Spec.SecretName]
			uses := []certmanager.KeyUsage{certmanager.UsageDigitalSignature, certmanager.UsageClientAuth}
			if program != "gateway" {
				uses = append(uses, certmanager.UsageServerAuth)
			}
			if !slices.Equal(c.Spec.DNSNames, []string{program + ".makegood.internal"}) || !slices.Equal(c.Spec.Usages, uses) || c.Spec.IssuerRef.Name != issuer || c.Spec.RenewBefore.Duration >= c.Spec.Duration.Duration {
				t.Errorf("%s: %s has %+v", name, program, c.Spec)
			}
			delete(mounted, c.Spec.SecretName)
		}
		if len(mounted) != 0 {
			t.Errorf("%s: nobody makes %v", name, mounted)
		}
	}
}

// TestMonitoringIsThatOfTheRules: what is scraped is called as the rules call it, and
// the rules are those of deploy/observability, all of them.
func TestMonitoringIsThatOfTheRules(t *testing.T) {
	r := rendered(t, "everything")
	for _, m := range of[*monitoring.PodMonitor](r) {
		for program, pod := range r.pods() {
			if scraped := matches(t, &m.Spec.Selector, pod.Labels); !scraped {
				t.Errorf("%s is not scraped", program)
			}
		}
		e := m.Spec.PodMetricsEndpoints[0]
		if *e.Port != "metrics" || len(e.RelabelConfigs) != 1 || e.RelabelConfigs[0].TargetLabel != "job" || *e.RelabelConfigs[0].Replacement != "makegood" {
			t.Errorf("%+v", e)
		}
	}
	have := map[string]bool{}
	for _, rules := range of[*monitoring.PrometheusRule](r) {
		for _, group := range rules.Spec.Groups {
			for _, rule := range group.Rules {
				have[rule.Alert+rule.Record+": "+rule.Expr.String()] = true
			}
		}
	}
	for _, file := range []string{"recording", "alerts"} {
		text, err := os.ReadFile("../observability/" + file + ".rules.yml")
		if err != nil {
			t.Fatal(err)
		}
		var all monitoring.PrometheusRuleSpec
		if err := yaml.UnmarshalStrict(text, &all); err != nil {
			t.Fatal(err)
		}
		for _, group := range all.Groups {
			for _, rule := range group.Rules {
				at := rule.Alert + rule.Record + ": " + rule.Expr.String()
				if !have[at] {
					t.Errorf("missing: %s", at)
				}
				delete(have, at)
			}
		}
	}
	for at := range have {
		t.Errorf("not among the rules: %s", at)
	}
}

// TestTheNotesNameWhereThingsAre: and leave nothing unfilled.
func TestTheNotesNameWhereThingsAre(t *testing.T) {
	for _, name := range cases {
		notes := rendered(t, name).notes
		if !strings.Contains(notes, "https://pay.example.com/webhooks/stripe") || !strings.Contains(notes, "deploy/shop-makegood-gateway 8081:8081") || strings.Contains(notes, "<no value>") {
			t.Errorf("%s: %s", name, notes)
		}
	}
}
