// Package app stands in for the SaaS's own app, to which the links in mails
// lead: it sets up the account of an activation link, as the real one does, by
// redeeming the link's token at Provisioning. It has no accounts and no logins
// of its own, and says so.
package app

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/mtls"
)

//go:embed *.html
var files embed.FS

var page = template.Must(template.ParseFS(files, "app.html"))

// How long Provisioning may take to answer.
const redeemTimeout = 5 * time.Second

// Forms go to this page only, nothing is loaded, nobody may frame it.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"

// Config is what the stand-in needs to know.
type Config struct {
	// ProvisioningAddr is where Provisioning is dialed, host:port; of a comma
	// list of replicas, the first is used.
	ProvisioningAddr string
	// TokenFile holds a service token, by which Provisioning knows the SaaS. It
	// is read when it is used; empty means that nothing can be redeemed.
	TokenFile string
	// TLSDir has the authority of Provisioning's certificate; empty is no TLS.
	TLSDir string
	// Name is the product's; empty leaves it unsaid.
	Name string
}

// App is the stand-in.
type App struct {
	cfg    Config
	log    *slog.Logger
	conn   *grpc.ClientConn
	client provisioningv1.ProvisioningServiceClient
}

// New prepares the stand-in; Provisioning need not be up yet. It dials as the
// SaaS's backend does: a plain client that names no service and tries nothing
// twice, because a token is spent by its first use.
func New(cfg Config, log *slog.Logger) (*App, error) {
	addr, _, _ := strings.Cut(cfg.ProvisioningAddr, ",")
	authority, err := mtls.Open(cfg.TLSDir, "", log)
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimSpace(addr),
		grpc.WithTransportCredentials(authority.Client("provisioning")), grpc.WithDisableRetry())
	if err != nil {
		return nil, fmt.Errorf("PROVISIONING_GRPC_ADDR: %w", err)
	}
	return &App{cfg: cfg, log: log, conn: conn, client: provisioningv1.NewProvisioningServiceClient(conn)}, nil
}

// Close ends the connection to Provisioning.
func (a *App) Close() error { return a.conn.Close() }

// Register adds the pages under /app/.
func (a *App) Register(mux *http.ServeMux) {
	for _, path := range []string{"/app", "/app/{$}", "/app/login"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			a.show(w, http.StatusOK, view{Login: r.URL.Path == "/app/login"})
		})
	}
	// Opening the link spends nothing: mail scanners open every link.
	mux.HandleFunc("GET /app/activate", func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("token")
		if token == "" {
			a.show(w, http.StatusBadRequest, view{Heading: "This link is not complete", Says: "It carries no token. Open the link in the mail as it is."})
			return
		}
		a.show(w, http.StatusOK, view{Token: token})
	})
	mux.HandleFunc("POST /app/activate", a.activate)
}

// view is what the page shows: a form for Token, else what happened, else that
// the app itself would be here.
type view struct {
	Name          string
	Token         string
	Heading, Says string
	Account       *provisioningv1.RedeemActivationResponse
	Login         bool
}

func (a *App) show(w http.ResponseWriter, code int, v view) {
	v.Name = a.cfg.Name
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Cache-Control", "no-store")
	// The address has the token in it.
	w.Header().Set("Referrer-Policy", "same-origin")
	w.WriteHeader(code)
	if err := page.Execute(w, v); err != nil {
		a.log.Error("page", "error", err)
	}
}

func (a *App) activate(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	account, err := a.redeem(r.Context(), r.PostFormValue("token"))
	switch status.Code(err) {
	case codes.OK:
		a.show(w, http.StatusOK, view{Heading: "The account is set up", Account: account})
	case codes.NotFound, codes.InvalidArgument:
		a.show(w, http.StatusNotFound, view{Heading: "This link does not work any more", Says: "It is spent or expired, or was never given out: a link works once, and for a limited time. Nothing was changed now."})
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		a.log.Warn("activation unanswered", "error", err)
		a.show(w, http.StatusServiceUnavailable, view{Heading: "Provisioning did not answer", Says: "Whether the link was spent is not known. Open it again: if it works it was not."})
	default:
		a.log.Error("activation failed", "error", err)
		a.show(w, http.StatusBadGateway, view{Heading: "The link could not be redeemed", Says: "This is not about the link: " + status.Convert(err).Message() + "."})
	}
}

func (a *App) redeem(ctx context.Context, token string) (*provisioningv1.RedeemActivationResponse, error) {
	if a.cfg.TokenFile == "" {
		return nil, status.Error(codes.FailedPrecondition, "this stand-in has no service token; INBOX_SERVICE_TOKEN_FILE names the file of one")
	}
	credential, err := os.ReadFile(a.cfg.TokenFile)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err // the page need not tell where the token is
		}
		return nil, status.Errorf(codes.FailedPrecondition, "the service token cannot be read (%v)", err)
	}
	ctx, cancel := context.WithTimeout(ctx, redeemTimeout)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+strings.TrimSpace(string(credential)))
	return a.client.RedeemActivation(ctx, &provisioningv1.RedeemActivationRequest{Token: token})
}
