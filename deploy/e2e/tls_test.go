package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"makegood.example/deploy/internal/stack"
	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
	"makegood.example/services/notifications"
	"makegood.example/services/orders"
	"makegood.example/services/payments"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/mtls"
	"makegood.example/services/provisioning"
	"makegood.example/services/reconciliation"
)

var tables = map[string]access.Table{
	"orders": orders.Access, "payments": payments.Access, "provisioning": provisioning.Access,
	"notifications": notifications.Access, "reconciliation": reconciliation.Access,
}

// TestMutualTLS is the whole product with certificates between its services.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	s := open(t, "GRPC_TLS_DIR=auto")
	dir := s.Env("GRPC_TLS_DIR")
	if dir != filepath.Join(s.Dir(), "tls") {
		t.Fatalf("the certificates are in %q", dir)
	}
	for _, c := range []struct {
		name string
		test func(*testing.T, *shop)
	}{
		{"a year of access", testHappyPurchase},
		{"the link in the mail", testLinkInTheMail}, // the SaaS's backend has a token and no certificate
		{"who may call what", testEveryPairOverTLS},
		{"without TLS", testPlainIsRefused},
		{"a person with a token", testPersonOverTLS},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s) })
	}
	s.awaitDeliveries(t)

	// Renewed twice, the first authority is believed by nobody; the processes go on,
	// those that stayed and those that come anew.
	for i := range 2 {
		if _, err := stack.MakeCertificates(dir); err != nil {
			t.Fatal(err)
		}
		b := s.buyer(fmt.Sprintf("renewal %d", i))
		b.pays(t, card)
		b.judgeFulfilled(t, outcome{})
		if err := s.Kill("payments"); err != nil {
			t.Fatal(err)
		}
		if err := s.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b := s.buyer("renewed twice")
	b.pays(t, card)
	b.judgeFulfilled(t, outcome{})
	s.awaitDeliveries(t)
}

func (s *shop) conn(t *testing.T, service string, shown credentials.TransportCredentials) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.Env(strings.ToUpper(service)+"_GRPC_ADDR"), grpc.WithTransportCredentials(shown))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (s *shop) certificates(t *testing.T, name string) *mtls.Folder {
	t.Helper()
	f, err := mtls.Open(s.Env("GRPC_TLS_DIR"), name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rpcs are what a running server serves.
func rpcs(t *testing.T, conn *grpc.ClientConn) (methods []protoreflect.MethodDescriptor) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	for _, offered := range answer.GetListServicesResponse().GetService() {
		if strings.HasPrefix(offered.GetName(), "grpc.") {
			continue
		}
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(offered.GetName()))
		if err != nil {
			t.Fatal(err)
		}
		list := found.(protoreflect.ServiceDescriptor).Methods()
		for i := range list.Len() {
			methods = append(methods, list.Get(i))
		}
	}
	return methods
}

// testEveryPairOverTLS calls every RPC of every process with the certificate of
// every service, and with none, each saying that it is one that may: only what
// the table has is let in.
func testEveryPairOverTLS(t *testing.T, s *shop) {
	refused, letIn := 0, 0
	for service, table := range tables {
		for _, caller := range append(slices.Clone(services), mtls.Gateway, "") {
			conn := s.conn(t, service, s.certificates(t, caller).Client(service))
			for _, m := range rpcs(t, conn) {
				name := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
				rule, ok := table[name]
				if !ok {
					t.Errorf("%s has no rule", name)
				}
				may := slices.Contains(rule.Callers, caller)
				if got := knock(t, conn, m, name, rule.Callers); got != may {
					t.Errorf("%s by %q: let in %t, may %t", name, caller, got, may)
				}
				if may {
					letIn++
				} else {
					refused++
				}
			}
		}
	}
	t.Logf("%d pairs were refused and %d let in", refused, letIn)
	if refused < 300 || letIn < 30 {
		t.Errorf("too few RPCs were found: %d refused, %d let in", refused, letIn)
	}
}

// knock says whether an empty request, said to be from somebody who may, gets past the door.
func knock(t *testing.T, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, name string, claimed []string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, caller := range append(slices.Clone(claimed), mtls.Gateway) {
		ctx = metadata.AppendToOutgoingContext(ctx, access.CallerKey, caller)
	}
	var err error
	if m.IsStreamingServer() {
		var stream grpc.ClientStream
		if stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, name); err == nil {
			_ = stream.SendMsg(&emptypb.Empty{})
			_ = stream.CloseSend()
			err = stream.RecvMsg(&emptypb.Empty{})
		}
	} else {
		err = conn.Invoke(ctx, name, &emptypb.Empty{}, &emptypb.Empty{})
	}
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return false
	case codes.Unavailable, codes.Unimplemented, codes.DeadlineExceeded:
		t.Errorf("%s: %v", name, err) // says nothing about the door
	}
	return true
}

func testPlainIsRefused(t *testing.T, s *shop) {
	for _, service := range services {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := healthv1.NewHealthClient(s.conn(t, service, insecure.NewCredentials())).Check(ctx, &healthv1.HealthCheckRequest{})
		cancel()
		if status.Code(err) != codes.Unavailable {
			t.Errorf("%s answers without TLS: %v", service, err)
		}
	}
}

// testPersonOverTLS calls as people do: an address, the authority, a token.
func testPersonOverTLS(t *testing.T, s *shop) {
	pem, err := os.ReadFile(filepath.Join(s.Env("GRPC_TLS_DIR"), "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	believed := x509.NewCertPool()
	believed.AppendCertsFromPEM(pem)
	shown := credentials.NewTLS(&tls.Config{RootCAs: believed, MinVersion: tls.VersionTLS13})
	conn, err := grpc.NewClient(s.Env("RECONCILIATION_GRPC_ADDR"), grpc.WithTransportCredentials(shown))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := reconciliationv1.NewSupportServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	token, err := s.Token("admin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.WhoAmI(ctx, &reconciliationv1.WhoAmIRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	if who, err := client.WhoAmI(ctx, &reconciliationv1.WhoAmIRequest{}); err != nil || who.GetActor() != "developer" {
		t.Errorf("with a token: %v, %v", who, err)
	}
}
