package proto_test

import (
	"fmt"
	"strings"
	"testing"

	validatepb "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "makegood.example/proto/gen/notifications/v1"
	_ "makegood.example/proto/gen/orders/v1"
	_ "makegood.example/proto/gen/payments/v1"
	_ "makegood.example/proto/gen/personal/v1"
	_ "makegood.example/proto/gen/provisioning/v1"
	_ "makegood.example/proto/gen/reconciliation/v1"
)

// Everything that can be asked for has an end: texts and lists in requests have a
// greatest length, and pages a greatest size.
func TestEveryRequestIsBounded(t *testing.T) {
	requests := 0
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				if strings.HasPrefix(string(file.Package()), "grpc.") {
					continue
				}
				requests++
				for _, problem := range unbounded(methods.Get(j).Input(), map[protoreflect.FullName]bool{}) {
					t.Errorf("%s: %s", methods.Get(j).FullName(), problem)
				}
			}
		}
		return true
	})
	if requests < 60 {
		t.Errorf("only %d requests were found", requests)
	}
}

func unbounded(m protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) (problems []string) {
	if seen[m.FullName()] || strings.HasPrefix(string(m.FullName()), "google.protobuf.") {
		return nil
	}
	seen[m.FullName()] = true
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		rules, _ := proto.GetExtension(f.Options(), validatepb.E_Field).(*validatepb.FieldRules)
		if f.IsList() {
			if !rules.GetRepeated().HasMaxItems() {
				problems = append(problems, fmt.Sprintf("%s may be a list without end", f.FullName()))
			}
			rules = rules.GetRepeated().GetItems()
		}
		switch f.Kind() {
		case protoreflect.StringKind:
			s := rules.GetString()
			if !s.HasMaxLen() && !s.HasMaxBytes() && !s.HasLen() && !s.HasConst() && !s.GetUuid() && len(s.GetIn()) == 0 && !ends(s.GetPattern()) {
				problems = append(problems, fmt.Sprintf("%s may be a text without end", f.FullName()))
			}
		case protoreflect.BytesKind:
			if !rules.GetBytes().HasMaxLen() {
				problems = append(problems, fmt.Sprintf("%s may be without end", f.FullName()))
			}
		case protoreflect.Int32Kind:
			if f.Name() == "page_size" && !rules.GetInt32().HasLte() {
				problems = append(problems, fmt.Sprintf("%s may be a page without end", f.FullName()))
			}
		case protoreflect.MessageKind:
			// What another service knows is taken as it is, up to the size of a message: to
			// refuse a long text of Stripe's would strand a payment.
			if f.Message().ParentFile().Package() != m.ParentFile().Package() {
				continue
			}
			problems = append(problems, unbounded(f.Message(), seen)...)
		}
	}
	return problems
}

// ends says whether a pattern is of the whole text, and of texts with an end.
func ends(pattern string) bool {
	return strings.HasPrefix(pattern, "^") && strings.HasSuffix(pattern, "$") && !strings.ContainsAny(pattern, "*+") && !strings.Contains(pattern, ",}")
}
