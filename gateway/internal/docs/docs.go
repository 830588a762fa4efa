// Package docs is the contract as a listener publishes it: an OpenAPI document for
// programs, and the same as a page for people, which is whole without scripts.
package docs

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"sync"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed style.css
var style string

var pageTemplate = template.Must(template.New("docs").Funcs(template.FuncMap{"prose": prose, "colour": colour}).Parse(pageHTML))

// Docs are what a listener serves at /openapi.json and at /docs.
type Docs struct {
	Document, Page http.Handler
}

// New makes both of a listener's OpenAPI document, which is one of ours and whole.
// Address is where its calls are made, when that is known. They are made when
// somebody first asks, which in most processes nobody does.
func New(openAPI []byte, title, address string) Docs {
	doc := func() []byte {
		doc, err := named(openAPI, title, address)
		if err != nil {
			panic(fmt.Errorf("name the OpenAPI document: %w", err))
		}
		return doc
	}
	page := func() []byte {
		var d document
		if err := json.Unmarshal(doc(), &d); err != nil {
			panic(fmt.Errorf("read the OpenAPI document: %w", err))
		}
		var drawn bytes.Buffer
		if err := pageTemplate.Execute(&drawn, d.page(address)); err != nil {
			panic(fmt.Errorf("draw %s: %w", pageTemplate.Name(), err))
		}
		return drawn.Bytes()
	}
	return Docs{Document: same("application/json", doc), Page: withPolicy(same("text/html; charset=utf-8", page))}
}

// named is the document under the product's name and address.
func named(openAPI []byte, title, address string) ([]byte, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		return nil, err
	}
	var info map[string]string
	if err := json.Unmarshal(doc["info"], &info); err != nil {
		return nil, err
	}
	info["title"] = title
	said, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	doc["info"] = said
	if address != "" {
		if doc["servers"], err = json.Marshal([]map[string]string{{"url": address}}); err != nil {
			return nil, err
		}
	}
	return json.MarshalIndent(doc, "", "  ")
}

// same serves what does not change while the process lives. A reader asks each time
// and is told when they have it.
func same(contentType string, read func() []byte) http.Handler {
	once := sync.OnceValues(func() (body []byte, etag string) {
		body = read()
		sum := sha256.Sum256(body)
		return body, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, etag := once()
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Cache-Control", "no-cache")
		h.Set("Etag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// policy allows the one stylesheet, by its hash, and nothing else.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

func withPolicy(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Robots-Tag", "noindex")
		next.ServeHTTP(w, r)
	})
}
