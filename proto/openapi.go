// Package proto carries the contracts' OpenAPI documents, so that the edge can serve
// them from wherever its binary lies.
package proto

import _ "embed"

// PublicOpenAPI is the OpenAPI document of the calls of the public listener, and
// AdminOpenAPI that of the calls for people with a role; as JSON.
var (
	//go:embed gen/public.openapi.json
	PublicOpenAPI []byte
	//go:embed gen/admin.openapi.json
	AdminOpenAPI []byte
)
