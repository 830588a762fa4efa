package helm

import (
	"slices"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// drains is how long a program may take to finish what it has in hand.
const drains = 10 * time.Second

// programOf is the component of labels.
func programOf(labels map[string]string) string { return labels["app.kubernetes.io/component"] }

// pods are all that the chart runs, by program.
func (r *rendering) pods() map[string]core.PodTemplateSpec {
	found := map[string]core.PodTemplateSpec{}
	for _, d := range of[*apps.Deployment](r) {
		found[programOf(d.Labels)] = d.Spec.Template
	}
	for _, j := range of[*batch.Job](r) {
		found[programOf(j.Labels)] = j.Spec.Template
	}
	return found
}

// own is the container of the program itself; a proxy beside it is its owner's.
func own(t *testing.T, pod core.PodTemplateSpec) core.Container {
	t.Helper()
	if len(pod.Spec.Containers) == 0 || len(pod.Spec.InitContainers) != 0 {
		t.Fatalf("%d containers", len(pod.Spec.Containers))
	}
	return pod.Spec.Containers[0]
}

// TestPodsAreConfined: nobody is root, writes, has a capability or a token of the
// cluster, and everybody has a bound.
func TestPodsAreConfined(t *testing.T) {
	for _, name := range cases {
		r := rendered(t, name)
		if len(r.pods()) < 6 {
			t.Errorf("%s: %d programs", name, len(r.pods()))
		}
		for program, pod := range r.pods() {
			s, c := pod.Spec, own(t, pod)
			image := "makegood/" + program + ":1.0.0"
			switch {
			case name == "everything" && program == "orders":
				image = "registry.example.com/" + image + "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			case name == "everything":
				image = "registry.example.com/" + image
			case name == "cluster":
				image = "registry.example.com/shop/" + image
			}
			if c.Image != image {
				t.Errorf("%s: %s runs %s, want %s", name, program, c.Image, image)
			}
			p := s.SecurityContext
			if p == nil || p.RunAsNonRoot == nil || !*p.RunAsNonRoot || *p.RunAsUser != 65532 || *p.RunAsGroup != 65532 || *p.FSGroup != 65532 || p.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: %s: %+v", name, program, p)
			}
			a := c.SecurityContext
			if a == nil || a.AllowPrivilegeEscalation == nil || *a.AllowPrivilegeEscalation || a.ReadOnlyRootFilesystem == nil || !*a.ReadOnlyRootFilesystem || a.Capabilities == nil || !slices.Equal(a.Capabilities.Drop, []core.Capability{"ALL"}) || len(a.Capabilities.Add) != 0 || a.Privileged != nil {
				t.Errorf("%s: %s: %+v", name, program, a)
			}
			if s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken || s.EnableServiceLinks == nil || *s.EnableServiceLinks || s.HostNetwork || s.HostPID || s.HostIPC {
				t.Errorf("%s: %s has more of the cluster than it needs", name, program)
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s: %s: %+v", name, program, c.Resources)
			}
			for _, v := range s.Volumes {
				switch {
				case v.Secret != nil && v.Secret.DefaultMode != nil && *v.Secret.DefaultMode == 0o440:
				case v.Projected != nil && v.Projected.DefaultMode != nil && *v.Projected.DefaultMode == 0o440:
				case v.ConfigMap != nil:
				default:
					t.Errorf("%s: %s has the volume %+v", name, program, v)
				}
			}
			for _, m := range c.VolumeMounts {
				if !m.ReadOnly || m.SubPath != "" { // what is mounted by a subpath is never renewed
					t.Errorf("%s: %s mounts %+v", name, program, m)
				}
			}
		}
	}
}

// TestPodsAreWatchedAndDrained: probes that work with certificates on, and time to
// finish.
func TestPodsAreWatchedAndDrained(t *testing.T) {
	for _, name := range cases {
		for _, d := range of[*apps.Deployment](rendered(t, name)) {
			program, s := programOf(d.Labels), d.Spec.Template.Spec
			c := own(t, d.Spec.Template)
			named := map[string]int32{}
			for _, p := range c.Ports {
				named[p.Name] = p.ContainerPort
			}
			port, ready := "metrics", "/readyz"
			if program == "gateway" {
				port, ready = "http", "/healthz"
			}
			for _, probe := range []struct {
				what string
				*core.Probe
				path string
			}{{"startup", c.StartupProbe, "/healthz"}, {"readiness", c.ReadinessProbe, ready}, {"liveness", c.LivenessProbe, "/healthz"}} {
				if probe.Probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != probe.path || probe.HTTPGet.Port.StrVal != port || named[port] == 0 || probe.TimeoutSeconds < 2 {
					t.Errorf("%s: %s: the %s probe is %+v", name, program, probe.what, probe.Probe)
				}
			}
			if patience := c.StartupProbe.PeriodSeconds * c.StartupProbe.FailureThreshold; patience < 600 {
				t.Errorf("%s: %s may wait %d s for its schema", name, program, patience)
			}
			if patience := c.LivenessProbe.PeriodSeconds * c.LivenessProbe.FailureThreshold; patience < 60 {
				t.Errorf("%s: %s is ended after %d s", name, program, patience)
			}
			var waits time.Duration
			if c.Lifecycle != nil {
				waits = time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
			}
			if (waits == 0) != (name == "nothing") {
				t.Errorf("%s: %s waits %s before it ends", name, program, waits)
			}
			if grace := time.Duration(*s.TerminationGracePeriodSeconds) * time.Second; grace < waits+drains+5*time.Second {
				t.Errorf("%s: %s has %s to end, waits %s and drains for %s", name, program, grace, waits, drains)
			}
			if len(s.TopologySpreadConstraints) != 2 {
				t.Errorf("%s: %s is not spread", name, program)
			}
			for _, spread := range s.TopologySpreadConstraints {
				if !matches(t, spread.LabelSelector, d.Spec.Template.Labels) {
					t.Errorf("%s: %s is not spread over %s", name, program, spread.TopologyKey)
				}
			}
			if u := d.Spec.Strategy.RollingUpdate; u == nil || u.MaxUnavailable.IntValue() != 0 || u.MaxSurge.IntValue() != 1 {
				t.Errorf("%s: %s is replaced by %+v", name, program, d.Spec.Strategy)
			}
			if !matches(t, d.Spec.Selector, d.Spec.Template.Labels) {
				t.Errorf("%s: %s does not select its own Pods", name, program)
			}
		}
	}
}

