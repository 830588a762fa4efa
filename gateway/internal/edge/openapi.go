package edge

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

// handmade are the public calls that are no RPC, as paths of an OpenAPI document.
//
//go:embed handmade.openapi.json
var handmade []byte

// PublicOpenAPI is the merged OpenAPI document under the product's name, and
// without the calls that are not on the public listener.
func PublicOpenAPI(merged []byte, appName string) ([]byte, error) {
	return editOpenAPI(merged, handmade, appName, func(path string) bool { return !strings.HasPrefix(path, "/admin/") })
}

// AdminOpenAPI is the document of the calls on the admin listener.
func AdminOpenAPI(merged []byte) ([]byte, error) {
	return editOpenAPI(merged, []byte("{}"), "Makegood administration", func(path string) bool { return strings.HasPrefix(path, "/admin/") })
}

func editOpenAPI(merged, added []byte, title string, keep func(path string) bool) ([]byte, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(merged, &doc); err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	var paths map[string]json.RawMessage
	if err := json.Unmarshal(doc["paths"], &paths); err != nil {
		return nil, fmt.Errorf("OpenAPI paths: %w", err)
	}
	if err := json.Unmarshal(added, &paths); err != nil {
		return nil, fmt.Errorf("OpenAPI paths made by hand: %w", err)
	}
	for path := range paths {
		if !keep(path) {
			delete(paths, path)
		}
	}
	kept, err := json.Marshal(paths)
	if err != nil {
		return nil, err
	}
	info, err := json.Marshal(map[string]string{"title": title, "version": "v1"})
	if err != nil {
		return nil, err
	}
	doc["paths"], doc["info"] = kept, info
	delete(doc, "tags")
	return json.MarshalIndent(doc, "", "  ")
}
