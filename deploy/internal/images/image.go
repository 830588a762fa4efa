package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User is who every program runs as, and its group: nobody on the machine.
const User = 65532

// Release is what the images say of where they come from.
type Release struct {
	// Version is also the tag.
	Version string
	// Revision is the commit, where it is known and nothing was changed since.
	Revision string
}

// Reference is how an image is called.
func (r Release) Reference(program string) string { return "makegood/" + program + ":" + r.Version }

// assemble makes the image of a program that lies built at binary. Nothing in it
// depends on when or where it is made.
func assemble(p Program, binary string, r Release, platform v1.Platform) (v1.Image, error) {
	body, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	files, err := archive(p, body)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		// More effort takes three times as long and saves a twentieth.
		tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching,
	)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Config = v1.Config{
		User: fmt.Sprintf("%d:%d", User, User), Entrypoint: []string{"/" + p.Name}, WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "Makegood " + p.Name,
			"org.opencontainers.image.description": p.About,
			"org.opencontainers.image.version":     r.Version,
		},
	}
	if r.Revision != "" {
		config.Config.Labels["org.opencontainers.image.revision"] = r.Revision
	}
	return mutate.ConfigFile(image, config)
}

// archive is the whole file system: the program, and the folders that it may be
// given to write in.
func archive(p Program, body []byte) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	known := map[string]bool{}
	for _, dir := range p.Writes {
		parts := strings.Split(strings.Trim(dir, "/"), "/")
		for i := range parts {
			name := path.Join(parts[:i+1]...) + "/"
			if known[name] {
				continue
			}
			known[name] = true
			h := &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}
			if i == len(parts)-1 {
				h.Mode, h.Uid, h.Gid = 0o700, User, User
			}
			if err := w.WriteHeader(h); err != nil {
				return nil, err
			}
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: p.Name, Mode: 0o555, Size: int64(len(body))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	return out.Bytes(), w.Close()
}
