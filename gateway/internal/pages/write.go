package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
)

//go:embed style.css
var style string

//go:embed live.js
var script string

// statusPolicy allows the one stylesheet and the one script, by their hashes; the
// script asks only us, and a form is sent only to us.
var statusPolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src " + source(style) +
	"; script-src " + source(script) + "; connect-src 'self'; form-action 'self'"

func source(inline string) string {
	sum := sha256.Sum256([]byte(inline))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// write renders to memory first, so that a page is whole or not sent.
func write(w http.ResponseWriter, status int, data any) {
	var page bytes.Buffer
	if err := statusTemplate.Execute(&page, data); err != nil {
		panic(fmt.Errorf("draw %s: %w", statusTemplate.Name(), err))
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", statusPolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}
