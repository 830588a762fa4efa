package images

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"makegood.example/deploy/licences"
)

var (
	release  = Release{Version: "1.2.3", Revision: "0123456789012345678901234567890123456789"}
	platform = v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	// made is the folder with the images that the tests inspect and run.
	made string
)

func TestMain(m *testing.M) {
	inside()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if made, err = os.MkdirTemp("", "makegood-images-"); err == nil {
		defer os.RemoveAll(made)
		err = write(context.Background(), made)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// write makes images as make images does, with that program: under the race
// detector, compressing takes ten times as long.
func write(ctx context.Context, dir string, programs ...string) error {
	command := filepath.Join(dir, "images")
	args := append([]string{"-dir", dir, "-version", release.Version, "-revision", release.Revision, "-platforms", platform.String()}, programs...)
	for _, cmd := range []*exec.Cmd{
		exec.CommandContext(ctx, "go", "build", "-o", command, "makegood.example/deploy/cmd/images"),
		exec.CommandContext(ctx, command, args...),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
		}
	}
	return nil
}

// indexOf is the index of a program's image in a layout, and its manifest's digest.
func indexOf(t *testing.T, dir, program string) (v1.ImageIndex, v1.Hash) {
	t.Helper()
	all, err := layout.ImageIndexFromPath(filepath.Join(dir, LayoutDir))
	if err != nil {
		t.Fatal(err)
	}
	list, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] == "makegood/"+program+":1.2.3" {
			index, err := all.ImageIndex(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return index, d.Digest
		}
	}
	t.Fatalf("the layout has no %s", program)
	return nil, v1.Hash{}
}

// imageOf is the image of a program for the platform of the tests.
func imageOf(t *testing.T, program string) v1.Image {
	t.Helper()
	index, _ := indexOf(t, made, program)
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Manifests) != 1 || !list.Manifests[0].Platform.Equals(platform) {
		t.Fatalf("%s is for %v", program, list.Manifests)
	}
	image, err := index.Image(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestWhatAnImageSays: who runs what, and where it comes from. There is nothing
// that changes with the time or the machine.
func TestWhatAnImageSays(t *testing.T) {
	for _, p := range Programs {
		config, err := imageOf(t, p.Name).ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		c := config.Config
		if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/" + p.Name}) || c.WorkingDir != "/" ||
			len(c.Cmd)+len(c.Shell)+len(c.Env)+len(c.Volumes)+len(c.ExposedPorts) != 0 {
			t.Errorf("%s: %+v", p.Name, c)
		}
		if config.OS != "linux" || config.Architecture != runtime.GOARCH || !config.Created.IsZero() || config.Author != "" {
			t.Errorf("%s: for %s/%s, created %v by %q", p.Name, config.OS, config.Architecture, config.Created, config.Author)
		}
		for _, h := range config.History {
			if !h.Created.IsZero() {
				t.Errorf("%s: a layer of %v", p.Name, h.Created)
			}
		}
		if l := c.Labels; len(l) != 4 || l["org.opencontainers.image.version"] != "1.2.3" || l["org.opencontainers.image.revision"] != release.Revision ||
			l["org.opencontainers.image.title"] != "Makegood "+p.Name || l["org.opencontainers.image.description"] != p.About {
			t.Errorf("%s: labelled %v", p.Name, l)
		}
	}
}

// TestWhatIsInAnImage: the program, which needs no other file, and the folders
// that are for volumes; so there is no shell, and nothing that gains rights.
func TestWhatIsInAnImage(t *testing.T) {
	for _, p := range Programs {
		want := map[string]string{p.Name: "-r-xr-xr-x 0"}
		for _, dir := range p.Writes {
			for parent := filepath.Dir(dir); parent != "/"; parent = filepath.Dir(parent) {
				want[parent[1:]] = "drwxr-xr-x 0"
			}
		}
		for _, dir := range p.Writes {
			want[dir[1:]] = "drwx------ 65532"
		}
		var program []byte
		for name, file := range filesOf(t, p.Name) {
			got := fmt.Sprintf("%v %d", file.FileInfo().Mode(), file.Uid)
			if got != want[name] || file.Uid != file.Gid || file.ModTime.Unix() != 0 || len(file.PAXRecords) != 0 {
				t.Errorf("%s: %s is %s, group %d, of %v, with %v; want %q", p.Name, name, got, file.Gid, file.ModTime, file.PAXRecords, want[name])
			}
			delete(want, name)
			if name == p.Name {
				program = file.body
			}
		}
		if len(want) != 0 {
			t.Errorf("%s lacks %v", p.Name, want)
		}
		binary, err := elf.NewFile(bytes.NewReader(program))
		if err != nil {
			t.Fatal(err)
		}
		needs, _ := binary.ImportedLibraries()
		interpreted := slices.ContainsFunc(binary.Progs, func(s *elf.Prog) bool { return s.Type == elf.PT_INTERP })
		if len(needs) != 0 || interpreted {
			t.Errorf("%s needs %v, or a loader", p.Name, needs)
		}
	}
}

type entry struct {
	*tar.Header
	body []byte
}

// unpacked are the files of each program's image, once they were read.
var unpacked = map[string]map[string]entry{}

func filesOf(t *testing.T, program string) map[string]entry {
	t.Helper()
	if files := unpacked[program]; files != nil {
		return files
	}
	image := imageOf(t, program)
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers: %v", len(layers), err)
	}
	compressed, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer compressed.Close()
	unzip := exec.CommandContext(t.Context(), "gzip", "-dc") // as fast under the race detector as without
	unzip.Stdin = compressed
	archive, err := unzip.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]entry{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			unpacked[program] = files
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(h.Name, "/")] = entry{h, body}
	}
}

