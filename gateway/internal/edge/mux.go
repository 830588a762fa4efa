package edge

import (
	"context"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	ordersv1 "makegood.example/proto/gen/orders/v1"
)

// RESTTimeout bounds a call on the public listener. It covers a charge whose
// bank is slow; what takes longer is answered by asking again.
const RESTTimeout = 25 * time.Second

// marshaler speaks protobuf JSON with the proto's field names. An unknown
// field is refused: a misspelt allow_repeat must not be silently dropped.
var marshaler = &runtime.JSONPb{
	MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true},
	UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
}

// NewMux is the REST translator, the same for buyers and for people with a
// role; timeout bounds each of its calls.
func NewMux(timeout time.Duration) *runtime.ServeMux {
	nothing := func(string) (string, bool) { return "", false }
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler),
		runtime.WithIncomingHeaderMatcher(forwardedHeader),
		runtime.WithOutgoingHeaderMatcher(nothing),
		runtime.WithOutgoingTrailerMatcher(nothing),
		runtime.WithMetadata(clientIPMetadata),
		runtime.WithForwardResponseOption(orderStatus),
		runtime.WithForwardResponseOption(mayBeKept),
		runtime.WithErrorHandler(handleError),
		runtime.WithRoutingErrorHandler(handleRoutingError),
		runtime.WithMiddlewares(noteRoute, boundBody, boundCalls(callsPerAddress, callsInAll), boundTime(timeout)),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
	)
}

// forwardedHeader names the only headers that reach a service as metadata. In
// particular no Grpc-Metadata-* does: services name themselves that way.
// (Authorization is forwarded by grpc-gateway itself.)
func forwardedHeader(key string) (string, bool) {
	if textproto.CanonicalMIMEHeaderKey(key) == "Idempotency-Key" {
		return idempotencyKey, true
	}
	return "", false
}

func clientIPMetadata(_ context.Context, r *http.Request) metadata.MD {
	if ip := infoOf(r.Context()).clientIP; ip.IsValid() {
		return metadata.Pairs(clientIPKey, ip.String())
	}
	return nil
}

// orderStatus tells in the HTTP status how a buyer's request ended: 402 when
// the card was declined, 202 while there is nothing to do but wait. Reading an
// order is always 200.
func orderStatus(ctx context.Context, w http.ResponseWriter, msg proto.Message) error {
	order, ok := msg.(*ordersv1.Order)
	infoOf(ctx).orderID = order.GetId()
	method, _ := runtime.RPCMethod(ctx)
	if !ok || method == ordersv1.OrdersService_GetOrder_FullMethodName {
		return nil
	}
	switch {
	case order.GetState() == ordersv1.Order_FAILED:
		w.WriteHeader(http.StatusPaymentRequired)
	case order.GetNextAction().GetType() == ordersv1.NextAction_WAIT:
		w.WriteHeader(http.StatusAccepted)
	}
	return nil
}

// noteRoute remembers for the log which route was taken and, for an error,
// which order it was about.
func noteRoute(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		info := infoOf(r.Context())
		if pattern, ok := runtime.HTTPPattern(r.Context()); ok {
			info.route = strings.ReplaceAll(pattern.String(), "=*}", "}")
		}
		if info.probing {
			return
		}
		for _, ref := range []string{params["reference"], r.Header.Get("Idempotency-Key")} {
			if id, err := uuid.Parse(ref); err == nil && len(ref) == 36 {
				info.reference = id.String()
				break
			}
		}
		next(w, r, params)
	}
}

// boundTime gives every call a deadline. A POST goes on when the browser goes
// away: a closed tab right after "pay" must not turn a clean purchase into one
// that has to be rescued.
func boundTime(timeout time.Duration) runtime.Middleware {
	return func(next runtime.HandlerFunc) runtime.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
			if isStream(r) {
				next(w, r, params) // it bounds itself
				return
			}
			ctx := r.Context()
			if r.Method == http.MethodPost {
				ctx = UntilServerStops(ctx)
			}
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			next(w, r.WithContext(ctx), params)
		}
	}
}

// Route adds a handler that is no RPC.
func Route(mux *runtime.ServeMux, method, path string, h http.Handler) error {
	err := mux.HandlePath(method, path, func(w http.ResponseWriter, r *http.Request, _ map[string]string) { h.ServeHTTP(w, r) })
	if err != nil {
		return fmt.Errorf("route %s %s: %w", method, path, err)
	}
	return nil
}
