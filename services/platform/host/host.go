// Package host is what every service stands on: a pool on its schema, its
// credentials, its peers, one server, and the work beside the server. A
// service's Run reads: open the host, wire the parts, serve.
package host

import (
	"context"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"makegood.example/services/platform/access"
	"makegood.example/services/platform/config"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/grpcserver"
	"makegood.example/services/platform/metrics"
	"makegood.example/services/platform/migrate"
	"makegood.example/services/platform/mtls"
	"makegood.example/services/platform/oidc"
	"makegood.example/services/platform/pg"
	"makegood.example/services/platform/process"
	"makegood.example/services/platform/tracing"
)

// Config is what every service is told.
type Config struct {
	// DatabaseURL connects as the service's own role.
	DatabaseURL string
	// Listen is the address of the gRPC server; without TLS, on loopback.
	Listen string
	// TLSDir holds the certificates of the services; empty is no TLS.
	TLSDir string
	// AdminTokensFile and ServiceTokensFile name people and the SaaS's backend;
	// without them nobody but services may call.
	AdminTokensFile, ServiceTokensFile string
	// OIDC is the sign-in whose JWTs are credentials of people beside those files.
	OIDC oidc.Config
	// MetricsAddr is where metrics are served: host:port, unix:/path, or nothing
	// for nowhere.
	MetricsAddr string
	// Tracing is where spans go.
	Tracing tracing.Config
}

// addresses is where each service listens unless told otherwise.
var addresses = map[string]string{
	"ORDERS": "127.0.0.1:9101", "PAYMENTS": "127.0.0.1:9102", "PROVISIONING": "127.0.0.1:9103",
	"NOTIFICATIONS": "127.0.0.1:9104", "RECONCILIATION": "127.0.0.1:9105",
}

// LoadConfig reads the settings of the service whose variables begin with
// prefix, such as ORDERS.
func LoadConfig(r *config.Reader, prefix string) Config {
	c := Config{
		DatabaseURL:       r.String(prefix+"_DATABASE_URL", r.String("DATABASE_URL", "")),
		TLSDir:            r.String("GRPC_TLS_DIR", ""),
		AdminTokensFile:   r.String("ADMIN_TOKENS_FILE", ""),
		ServiceTokensFile: r.String("SERVICE_TOKENS_FILE", ""),
		OIDC:              oidc.LoadConfig(r),
		MetricsAddr:       metrics.LoadAddr(r),
		Tracing:           tracing.LoadConfig(r),
	}
	if key := prefix + "_GRPC_LISTEN"; c.TLSDir != "" {
		c.Listen = r.HostPort(key, PeerAddr(r, prefix))
	} else {
		c.Listen = r.Loopback(key, PeerAddr(r, prefix), "set GRPC_TLS_DIR")
	}
	if c.DatabaseURL == "" {
		r.Problem("%s_DATABASE_URL is not set (nor DATABASE_URL): the PostgreSQL database that this service keeps its schema in", prefix)
	}
	return c
}

// PeerAddr reads where a service is dialed; a comma list means replicas.
func PeerAddr(r *config.Reader, prefix string) string {
	return r.String(prefix+"_GRPC_ADDR", addresses[prefix])
}

// Host is an opened service.
type Host struct {
	// Server is the gRPC server to register on.
	*grpcserver.Server
	// Pool connects to the database as the service's role.
	Pool *pgxpool.Pool
	// Metrics is what the service tells; it has its calls and its database already.
	Metrics *metrics.Set

	name         string
	rt           process.Runtime
	metrics      string // where they are served
	jobs         bool
	certificates *mtls.Folder
	peers        []*grpc.ClientConn
	listener     net.Listener
	stopTracing  func()
	problems     []error
}

// Open waits for the database and prepares the rest. Close what it returns.
func Open(ctx context.Context, cfg Config, schema migrate.Schema, table access.Table, rt process.Runtime) (*Host, error) {
	tokens, err := access.LoadTokens(rt.Now, cfg.AdminTokensFile, cfg.ServiceTokensFile)
	if err != nil {
		return nil, err
	}
	tokens.Log = rt.Log
	if cfg.OIDC.Issuer != "" {
		tokens.Issuer = oidc.New(ctx, cfg.OIDC, rt.Now, rt.Log)
	}
	certificates, err := mtls.Open(cfg.TLSDir, schema.Name, rt.Log)
	if err != nil {
		return nil, err
	}
	stopTracing, err := tracing.Start(ctx, schema.Name, cfg.Tracing, rt.Log)
	if err != nil {
		return nil, err
	}
	pool, err := pg.Open(ctx, cfg.DatabaseURL, schema.Name)
	if err != nil {
		return nil, err
	}
	h := &Host{
		Pool: pool, Metrics: metrics.New(schema.Name), name: schema.Name, rt: rt, metrics: cfg.MetricsAddr,
		jobs: schema.River, certificates: certificates, stopTracing: stopTracing,
	}
	h.Metrics.Pool(pool)
	if err := migrate.WaitFor(ctx, pool, schema, rt.Log); err != nil {
		h.Close()
		return nil, err
	}
	if h.listener, err = rt.Listen(cfg.Listen); err != nil {
		h.Close()
		return nil, err
	}
	h.Server, err = grpcserver.New(grpcserver.Config{
		Name: schema.Name, Listener: h.listener, Access: table, Tokens: tokens, Certificates: certificates, Ready: pool.Ping, Metrics: h.Metrics.RPC, Log: rt.Log,
	})
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Peer prepares a connection to another service, by its name; it need not be up
// yet. A bad address is reported by Serve.
func (h *Host) Peer(name, addr string) *grpc.ClientConn {
	options := append(h.Metrics.RPC.Dialed(), grpc.WithTransportCredentials(h.certificates.Client(name)))
	conn, err := grpcclient.Dial(addr, h.name, h.rt.Dial, options...)
	if err != nil {
		h.problems = append(h.problems, err)
		return nil
	}
	h.peers = append(h.peers, conn)
	return conn
}

// Tell adds, once, the gauges that are read from the service's database.
func (h *Host) Tell(readings ...metrics.Reading) {
	if h.jobs {
		readings = append(readings, metrics.Jobs(h.name))
	}
	h.Metrics.Read(h.Pool, h.rt.Now, h.rt.Log, readings...)
}

// Serve serves, and does the work beside it, until ctx ends or one of them
// fails; then all of them have ended.
func (h *Host) Serve(ctx context.Context, work ...func(context.Context) error) error {
	if err := errors.Join(h.problems...); err != nil {
		return err
	}
	running, ctx := errgroup.WithContext(ctx)
	for _, w := range work {
		running.Go(func() error { return w(ctx) })
	}
	running.Go(func() error { return h.Server.Serve(ctx) })
	running.Go(func() error { return h.Metrics.Serve(ctx, h.metrics, h.Serving, h.rt.Log) })
	return running.Wait()
}

// Close gives everything back.
func (h *Host) Close() {
	for _, conn := range h.peers {
		_ = conn.Close()
	}
	if h.listener != nil {
		_ = h.listener.Close()
	}
	h.Pool.Close()
	h.stopTracing()
}