// TestTheBillOfMaterials: the file, and the artifact that refers to the image,
// list exactly what go list finds in the program, with its licences.
func TestTheBillOfMaterials(t *testing.T) {
	all, err := layout.ImageIndexFromPath(filepath.Join(made, LayoutDir))
	if err != nil {
		t.Fatal(err)
	}
	list, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Programs {
		image := imageOf(t, p.Name)
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		var attached [][]byte
		for _, d := range list.Manifests {
			if d.ArtifactType != "application/vnd.cyclonedx+json" {
				continue
			}
			artifact, err := all.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := artifact.Manifest()
			if err != nil || manifest.Subject == nil {
				t.Fatalf("an artifact of nothing: %v", err)
			}
			if manifest.Subject.Digest != digest {
				continue
			}
			layers, err := artifact.Layers()
			if err != nil || len(layers) != 1 {
				t.Fatalf("%d layers: %v", len(layers), err)
			}
			r, err := layers[0].Compressed()
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			attached = append(attached, body)
		}
		file, err := os.ReadFile(filepath.Join(made, MaterialsDir, p.Name+"-"+runtime.GOARCH+".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(attached) != 1 || !bytes.Equal(attached[0], file) {
			t.Errorf("%s: %d bills are attached, or another than the file", p.Name, len(attached))
		}
		compareMaterials(t, p, file, filesOf(t, p.Name)[p.Name].body)
	}
}

func compareMaterials(t *testing.T, p Program, bill, binary []byte) {
	t.Helper()
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(bill), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range *bom.Components {
		line := c.Name + " " + c.Version
		if c.Licenses != nil {
			for _, l := range *c.Licenses {
				line += " " + l.License.ID
			}
		}
		got = append(got, line)
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"std " + strings.TrimPrefix(info.GoVersion, "go") + " BSD-3-Clause"}
	for _, m := range info.Deps {
		if strings.HasPrefix(m.Path, "makegood.example/") {
			want = append(want, m.Path+" 1.2.3")
		}
	}
	listed, err := licences.List(t.Context(), runtime.GOARCH, p.Package)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range listed {
		want = append(want, strings.Join(append([]string{m.Path, m.Version}, m.Licences...), " "))
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s is made of %s, and does not list it", p.Name, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s lists %s, and is not made of it", p.Name, line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s lists %d parts, and is made of %d", p.Name, len(got), len(want))
	}
}

// TestArchivesAreTheSameImages: what docker load reads has the reference, and the
// same program and settings.
func TestArchivesAreTheSameImages(t *testing.T) {
	for _, p := range Programs {
		tag, err := name.NewTag(release.Reference(p.Name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(made, ArchivesDir, p.Name+"-"+runtime.GOARCH+".tar")
		loaded, err := tarball.ImageFromPath(path, &tag)
		if err != nil {
			t.Fatal(err)
		}
		id, err := loaded.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		if want, err := imageOf(t, p.Name).ConfigName(); err != nil || id != want {
			t.Errorf("%s: %v, in the layout %v (%v)", p.Name, id, want, err)
		}
		list, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
		if err != nil || len(list) != 1 || !slices.Equal(list[0].RepoTags, []string{"makegood/" + p.Name + ":1.2.3"}) {
			t.Errorf("%s: tagged %+v (%v)", p.Name, list, err)
		}
	}
}

// TestMadeAgainTheyAreTheSame: of the same source, a second time, elsewhere.
func TestMadeAgainTheyAreTheSame(t *testing.T) {
	again := Programs[len(Programs)-2:] // the gateway and makegood: all shapes that there are
	dir := t.TempDir()
	if err := write(t.Context(), dir, again[0].Name, again[1].Name); err != nil {
		t.Fatal(err)
	}
	for _, p := range again {
		_, first := indexOf(t, made, p.Name)
		_, second := indexOf(t, dir, p.Name)
		if first != second {
			t.Errorf("%s is %v, and then %v", p.Name, first, second)
		}
	}
}
