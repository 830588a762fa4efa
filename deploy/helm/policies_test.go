package helm

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"makegood.example/services/notifications"
	"makegood.example/services/orders"
	"makegood.example/services/payments"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/mtls"
	"makegood.example/services/provisioning"
	"makegood.example/services/reconciliation"
)

// tables are the access rules of the running servers.
var tables = map[string]access.Table{
	"orders": orders.Access, "payments": payments.Access, "provisioning": provisioning.Access,
	"notifications": notifications.Access, "reconciliation": reconciliation.Access,
}

var ports = map[string]int32{"orders": 9101, "payments": 9102, "provisioning": 9103, "notifications": 9104, "reconciliation": 9105}

// mayCall says whether one program has a reason to call another: a rule names it, or
// it is the edge, which brings people's credentials to whoever has a rule for people.
func mayCall(caller, service string) bool {
	for _, rule := range tables[service] {
		if slices.Contains(rule.Callers, caller) || caller == mtls.Gateway && rule.Role != "" {
			return true
		}
	}
	return false
}

// end is one end of a connection: a Pod, or an address outside when it has no labels.
type end struct {
	labels, namespace map[string]string
	ip                string
}

func inNamespace(name string) map[string]string {
	return map[string]string{"kubernetes.io/metadata.name": name}
}

func pod(labels map[string]string) end {
	return end{labels, inNamespace("shop"), "10.244.1.7"}
}

func outside(ip string) end { return end{ip: ip} }

// matches says whether a selector, which the chart gives labels only, means these.
func matches(t *testing.T, s *meta.LabelSelector, of map[string]string) bool {
	t.Helper()
	if len(s.MatchExpressions) > 0 {
		t.Fatalf("a selector has expressions: %+v", s)
	}
	for key, value := range s.MatchLabels {
		if of[key] != value {
			return false
		}
	}
	return true
}

// is says whether a peer of a policy means an end. An address block may mean Pods,
// too: some networks take it so.
func is(t *testing.T, p networking.NetworkPolicyPeer, e end) bool {
	t.Helper()
	if p.IPBlock != nil {
		ip := netip.MustParseAddr(e.ip)
		in := netip.MustParsePrefix(p.IPBlock.CIDR).Contains(ip)
		for _, except := range p.IPBlock.Except {
			in = in && !netip.MustParsePrefix(except).Contains(ip)
		}
		return in
	}
	if e.labels == nil {
		return false
	}
	if p.NamespaceSelector == nil && e.namespace["kubernetes.io/metadata.name"] != "shop" {
		return false
	}
	return (p.NamespaceSelector == nil || matches(t, p.NamespaceSelector, e.namespace)) && (p.PodSelector == nil || matches(t, p.PodSelector, e.labels))
}

// open says whether a rule's peers and ports let an end through; none of either means
// all.
func open(t *testing.T, peers []networking.NetworkPolicyPeer, through []networking.NetworkPolicyPort, e end, protocol core.Protocol, port int32) bool {
	t.Helper()
	if len(peers) > 0 && !slices.ContainsFunc(peers, func(p networking.NetworkPolicyPeer) bool { return is(t, p, e) }) {
		return false
	}
	return len(through) == 0 || slices.ContainsFunc(through, func(p networking.NetworkPolicyPort) bool {
		return *p.Protocol == protocol && p.Port.IntVal == port
	})
}

// permits decides as a cluster does: who is selected by a policy for a direction may
// do only what some such policy allows.
func (r *rendering) permits(t *testing.T, from, to end, protocol core.Protocol, port int32) bool {
	t.Helper()
	leaves, enters := from.labels == nil, to.labels == nil
	bound, guarded := false, false
	for _, p := range of[*networking.NetworkPolicy](r) {
		if from.labels != nil && from.namespace["kubernetes.io/metadata.name"] == "shop" && matches(t, &p.Spec.PodSelector, from.labels) && slices.Contains(p.Spec.PolicyTypes, networking.PolicyTypeEgress) {
			bound = true
			for _, rule := range p.Spec.Egress {
				leaves = leaves || open(t, rule.To, rule.Ports, to, protocol, port)
			}
		}
		if to.labels != nil && to.namespace["kubernetes.io/metadata.name"] == "shop" && matches(t, &p.Spec.PodSelector, to.labels) && slices.Contains(p.Spec.PolicyTypes, networking.PolicyTypeIngress) {
			guarded = true
			for _, rule := range p.Spec.Ingress {
				enters = enters || open(t, rule.From, rule.Ports, from, protocol, port)
			}
		}
	}
	return (leaves || !bound) && (enters || !guarded)
}

// TestWhoMaySpeakWithWhom: between any two programs and on any port, the policies
// permit exactly what the services' access rules have a use for.
func TestWhoMaySpeakWithWhom(t *testing.T) {
	for _, name := range []string{"small", "cluster", "everything"} {
		r := rendered(t, name)
		pods := r.pods()
		calls := 0
		for from, its := range pods {
			for to, theirs := range pods {
				for _, port := range append(slices.Collect(maps.Values(ports)), 80, 443, 4180, 5432, 6432, 8080, 8081, 9090) {
					want := mayCall(from, to) && port == ports[to]
					if got := r.permits(t, pod(its.Labels), pod(theirs.Labels), core.ProtocolTCP, port); got != want {
						t.Errorf("%s: from %s to %s, port %d: permitted %t, want %t", name, from, to, port, got, want)
					}
					if want {
						calls++
					}
				}
			}
		}
		if calls == 0 {
			t.Errorf("%s: nobody speaks with anybody", name)
		}
	}
}

