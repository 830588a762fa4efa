// Package helm tests the chart that runs Makegood on a cluster: it is rendered from
// several files of values by Helm's own library, every object is decoded strictly by
// the types of those who will read it, and what was rendered is held against the
// code: the programs' settings, their secrets, and who may call whom.
package helm

import (
	"bytes"
	"io"
	"log"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// cases are the files of values, in testdata.
var cases = []string{"small", "cluster", "everything", "nothing"}

// scheme is every kind of object that the chart may make: one of another kind is an
// error.
var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, autoscaling.AddToScheme, batch.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme,
		monitoring.AddToScheme, certmanager.AddToScheme,
	} {
		utilruntime.Must(add(s))
	}
	return s
}()

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm tells of every link; the rules are links to those of deploy/observability
	os.Exit(m.Run())
}

// values reads one of the cases.
func values(t *testing.T, name string) map[string]any {
	t.Helper()
	v, err := chartutil.ReadValuesFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// rendering is what the chart makes of some values.
type rendering struct {
	release string
	notes   string
	objects []runtime.Object
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load("makegood")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render does what helm template does, on the oldest Kubernetes that the chart names.
func render(t *testing.T, release string, v map[string]any) (*rendering, error) {
	t.Helper()
	c := load(t)
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.30.0", Major: "1", Minor: "30"}
	if !chartutil.IsCompatibleRange(c.Metadata.KubeVersion, capabilities.KubeVersion.Version) || chartutil.IsCompatibleRange(c.Metadata.KubeVersion, "v1.29.9") {
		t.Errorf("kubeVersion %q", c.Metadata.KubeVersion)
	}
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: release, Namespace: "shop", IsInstall: true, Revision: 1}, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	r := &rendering{release: release}
	for name, text := range files {
		if path.Base(name) == "NOTES.txt" {
			r.notes = text
			continue
		}
		r.objects = append(r.objects, decode(t, name, text)...)
	}
	return r, nil
}

// once keeps what the cases came to; nobody changes it.
var once = map[string]*rendering{}

// rendered is render of a case, which must succeed.
func rendered(t *testing.T, name string) *rendering {
	t.Helper()
	if once[name] == nil {
		r, err := render(t, "shop", values(t, name))
		if err != nil {
			t.Fatal(err)
		}
		once[name] = r
	}
	return once[name]
}

// decode reads the objects of a file. A field that a type does not have, or that
// stands there twice, is an error.
func decode(t *testing.T, name, text string) (objects []runtime.Object) {
	t.Helper()
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	documents := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(text)))
	defer documents.Close()
	buffer := make([]byte, len(text)+1)
	for {
		n, err := documents.Read(buffer)
		if err == io.EOF {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		document := slices.Clone(buffer[:n])
		if empty(document) {
			continue
		}
		object, _, err := strict.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, document)
		}
		objects = append(objects, object)
	}
}

// empty says whether a document has nothing but comments.
func empty(document []byte) bool {
	for line := range bytes.Lines(document) {
		if text := strings.TrimSpace(string(line)); text != "" && text != "---" && !strings.HasPrefix(text, "#") {
			return false
		}
	}
	return true
}

// of are the objects of one type.
func of[T runtime.Object](r *rendering) (found []T) {
	for _, o := range r.objects {
		if typed, ok := o.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

func nameOf(t *testing.T, o runtime.Object) string {
	t.Helper()
	about, err := meta.Accessor(o)
	if err != nil {
		t.Fatal(err)
	}
	return about.GetName()
}

// TestTheChartIsSound: helm lint finds nothing, with each file of values.
func TestTheChartIsSound(t *testing.T) {
	for _, name := range cases {
		found := lint.All("makegood", values(t, name), "shop", true)
		for _, m := range found.Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %s", name, m)
			}
		}
		if len(found.Messages) == 0 {
			t.Errorf("%s: nothing was linted", name) // that there is no icon is always said
		}
	}
}

