// Package proto carries the contracts' merged OpenAPI document, so that the
// edge can serve it from wherever its binary lies.
package proto

import _ "embed"

// OpenAPI is the OpenAPI v2 document of every REST call, as JSON.
//
//go:embed gen/makegood.swagger.json
var OpenAPI []byte