// TestWhatLiesOutside: each program reaches what it works with outside, nobody else
// does, and only who was named comes in.
func TestWhatLiesOutside(t *testing.T) {
	const tcp, udp = core.ProtocolTCP, core.ProtocolUDP
	names := end{map[string]string{"k8s-app": "kube-dns"}, inNamespace("kube-system"), "10.244.0.2"}
	r := rendered(t, "everything")
	pods := r.pods()
	every := slices.Sorted(maps.Keys(pods))
	services := slices.Sorted(maps.Keys(tables))
	for what, c := range map[string]struct {
		to       end
		protocol core.Protocol
		port     int32
		who      []string
	}{
		"the database":               {outside("10.20.3.4"), tcp, 6432, append([]string{"makegood"}, services...)},
		"another port beside it":     {outside("10.20.3.4"), tcp, 22, nil},
		"another database":           {outside("10.21.0.1"), tcp, 6432, nil},
		"Stripe, Slack, the sign-in": {outside("198.51.100.7"), tcp, 443, append([]string{"gateway"}, services...)}, // each: OIDC is on
		"the internet, unencrypted":  {outside("198.51.100.7"), tcp, 80, nil},
		"IPv6":                       {outside("2001:db8::1"), tcp, 443, append([]string{"gateway"}, services...)},
		"the cluster's metadata":     {outside("169.254.169.254"), tcp, 443, nil},
		"a private address":          {outside("192.168.1.1"), tcp, 443, nil},
		"the mail server":            {outside("10.30.0.5"), tcp, 25, []string{"notifications"}},
		"another mail server":        {outside("10.30.0.6"), tcp, 25, nil},
		"the SaaS's own app":         {end{map[string]string{"app": "shop"}, inNamespace("shop"), "10.244.9.9"}, tcp, 8080, []string{"provisioning"}},
		"the collector of traces":    {end{map[string]string{"app": "collector"}, inNamespace("monitoring"), "10.244.0.8"}, tcp, 4317, append([]string{"gateway"}, services...)},
		"the cluster's names":        {names, udp, 53, every},
		"the cluster's names by TCP": {names, tcp, 53, every},
		"something else there":       {names, tcp, 443, nil},
	} {
		for _, program := range every {
			want := slices.Contains(c.who, program)
			if got := r.permits(t, pod(pods[program].Labels), c.to, c.protocol, c.port); got != want {
				t.Errorf("from %s to %s: permitted %t, want %t", program, what, got, want)
			}
		}
	}
	for what, c := range map[string]struct {
		from end
		port func(program string) int32
		who  []string
	}{
		"the ingress controller": {end{map[string]string{"app": "nginx"}, inNamespace("ingress-nginx"), "10.244.0.9"}, func(string) int32 { return 8080 }, []string{"gateway"}},
		"the same, to the desk":  {end{map[string]string{"app": "nginx"}, inNamespace("ingress-nginx"), "10.244.0.9"}, func(string) int32 { return 4180 }, []string{"gateway"}},
		"the same, past it":      {end{map[string]string{"app": "nginx"}, inNamespace("ingress-nginx"), "10.244.0.9"}, func(string) int32 { return 8081 }, nil},
		"Prometheus":             {end{map[string]string{"app": "prometheus"}, inNamespace("monitoring"), "10.244.0.8"}, func(string) int32 { return 9090 }, append([]string{"gateway"}, services...)},
		"the SaaS's backend":     {end{map[string]string{"app": "backend"}, inNamespace("shop"), "10.244.0.7"}, func(p string) int32 { return ports[p] }, withRuleFor(access.Service)},
		"a neighbour, by gRPC":   {end{map[string]string{"app": "blog"}, inNamespace("shop"), "10.244.0.6"}, func(p string) int32 { return ports[p] }, nil},
		"a neighbour, to it":     {end{map[string]string{"app": "blog"}, inNamespace("shop"), "10.244.0.6"}, func(string) int32 { return 8080 }, nil},
		"the internet":           {outside("198.51.100.7"), func(string) int32 { return 8080 }, nil},
	} {
		for _, program := range every {
			want := slices.Contains(c.who, program)
			if got := r.permits(t, c.from, pod(pods[program].Labels), core.ProtocolTCP, c.port(program)); got != want {
				t.Errorf("from %s to %s, port %d: permitted %t, want %t", what, program, c.port(program), got, want)
			}
		}
	}
}

// TestOnlyWhatIsUsedIsOpen: without sign-in, Slack and a hook, only Payments reaches
// the internet by https, and nobody scrapes or calls from outside.
func TestOnlyWhatIsUsedIsOpen(t *testing.T) {
	r := rendered(t, "small")
	blog := end{map[string]string{"app": "blog"}, inNamespace("shop"), "10.244.0.6"}
	for program, its := range r.pods() {
		for port, want := range map[int32]bool{443: program == "payments", 587: program == "notifications"} {
			if got := r.permits(t, pod(its.Labels), outside("198.51.100.7"), core.ProtocolTCP, port); got != want {
				t.Errorf("%s to the internet, port %d: permitted %t", program, port, got)
			}
		}
		for port, want := range map[int32]bool{8080: program == "gateway", 9090: false, ports[program]: false} {
			if got := r.permits(t, blog, pod(its.Labels), core.ProtocolTCP, port); got != want {
				t.Errorf("a neighbour to %s, port %d: permitted %t", program, port, got)
			}
		}
	}
}

// withRuleFor are the services that people or backends of a role call themselves.
func withRuleFor(role string) (services []string) {
	for service, table := range tables {
		for _, rule := range table {
			if rule.Role == role && !slices.Contains(services, service) {
				services = append(services, service)
			}
		}
	}
	return services
}