// TestEveryObjectIsKnown: each case decodes, with how many of which kind.
func TestEveryObjectIsKnown(t *testing.T) {
	for name, want := range map[string]map[string]int{
		"small":      {"Deployment": 6, "Service": 6, "ConfigMap": 1, "PodDisruptionBudget": 6, "NetworkPolicy": 7, "Job": 1},
		"cluster":    {"Deployment": 6, "Service": 6, "ConfigMap": 1, "PodDisruptionBudget": 6, "NetworkPolicy": 7, "Job": 1, "HorizontalPodAutoscaler": 5, "Ingress": 1, "Issuer": 2, "Certificate": 7, "PodMonitor": 1, "PrometheusRule": 1},
		"everything": {"Deployment": 6, "Service": 6, "ConfigMap": 2, "PodDisruptionBudget": 6, "NetworkPolicy": 7, "Job": 1, "HorizontalPodAutoscaler": 6, "Ingress": 2, "Certificate": 6, "PodMonitor": 1, "PrometheusRule": 1},
		"nothing":    {"Deployment": 6, "Service": 6, "ConfigMap": 1, "PodDisruptionBudget": 6},
	} {
		have := map[string]int{}
		for _, o := range rendered(t, name).objects {
			have[o.GetObjectKind().GroupVersionKind().Kind]++
		}
		for kind := range want {
			if have[kind] != want[kind] {
				t.Errorf("%s: %d %s, want %d", name, have[kind], kind, want[kind])
			}
			delete(have, kind)
		}
		for kind, n := range have {
			t.Errorf("%s: %d %s, want none", name, n, kind)
		}
	}
}

// TestNamesFit: also those of a release whose name is as long as Helm allows.
func TestNamesFit(t *testing.T) {
	for _, release := range []string{"makegood", "a", strings.Repeat("long-name-", 6)[:53]} {
		for _, name := range []string{"cluster", "everything"} {
			r, err := render(t, release, values(t, name))
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, o := range r.objects {
				at := o.GetObjectKind().GroupVersionKind().Kind + " " + nameOf(t, o)
				if len(nameOf(t, o)) > 63 || seen[at] {
					t.Errorf("%s is too long, or there twice", at)
				}
				seen[at] = true
				about, _ := meta.Accessor(o)
				for key, value := range about.GetLabels() {
					if len(value) > 63 {
						t.Errorf("%s: the label %s=%s is too long", at, key, value)
					}
				}
			}
		}
	}
}

// TestWhatIsMissingOrUnknownIsRefused: before anything is installed, with its name.
func TestWhatIsMissingOrUnknownIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"no image":                               {func(v map[string]any) { v["image"] = map[string]any{} }, "tag"},
		"no public URL":                          {func(v map[string]any) { delete(v["settings"].(map[string]any), "PUBLIC_URL") }, "PUBLIC_URL"},
		"no database's address":                  {func(v map[string]any) { delete(v, "networkPolicy") }, "networkPolicy"},
		"no Stripe key":                          {func(v map[string]any) { v["secrets"] = map[string]any{"STRIPE_SECRET_KEY": nil} }, "STRIPE_SECRET_KEY"},
		"a secret in settings":                   {func(v map[string]any) { v["settings"].(map[string]any)["STRIPE_SECRET_KEY"] = "sk_live_example" }, "STRIPE_SECRET_KEY"},
		"a secret's value":                       {func(v map[string]any) { v["secrets"] = map[string]any{"SMTP_URL": "smtp://mail.example.com"} }, "SMTP_URL"},
		"an unknown setting":                     {func(v map[string]any) { v["settings"].(map[string]any)["RECONCILE_EVRY"] = "2m" }, "RECONCILE_EVRY"},
		"off without quotes":                     {func(v map[string]any) { v["settings"].(map[string]any)["RESCUE_AFTER"] = false }, "RESCUE_AFTER"},
		"an unknown program":                     {func(v map[string]any) { v["overrides"] = map[string]any{"order": map[string]any{"replicas": 3}} }, "order"},
		"an unknown value":                       {func(v map[string]any) { v["defaults"] = map[string]any{"replica": 3} }, "replica"},
		"an unknown top value":                   {func(v map[string]any) { v["replicas"] = 3 }, "replicas"},
		"an ingress whose buyers seem to be one": {func(v map[string]any) { v["ingress"] = map[string]any{"enabled": true} }, "TRUSTED_PROXIES"},
		"a desk on the internet": {func(v map[string]any) {
			v["console"] = map[string]any{"ingress": map[string]any{"enabled": true}}
		}, "console.proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			v := values(t, "small")
			c.change(v)
			if _, err := render(t, "shop", v); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it is not refused for %s: %v", c.want, err)
			}
		})
	}
}
