package inbox

import (
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

var page = template.Must(template.New("").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
	"join":  func(list []string) string { return strings.Join(list, ", ") },
}).ParseFS(web, "web/*.html"))

// How many mails the page lists; the API lists all.
const pageLength = 200

// Nothing on the page itself needs a script, and nothing may be loaded.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"

// A mail is shown without scripts, forms, remote pictures or our origin; its
// links open in a window of their own, which is free of the sandbox.
const mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"

func newHandler(in *Inbox, others func(*http.ServeMux)) http.Handler {
	h := &handler{inbox: in}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.page)
	mux.HandleFunc("POST /clear", h.clearPage)
	mux.HandleFunc("GET /messages/{id}/html", h.html)
	mux.HandleFunc("GET /api/messages", h.list)
	mux.HandleFunc("DELETE /api/messages", h.clear)
	mux.HandleFunc("GET /api/messages/{id}", h.message)
	mux.HandleFunc("GET /api/messages/{id}/raw", h.raw)
	mux.HandleFunc("GET /api/faults", h.faults)
	mux.HandleFunc("POST /api/faults", h.setFaults)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	if others != nil {
		others(mux)
	}
	// A page on another site must not clear the mails or set faults.
	return http.NewCrossOriginProtection().Handler(mux)
}

type handler struct{ inbox *Inbox }

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	messages := []Message{}
	for _, envelope := range h.inbox.store.List(Filter{To: query.Get("to"), MessageID: query.Get("message_id")}) {
		message, err := h.inbox.store.Message(envelope.ID)
		if errors.Is(err, ErrNotFound) {
			continue // cleared in between
		}
		if err != nil {
			h.fail(w, err)
			return
		}
		messages = append(messages, message)
	}
	writeJSON(w, http.StatusOK, messages)
}

func (h *handler) message(w http.ResponseWriter, r *http.Request) {
	message, err := h.inbox.store.Message(r.PathValue("id"))
	if err != nil {
		h.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, message)
}

func (h *handler) raw(w http.ResponseWriter, r *http.Request) {
	raw, err := h.inbox.store.Raw(r.PathValue("id"))
	if err != nil {
		h.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(raw)
}

func (h *handler) html(w http.ResponseWriter, r *http.Request) {
	message, err := h.inbox.store.Message(r.PathValue("id"))
	if err != nil {
		h.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", mailPolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	body := message.HTML
	const target = `<base target="_blank">`
	if head := strings.Index(body, "<head>"); head >= 0 {
		body = body[:head+len("<head>")] + target + body[head+len("<head>"):]
	} else {
		body = target + body
	}
	_, _ = w.Write([]byte(body))
}

func (h *handler) clear(w http.ResponseWriter, _ *http.Request) {
	if err := h.inbox.store.Clear(); err != nil {
		h.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) clearPage(w http.ResponseWriter, r *http.Request) {
	if err := h.inbox.store.Clear(); err != nil {
		h.fail(w, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (h *handler) faults(w http.ResponseWriter, _ *http.Request) {
	current, held := h.inbox.faults.status()
	writeJSON(w, http.StatusOK, struct {
		Faults
		Held int `json:"held"` // deliveries that wait for their 250
	}{current, held})
}

func (h *handler) setFaults(w http.ResponseWriter, r *http.Request) {
	var next Faults
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
	decoder.DisallowUnknownFields() // a misspelt fault would test nothing
	err := decoder.Decode(&next)
	if err == nil {
		err = next.validate()
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	h.inbox.faults.set(next)
	h.faults(w, r)
}

// page shows the list and, at ?id=, one mail as ?view=html, text or source.
func (h *handler) page(w http.ResponseWriter, r *http.Request) {
	data := struct {
		Mails    []Envelope
		Total    int
		Selected *Message
		View     string
		Source   string
	}{Mails: h.inbox.store.List(Filter{}), View: r.URL.Query().Get("view")}
	data.Total = len(data.Mails)
	data.Mails = data.Mails[:min(pageLength, data.Total)]
	if id := r.URL.Query().Get("id"); id != "" {
		message, err := h.inbox.store.Message(id)
		if err != nil {
			h.fail(w, err)
			return
		}
		data.Selected = &message
		if data.View == "source" {
			raw, err := h.inbox.store.Raw(id)
			if err != nil {
				h.fail(w, err)
				return
			}
			data.Source = string(raw)
		} else if data.View != "text" && message.HTML != "" {
			data.View = "html"
		} else {
			data.View = "text"
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Cache-Control", "no-store")
	if err := page.ExecuteTemplate(w, "inbox.html", data); err != nil {
		h.inbox.log.Error("page", "error", err)
	}
}

func (h *handler) fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, ErrNotFound) {
		status = http.StatusNotFound
	} else {
		h.inbox.log.Error("request failed", "error", err)
	}
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // for people who read mails with curl
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // fails only when the client is gone
}
