package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"makegood.example/deploy/licences"
)

// The parts of the folder that Write makes.
const (
	// LayoutDir is an OCI layout with all images, by reference.
	LayoutDir = "oci"
	// ArchivesDir has <program>-<architecture>.tar, for docker load.
	ArchivesDir = "docker"
	// MaterialsDir has <program>-<architecture>.cdx.json, the bills of materials.
	MaterialsDir = "sbom"
)

// Written is an image that was made, for all its platforms.
type Written struct {
	Reference string
	Digest    v1.Hash
}

// Write compiles the programs and makes their images in dir, in the place of
// those that were there.
func Write(ctx context.Context, dir string, r Release, platforms []v1.Platform, programs []Program) ([]Written, error) {
	known, err := readLicences(ctx, platforms, programs)
	if err != nil {
		return nil, err
	}
	for _, part := range []string{LayoutDir, ArchivesDir, MaterialsDir} {
		if err := os.RemoveAll(filepath.Join(dir, part)); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Join(dir, part), 0o755); err != nil {
			return nil, err
		}
	}
	built, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(built)
	for _, platform := range platforms {
		into := filepath.Join(built, platform.Architecture)
		if err := os.Mkdir(into, 0o755); err != nil {
			return nil, err
		}
		if err := Compile(ctx, into, platform, programs); err != nil {
			return nil, err
		}
	}
	all, err := layout.Write(filepath.Join(dir, LayoutDir), mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return nil, err
	}
	w := writer{dir: dir, built: built, release: r, licences: known, all: all}
	var written []Written
	for _, p := range programs {
		digest, err := w.program(p, platforms)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		written = append(written, Written{Reference: r.Reference(p.Name), Digest: digest})
	}
	return written, nil
}

func readLicences(ctx context.Context, platforms []v1.Platform, programs []Program) (known []licences.Module, err error) {
	var packages []string
	for _, p := range programs {
		packages = append(packages, p.Package)
	}
	for _, platform := range platforms {
		list, err := licences.List(ctx, platform.Architecture, packages...)
		if err != nil {
			return nil, err
		}
		known = append(known, list...)
	}
	return known, nil
}

type writer struct {
	dir, built string
	release    Release
	licences   []licences.Module
	all        layout.Path
}

// program writes one image for all platforms, what refers to it, and an archive
// for each.
func (w writer) program(p Program, platforms []v1.Platform) (v1.Hash, error) {
	reference := w.release.Reference(p.Name)
	tag, err := name.NewTag(reference)
	if err != nil {
		return v1.Hash{}, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		binary := filepath.Join(w.built, platform.Architecture, p.Name)
		image, err := assemble(p, binary, w.release, platform)
		if err != nil {
			return v1.Hash{}, err
		}
		bill, err := materials(p, binary, w.release, w.licences)
		if err != nil {
			return v1.Hash{}, err
		}
		artifact, err := attach(bill, image)
		if err != nil {
			return v1.Hash{}, err
		}
		if err := w.all.AppendImage(artifact); err != nil {
			return v1.Hash{}, err
		}
		file := p.Name + "-" + platform.Architecture
		if err := os.WriteFile(filepath.Join(w.dir, MaterialsDir, file+".cdx.json"), bill, 0o644); err != nil {
			return v1.Hash{}, err
		}
		if err := tarball.WriteToFile(filepath.Join(w.dir, ArchivesDir, file+".tar"), tag, image); err != nil {
			return v1.Hash{}, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	if err := w.all.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": reference})); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}
