package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed style.css
var style string

//go:embed live.js
var script string

// docsPolicy allows the one stylesheet, by its hash, and nothing else;
// statusPolicy the one script too, which asks only us, and a form that is sent
// only to us.
var (
	docsPolicy   = policy("form-action 'none'")
	statusPolicy = policy("script-src "+source(script), "connect-src 'self'", "form-action 'self'")
)

func policy(allowed ...string) string {
	p := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src " + source(style)
	for _, a := range allowed {
		p += "; " + a
	}
	return p
}

func source(inline string) string {
	sum := sha256.Sum256([]byte(inline))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// write renders to memory first, so that a page is whole or not sent.
func write(w http.ResponseWriter, status int, t *template.Template, policy string, data any) {
	var page bytes.Buffer
	if err := t.Execute(&page, data); err != nil {
		panic(fmt.Errorf("draw %s: %w", t.Name(), err))
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}
