// Package exampleapp is a small SaaS that sells its plan through Makegood: what your
// own app has to do, and nothing else. It sells with makegood.js, lets people in by
// the link in their mail, hears by signed hooks what access each account has, and
// asks when it has not heard. It may be killed at any moment.
package exampleapp

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

//go:embed page.html shop.js
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// askTimeout bounds a question to Makegood.
const askTimeout = 5 * time.Second

// Config is what the app is told.
type Config struct {
	// MakegoodURL is Makegood's edge, as browsers and this app reach it.
	MakegoodURL string
	// ServiceToken is the app's own, with the role service.
	ServiceToken string
	// HookSecret is the one that hooks are verified with ("whsec_…").
	HookSecret string
	// Journal is the file in which the app keeps what it knows.
	Journal string
}

// App is the example.
type App struct {
	cfg      Config
	kept     *journal
	verifier *standardwebhooks.Webhook
	log      *slog.Logger
}

// New reads the journal; Makegood need not be up.
func New(cfg Config, log *slog.Logger) (*App, error) {
	verifier, err := standardwebhooks.NewWebhook(cfg.HookSecret)
	if err != nil {
		return nil, fmt.Errorf("the hook's secret: %w", err)
	}
	kept, err := openJournal(cfg.Journal)
	if err != nil {
		return nil, err
	}
	return &App{cfg: cfg, kept: kept, verifier: verifier, log: log}, nil
}

// Close gives everything back.
func (a *App) Close() error { return a.kept.Close() }

// Handler serves the app.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		a.show(w, http.StatusOK, view{Sells: true, Makegood: a.cfg.MakegoodURL})
	})
	mux.HandleFunc("GET /shop.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "shop.js") })
	mux.HandleFunc("GET /activate", func(w http.ResponseWriter, r *http.Request) {
		// Opening a link spends nothing: mail scanners open every link.
		a.show(w, http.StatusOK, view{Token: r.URL.Query().Get("token")})
	})
	mux.HandleFunc("POST /activate", a.activate)
	mux.HandleFunc("GET /members", a.members)
	mux.HandleFunc("POST /hooks", a.hear)
	return http.NewCrossOriginProtection().Handler(mux)
}

// hear takes a hook: verified over the raw body, written down, then answered.
func (a *App) hear(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil || a.verifier.Verify(payload, r.Header) != nil {
		http.Error(w, "not a hook of ours", http.StatusBadRequest)
		return
	}
	var hook struct {
		Type string `json:"type"`
		Data access `json:"data"`
	}
	if err := json.Unmarshal(payload, &hook); err != nil {
		http.Error(w, "not a hook that can be read", http.StatusBadRequest)
		return
	}
	if hook.Type == "access.changed" { // what else may come is for later versions
		if err := a.kept.Add(entry{Access: &hook.Data}); err != nil {
			a.log.Error("a hook could not be kept", "error", err)
			http.Error(w, "not kept; send it again", http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// activate spends the link of a mail and lets its holder in.
func (a *App) activate(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	token := r.PostFormValue("token")
	var account struct {
		ID string `json:"account_id"`
	}
	code, err := a.call(r.Context(), http.MethodPost, "/v1/activations:redeem", map[string]string{"token": token}, &account)
	switch {
	case err == nil && code == http.StatusOK:
	case err == nil && (code == http.StatusNotFound || code == http.StatusBadRequest):
		a.show(w, http.StatusNotFound, view{Says: "This link is not valid any more. Ask for a new one, or log in."})
		return
	default:
		a.log.Warn("a link could not be redeemed", "status", code, "error", err)
		a.show(w, http.StatusServiceUnavailable, view{Says: "That did not work just now. Please try again in a minute.", Token: token})
		return
	}
	session := rand.Text()
	if err := a.kept.Add(entry{Session: session, Account: account.ID}); err != nil {
		a.log.Error("a session could not be kept", "error", err)
		a.show(w, http.StatusServiceUnavailable, view{Says: "Your account is set up. Please log in in a minute."})
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil})
	http.Redirect(w, r, "/members", http.StatusSeeOther)
}

// members is what people pay for.
func (a *App) members(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("session")
	if err != nil {
		a.show(w, http.StatusUnauthorized, view{Says: "Please log in."})
		return
	}
	account, known := a.kept.Account(cookie.Value)
	if !known {
		a.show(w, http.StatusUnauthorized, view{Says: "Please log in."})
		return
	}
	may, heard := a.kept.Access(account)
	if !heard || !may.now(time.Now()) {
		// Not told yet, or the journal is lost, or what was told is past and the next word is
		// late: the question always has an answer, and nobody is sent away without it.
		if may, err = a.ask(r.Context(), account); err != nil {
			a.log.Warn("access could not be asked", "error", err)
			a.show(w, http.StatusServiceUnavailable, view{Says: "We cannot see right now what your account may use. Please try again in a minute."})
			return
		}
	}
	if !may.now(time.Now()) {
		a.show(w, http.StatusPaymentRequired, view{Says: "Your access has ended.", Sells: true, Makegood: a.cfg.MakegoodURL})
		return
	}
	a.show(w, http.StatusOK, view{Says: "You're in, until " + may.Until.UTC().Format("2 January 2006") + "."})
}

// ask reads an account's access at Makegood.
func (a *App) ask(ctx context.Context, account string) (access, error) {
	var said struct {
		Active      bool       `json:"active"`
		AccessUntil *time.Time `json:"access_until"`
	}
	code, err := a.call(ctx, http.MethodGet, "/v1/accounts/"+url.PathEscape(account)+"/access", nil, &said)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("makegood answered %d", code)
	}
	return access{Account: account, Active: said.Active, Until: said.AccessUntil}, err
}

// call asks Makegood under the app's own token. The answer is read when it is a 200.
func (a *App) call(ctx context.Context, method, path string, body, into any) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return 0, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, a.cfg.MakegoodURL+path, &sent)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+a.cfg.ServiceToken)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return answer.StatusCode, nil
	}
	return answer.StatusCode, json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(into)
}

// view is what the page shows.
type view struct {
	Says     string
	Token    string
	Sells    bool
	Makegood string
}

func (a *App) show(w http.ResponseWriter, code int, v view) {
	own := strings.TrimRight(v.Makegood, "/")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline' "+own+"; script-src 'self' "+own+
		"; connect-src 'self' "+own+"; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin") // the address may have a token in it
	w.WriteHeader(code)
	if err := page.Execute(w, v); err != nil {
		a.log.Error("page", "error", err)
	}
}