// TestEveryProgramIsReachedAndScaled: a Service, a budget and, where it is on, a
// scaler, each of exactly one program.
func TestEveryProgramIsReachedAndScaled(t *testing.T) {
	for _, name := range cases {
		r := rendered(t, name)
		scaled := map[string]*autoscaling.HorizontalPodAutoscaler{}
		for _, h := range of[*autoscaling.HorizontalPodAutoscaler](r) {
			scaled[h.Spec.ScaleTargetRef.Name] = h
		}
		for _, d := range of[*apps.Deployment](r) {
			program, pod := programOf(d.Labels), d.Spec.Template.Labels
			h := scaled[d.Name]
			if (h != nil) == (d.Spec.Replicas != nil) {
				t.Errorf("%s: %s has a number of replicas (%t) and a scaler (%t)", name, program, d.Spec.Replicas != nil, h != nil)
			}
			if h != nil && (h.Spec.MinReplicas == nil || *h.Spec.MinReplicas < 2 || h.Spec.MaxReplicas <= *h.Spec.MinReplicas || h.Spec.ScaleTargetRef.Kind != "Deployment") {
				t.Errorf("%s: %s: %+v", name, program, h.Spec)
			}
			if bounds := own(t, d.Spec.Template).Resources; name == "everything" && program == "payments" && (h.Spec.MaxReplicas != 12 || bounds.Limits.Memory().String() != "1Gi" || bounds.Requests.Memory().String() != "128Mi") {
				t.Errorf("what is said of Payments alone does not count: %+v %+v", h.Spec, bounds)
			}
			var services, budgets []string
			for _, s := range of[*core.Service](r) {
				if !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod)) {
					continue
				}
				services = append(services, s.Name)
				if headless := s.Spec.ClusterIP == core.ClusterIPNone; headless == (program == "gateway") {
					t.Errorf("%s: the Service of %s is headless: %t", name, program, headless)
				}
				for _, p := range s.Spec.Ports {
					found := p.Name == "console" && p.TargetPort.IntVal == 4180
					for _, c := range own(t, d.Spec.Template).Ports {
						found = found || c.Name == p.TargetPort.StrVal
					}
					if !found {
						t.Errorf("%s: the Service of %s leads to %s, which is no port of it", name, program, p.TargetPort.String())
					}
				}
			}
			for _, b := range of[*policy.PodDisruptionBudget](r) {
				if matches(t, b.Spec.Selector, pod) {
					budgets = append(budgets, b.Name)
					if b.Spec.MaxUnavailable == nil || b.Spec.MaxUnavailable.IntValue() != 1 || b.Spec.MinAvailable != nil {
						t.Errorf("%s: %+v", name, b.Spec)
					}
				}
			}
			if !slices.Equal(services, []string{d.Name}) || !slices.Equal(budgets, []string{d.Name}) {
				t.Errorf("%s: %s has the Services %v and the budgets %v", name, program, services, budgets)
			}
		}
	}
}

// TestTheMigrationComesFirst: before an install and an upgrade, after its policy, and
// what failed stays to be read.
func TestTheMigrationComesFirst(t *testing.T) {
	for _, name := range []string{"small", "everything"} {
		for _, j := range of[*batch.Job](rendered(t, name)) {
			a := j.Annotations
			if a["helm.sh/hook"] != "pre-install,pre-upgrade" || a["helm.sh/hook-delete-policy"] != "before-hook-creation,hook-succeeded" {
				t.Errorf("%s: %v", name, a)
			}
			c := own(t, j.Spec.Template)
			if !slices.Equal(c.Args, []string{"migrate"}) || c.Command != nil || j.Spec.Template.Spec.RestartPolicy != core.RestartPolicyNever || *j.Spec.BackoffLimit < 1 || *j.Spec.ActiveDeadlineSeconds < 600 {
				t.Errorf("%s: %v %v %+v", name, c.Command, c.Args, j.Spec)
			}
			if len(c.EnvFrom) != 0 {
				t.Errorf("%s: the migration needs %v, which is not there before the install", name, c.EnvFrom)
			}
		}
	}
}
