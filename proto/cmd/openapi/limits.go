package main

import (
	"fmt"
	"slices"
	"strings"

	validatepb "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "makegood.example/proto/gen/notifications/v1"
	_ "makegood.example/proto/gen/orders/v1"
	_ "makegood.example/proto/gen/payments/v1"
	_ "makegood.example/proto/gen/provisioning/v1"
	_ "makegood.example/proto/gen/reconciliation/v1"
)

// limit writes into the schemas what requests are held to, and what answers always
// have: every field, and null for a message that is unset.
func limit(paths, schemas tree) error {
	methods := map[string]protoreflect.MethodDescriptor{} // by operation id
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			list := f.Services().Get(i).Methods()
			for j := range list.Len() {
				m := list.Get(j)
				methods[fmt.Sprintf("%s_%s", m.Parent().Name(), m.Name())] = m
			}
		}
		return true
	})
	asked, answered := map[string]bool{}, map[string]bool{}
	var err error
	operations(paths, func(path, _ string, op tree) {
		m := methods[text(op["operationId"])]
		if m == nil {
			err = fmt.Errorf("%s: no RPC is named %v", path, op["operationId"])
			return
		}
		for _, p := range list(op["parameters"]) {
			p := p.(tree)
			if f := m.Input().Fields().ByName(protoreflect.Name(text(p["name"]))); f != nil {
				hold(p["schema"].(tree), f)
			}
		}
		reachable(op["requestBody"], schemas, asked)
		reachable(op["responses"], schemas, answered)
		// A body without what the path has is a schema of its own, of the whole request.
		for name := range asked {
			if schema, ok := schemas[name].(tree); ok && strings.HasSuffix(name, "."+string(m.Name())+"Body") {
				holdAll(schema, m.Input())
			}
		}
	})
	for name, schema := range schemas {
		found, findErr := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		m, ok := found.(protoreflect.MessageDescriptor)
		if findErr != nil || !ok || strings.HasPrefix(name, "google.") {
			continue
		}
		schema := schema.(tree)
		properties, _ := schema["properties"].(tree)
		if asked[name] {
			holdAll(schema, m)
		}
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			if p, ok := properties[string(f.Name())].(tree); ok && f.Message() != nil && !f.IsList() && !f.IsMap() {
				properties[string(f.Name())] = orNull(p)
			}
		}
		if answered[name] && !asked[name] && m.Oneofs().Len() == 0 {
			schema["required"] = fields(properties)
		}
	}
	return err
}

func fields(properties tree) []string {
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return nil
	}
	return names
}

// orNull allows null beside what a schema describes.
func orNull(p tree) tree {
	if ref, ok := p["$ref"]; ok {
		p = tree{"allOf": []any{tree{"$ref": ref}}}
	}
	p["nullable"] = true
	return p
}

// holdAll writes the limits of a request's fields. An unknown field is refused.
func holdAll(schema tree, m protoreflect.MessageDescriptor) {
	schema["additionalProperties"] = false
	properties, _ := schema["properties"].(tree)
	var required []string
	for name, p := range properties {
		f := m.Fields().ByName(protoreflect.Name(name))
		// Of a oneof's fields one is given, and no more.
		if f != nil && hold(p.(tree), f) && f.ContainingOneof() == nil {
			required = append(required, name)
		}
	}
	if slices.Sort(required); required != nil {
		schema["required"] = required
	}
}

// hold writes the limits of one value, and says whether it must be given.
func hold(schema tree, f protoreflect.FieldDescriptor) (required bool) {
	rules, _ := proto.GetExtension(f.Options(), validatepb.E_Field).(*validatepb.FieldRules)
	if rules == nil {
		return false
	}
	of, items := rules, schema
	if f.IsList() {
		if rules.GetRepeated().HasMaxItems() {
			schema["maxItems"] = rules.GetRepeated().GetMaxItems()
		}
		of, items = rules.GetRepeated().GetItems(), orSelf(schema["items"], schema)
	}
	s := of.GetString()
	optional := rules.GetIgnore() == validatepb.Ignore_IGNORE_IF_ZERO_VALUE
	if s.GetUuid() {
		items["format"] = "uuid"
	}
	if s.HasMaxLen() {
		items["maxLength"] = s.GetMaxLen()
	}
	if s.HasMinLen() && !optional {
		items["minLength"] = s.GetMinLen()
	}
	if s.HasPattern() {
		items["pattern"] = s.GetPattern()
	}
	if n := of.GetInt32(); n != nil {
		if n.HasGte() {
			items["minimum"] = n.GetGte()
		}
		if n.HasLte() {
			items["maximum"] = n.GetLte()
		}
	}
	given := s.GetMinLen() > 0 || s.GetUuid() || slices.Contains(rules.GetEnum().GetNotIn(), 0) || of.GetInt64().HasGt()
	return rules.GetRequired() || given && !optional && !f.IsList()
}

func orSelf(value any, otherwise tree) tree {
	if t, ok := value.(tree); ok {
		return t
	}
	return otherwise
}
