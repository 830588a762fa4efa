// Package module is makegood.js, what a shop's own checkout page runs: its
// sources, the words it says, and their serving.
package module

import (
	"bytes"
	"crypto/sha256"
	"embed"
	_ "embed" // the words, the style and the types
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

var (
	//go:embed src/*.js
	sources embed.FS
	//go:embed src/panel.css
	style string
	//go:embed words.en.json
	words []byte
	//go:embed makegood.d.ts
	types []byte
)

// exported is what a page may import, and what the global Makegood has.
const exported = "createCheckout, Checkout, VERSION"

// Script is one file that is served.
type Script struct {
	Path        string
	ContentType string
	Body        []byte
}

// Scripts builds the files from the sources: the same parts, once as an ES
// module and once for a plain script element. catalogue is the words of the
// status page, which the module says too; refundDays is how long banks usually
// take to show a refund, in words.
func Scripts(catalogue []byte, refundDays string) ([]Script, error) {
	parts, err := join(catalogue, refundDays)
	if err != nil {
		return nil, err
	}
	version := fmt.Sprintf("%x", sha256.Sum256(parts))[:12]
	head := func(script string) string {
		return fmt.Sprintf("// Makegood's checkout module. Types: makegood.d.ts beside it.\n%s\nconst VERSION = %q;\n", script, version)
	}
	const javascript = "text/javascript; charset=utf-8"
	return []Script{
		{"/makegood.js", javascript, []byte(head("const SCRIPT = import.meta.url;") + string(parts) + "\nexport { " + exported + " };\n")},
		{"/makegood.classic.js", javascript, []byte("window.Makegood = (() => {\n\"use strict\";\n" + head("const SCRIPT = document.currentScript.src;") +
			string(parts) + "\nreturn { " + exported + " };\n})();\n")},
		{"/makegood.d.ts", "application/typescript; charset=utf-8", types},
	}, nil
}

// join puts the words and the style before the sources, in the order of their
// names.
func join(catalogue []byte, refundDays string) ([]byte, error) {
	var all, own map[string]any
	if err := json.Unmarshal(catalogue, &all); err != nil {
		return nil, fmt.Errorf("the status page's words: %w", err)
	}
	if err := json.Unmarshal(words, &own); err != nil {
		return nil, fmt.Errorf("the checkout's words: %w", err)
	}
	all["checkout"] = own
	said, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	css, err := json.Marshal(style)
	if err != nil {
		return nil, err
	}
	days, err := json.Marshal(refundDays)
	if err != nil {
		return nil, err
	}
	var joined bytes.Buffer
	fmt.Fprintf(&joined, "const WORDS = %s;\nconst REFUND_DAYS = %s;\nconst STYLE = %s;\n", said, days, css)
	files, err := sources.ReadDir("src")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".js") {
			continue
		}
		body, err := sources.ReadFile("src/" + f.Name())
		if err != nil {
			return nil, err
		}
		joined.WriteByte('\n')
		joined.Write(body)
	}
	return joined.Bytes(), nil
}

// Handler serves the file to pages of any origin: there is nothing in it that
// everybody may not read. A browser asks each time and is told when it has it.
func (s Script) Handler() http.Handler {
	sum := sha256.Sum256(s.Body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Cache-Control", "no-cache")
		h.Set("Etag", etag)
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", s.ContentType)
		_, _ = w.Write(s.Body)
	})
}
