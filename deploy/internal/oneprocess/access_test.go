package oneprocess_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"makegood.example/deploy/internal/oneprocess"
	"makegood.example/services/notifications"
	"makegood.example/services/orders"
	"makegood.example/services/payments"
	"makegood.example/services/platform/access"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/provisioning"
	"makegood.example/services/reconciliation"
)

var tables = map[string]access.Table{
	"orders": orders.Access, "payments": payments.Access, "provisioning": provisioning.Access,
	"notifications": notifications.Access, "reconciliation": reconciliation.Access,
}

// reads are the RPCs that a viewer may call. Whoever adds one here has looked that
// it changes nothing, anywhere.
var reads = []string{
	"/notifications.v1.NotificationsService/ListIncidents",
	"/notifications.v1.NotificationsService/ListMessages",
	"/orders.v1.OrdersAdminService/DescribeOrder",
	"/orders.v1.OrdersAdminService/GetCharging",
	"/orders.v1.OrdersAdminService/ListStuckOrders",
	"/payments.v1.PaymentsAdminService/CountResolutionMethods",
	"/payments.v1.PaymentsAdminService/ListRefunds",
	"/payments.v1.PaymentsAdminService/ListWebhookEvents",
	"/provisioning.v1.ProvisioningAdminService/ListHooks",
	"/reconciliation.v1.ReconciliationService/CountChargesByDay",
	"/reconciliation.v1.ReconciliationService/ExplainCharge",
	"/reconciliation.v1.ReconciliationService/GetCase",
	"/reconciliation.v1.ReconciliationService/GetIntegrityReport",
	"/reconciliation.v1.ReconciliationService/ListCases",
	"/reconciliation.v1.ReconciliationService/ListRuns",
	"/reconciliation.v1.SupportService/ListAudit",
	"/reconciliation.v1.SupportService/ListTickets",
	"/reconciliation.v1.SupportService/LookupCustomer",
	"/reconciliation.v1.SupportService/WhoAmI",
}

// method is one RPC that a running server serves.
type method struct {
	service string // whose server
	name    string
	desc    protoreflect.MethodDescriptor
}

// served asks each server what it serves, and the descriptors what that is.
func served(t *testing.T, w *oneprocess.World) (methods []method) {
	t.Helper()
	for _, service := range slices.Sorted(maps.Keys(tables)) {
		stream, err := reflectionv1.NewServerReflectionClient(w.Conn(service, "")).ServerReflectionInfo(t.Context())
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
		for _, s := range answer.GetListServicesResponse().GetService() {
			if strings.HasPrefix(s.GetName(), "grpc.") {
				continue
			}
			found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(s.GetName()))
			if err != nil {
				t.Fatal(err)
			}
			list := found.(protoreflect.ServiceDescriptor).Methods()
			for i := range list.Len() {
				methods = append(methods, method{service, fmt.Sprintf("/%s/%s", s.GetName(), list.Get(i).Name()), list.Get(i)})
			}
		}
	}
	return methods
}

// call sends an empty request and says how it was answered at the door.
func (m method) call(ctx context.Context, conn *grpc.ClientConn) codes.Code {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	in, out := dynamicpb.NewMessage(m.desc.Input()), dynamicpb.NewMessage(m.desc.Output())
	var err error
	if m.desc.IsStreamingServer() {
		var stream grpc.ClientStream
		if stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, m.name); err == nil {
			err = errors.Join(stream.SendMsg(in), stream.CloseSend())
		}
		if err == nil {
			err = stream.RecvMsg(out)
		}
	} else {
		err = conn.Invoke(ctx, m.name, in, out)
	}
	switch e := apperr.Of(err); {
	case e == nil:
		return codes.OK
	case e.Code == codes.Unauthenticated, e.Code == codes.PermissionDenied && slices.Contains([]string{"PERMISSION_DENIED", "NO_ACCESS_RULE"}, e.Reason):
		return e.Code
	}
	return codes.OK // it was let in, and refused for what it asked
}

// Every RPC of every running server is asked by nobody, by each service, by each
// role and by bad credentials, and lets in exactly whom its rule names. An RPC that
// is added without a thought lets in a viewer, or nobody, and fails here.
func TestWhoIsLetInAtEveryRPC(t *testing.T) {
	t.Parallel()
	w := oneprocess.New(t, oneprocess.Options{})
	methods := served(t, w)
	seen := map[string]bool{}
	var letIn []string
	people := []string{access.Viewer, access.Support, access.Admin}
	for _, m := range methods {
		rule, ok := tables[m.service][m.name]
		if !ok {
			t.Errorf("%s has no rule", m.name)
		}
		seen[m.name] = true
		for _, caller := range append(slices.Sorted(maps.Keys(tables)), "gateway", "stranger", "") {
			want := codes.PermissionDenied
			switch {
			case caller != "" && slices.Contains(rule.Callers, caller):
				want = codes.OK
			case caller == "" || rule.Role != "":
				want = codes.Unauthenticated
			}
			if got := m.call(t.Context(), w.Conn(m.service, caller)); got != want {
				t.Errorf("%s by %q without a token: %s, want %s", m.name, caller, got, want)
			}
		}
		for who, token := range w.Credentials() {
			want := codes.PermissionDenied
			switch {
			case who == "unknown" || who == "expired":
				want = codes.Unauthenticated
			case rule.Role == access.Service:
				if who == "service" || who == "admin" {
					want = codes.OK
				}
			case rule.Role != "" && slices.Index(people, who) >= slices.Index(people, rule.Role):
				want = codes.OK
			}
			got := m.call(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token), w.Conn(m.service, ""))
			if got != want {
				t.Errorf("%s with the token of %q: %s, want %s", m.name, who, got, want)
			}
			if who == "viewer" && got == codes.OK {
				letIn = append(letIn, m.name)
			}
			// A bad token is refused also where its bearer's service alone would do.
			if (who == "unknown" || who == "expired") && len(rule.Callers) > 0 {
				if got := m.call(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token), w.Conn(m.service, rule.Callers[0])); got != codes.Unauthenticated {
					t.Errorf("%s by %s with the token of %q: %s", m.name, rule.Callers[0], who, got)
				}
			}
		}
		// The admin listener forwards a person's token under the gateway's name: where
		// that name alone would do, the person's role would not count.
		if http, _ := proto.GetExtension(m.desc.Options(), annotations.E_Http).(*annotations.HttpRule); strings.Contains(http.String(), `"/admin/`) && slices.Contains(rule.Callers, "gateway") {
			t.Errorf("%s has an admin path, and lets the gateway in whoever asks it", m.name)
		}
	}
	for _, table := range tables {
		for name := range table {
			if !seen[name] {
				t.Errorf("the rule %s is of no RPC", name)
			}
		}
	}
	slices.Sort(letIn)
	if !slices.Equal(letIn, reads) {
		t.Errorf("a viewer is let in at\n%s\nand must be at\n%s\nOne that changes something needs the role support; one that only reads goes into the list of this test", strings.Join(letIn, "\n"), strings.Join(reads, "\n"))
	}
	if len(methods) < 60 {
		t.Errorf("only %d RPCs were found", len(methods))
	}
}
