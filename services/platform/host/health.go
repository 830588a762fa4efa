package host

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"makegood.example/services/platform/config"
	"makegood.example/services/platform/grpcclient"
	"makegood.example/services/platform/mtls"
)

// Healthy asks the service of that name, which runs here with the settings of
// the environment, for its gRPC health. Anyone may, without a certificate.
func Healthy(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		r := config.NewReader(os.LookupEnv)
		cfg := LoadConfig(r, strings.ToUpper(name))
		if err := r.Err(); err != nil {
			return err
		}
		certificates, err := mtls.Open(cfg.TLSDir, "", slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		conn, err := grpcclient.Dial(config.Dialable(cfg.Listen), "", nil, grpc.WithTransportCredentials(certificates.Client(name)))
		if err != nil {
			return err
		}
		defer conn.Close()
		answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
		if err != nil {
			return err
		}
		if answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			return fmt.Errorf("its health is %s", answer.GetStatus())
		}
		return nil
	}
}
