package images

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"makegood.example/deploy/licences"
)

// materialsType is CycloneDX, as JSON.
const materialsType types.MediaType = "application/vnd.cyclonedx+json"

// own is how the paths of our own modules begin; they have the image's version.
const own = "makegood.example/"

// materials lists what a program is made of, as the program itself says: the
// modules that its linker used, and Go. Licences are those that were read.
func materials(p Program, binary string, r Release, known []licences.Module) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	body, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	licensed := map[string][]string{}
	for _, m := range known {
		licensed[m.Path+"@"+m.Version] = m.Licences
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &cdx.Component{
		BOMRef: p.Name, Type: cdx.ComponentTypeApplication, Name: p.Name, Version: r.Version, Description: p.About,
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
	}}
	toolchain := strings.TrimPrefix(info.GoVersion, "go")
	parts := []cdx.Component{
		{BOMRef: "pkg:golang/std@" + toolchain, Type: cdx.ComponentTypeLibrary, Name: "std", Version: toolchain, PackageURL: "pkg:golang/std@" + toolchain, Licenses: named("BSD-3-Clause")},
	}
	for _, m := range info.Deps {
		if strings.HasPrefix(m.Path, own) {
			parts = append(parts, cdx.Component{BOMRef: m.Path, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: r.Version})
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		id := m.Path + "@" + m.Version
		ids, found := licensed[id]
		if !found {
			return nil, fmt.Errorf("%s contains %s, whose licence was not read", p.Name, id)
		}
		url := "pkg:golang/" + id
		parts = append(parts, cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url, Licenses: named(ids...)})
	}
	bom.Components = &parts
	var out bytes.Buffer
	err = cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
	return out.Bytes(), err
}

func named(ids ...string) *cdx.Licenses {
	var all cdx.Licenses
	for _, id := range ids {
		all = append(all, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	return &all
}

// attach makes a bill of materials an artifact that refers to its image.
func attach(bill []byte, image v1.Image) (v1.Image, error) {
	subject, err := partial.Descriptor(image)
	if err != nil {
		return nil, err
	}
	subject.ArtifactType = "" // an image is its own type
	artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), materialsType)
	if artifact, err = mutate.AppendLayers(artifact, static.NewLayer(bill, materialsType)); err != nil {
		return nil, err
	}
	return mutate.Subject(artifact, *subject).(v1.Image), nil
}
