package edge

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

// probeTimeout bounds one question to one peer.
const probeTimeout = time.Second

// Alive answers that the process lives; it asks nobody.
func Alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
}

// Ready answers 200 when an order can be placed: Orders, Payments and
// Provisioning serve. The others are told, and do not keep anyone from buying. Who
// was told to stop takes orders for a moment more, and says no already.
func Ready(peers Peers, log *slog.Logger) http.Handler {
	var lastStatus atomic.Int64
	all := []struct {
		name   string
		conn   grpc.ClientConnInterface
		needed bool
	}{
		{"orders", peers.Orders, true},
		{"payments", peers.Payments, true},
		{"provisioning", peers.Provisioning, true},
		{"notifications", peers.Notifications, false},
		{"reconciliation", peers.Reconciliation, false},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining(r) {
			writeJSON(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "draining": true})
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
		defer cancel()
		said := make([]string, len(all))
		var wg sync.WaitGroup
		for i, peer := range all {
			wg.Go(func() { said[i] = probe(ctx, peer.conn) })
		}
		wg.Wait()

		status, ready := http.StatusOK, true
		told := map[string]string{}
		for i, peer := range all {
			told[peer.name] = said[i]
			if peer.needed && said[i] != serving {
				status, ready = http.StatusServiceUnavailable, false
			}
		}
		if lastStatus.Swap(int64(status)) != int64(status) {
			log.InfoContext(ctx, "readiness changed", "ready", ready, "services", told)
		}
		writeJSON(w, status, map[string]any{"ready": ready, "services": told})
	})
}

var serving = healthv1.HealthCheckResponse_SERVING.String()

func probe(ctx context.Context, conn grpc.ClientConnInterface) string {
	reply, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return "UNREACHABLE"
	}
	return reply.GetStatus().String()
}
