// Package openapi is what people write of the OpenAPI documents, beside the JSON in
// this folder.
package openapi

import "encoding/json"

// Example is one call as it was made, and how it was answered, as examples.json lists
// them; a test makes all of them again, in that order.
type Example struct {
	Name string `json:"name"`
	// Title says what the example shows.
	Title string `json:"title"`
	// Call is method and path of the operation.
	Call string `json:"call"`
	// Parameters are those of path, query and headers, by name.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Token says that the call has a token: a service's, or of the administration a
	// person's.
	Token  bool            `json:"token,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Status int             `json:"status"`
	// Answer is JSON, or a string of another type of content.
	Answer json.RawMessage `json:"answer,omitempty"`
}
