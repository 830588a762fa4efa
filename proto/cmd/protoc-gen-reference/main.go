// Command protoc-gen-reference is a plugin of protoc and buf: it writes what the
// contracts say of themselves, service by service, as one Markdown page for people.
// The comments are in the contracts; buf's linter sees that none is missing.
package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const introduction = `# The contracts

Written by ` + "`make generate`" + ` from ` + "`proto/`" + `; change it there. Each service's calls, then what they take and answer. A call with a path can be made over REST, too: under ` + "`/v1/`" + ` on the public address, where ` + "`/docs`" + ` has examples, and under ` + "`/admin/v1/`" + ` on the admin address.

JSON is protobuf's, with the names below: an ` + "`int64`" + ` is a decimal string, a ` + "`Timestamp`" + ` is RFC 3339 in UTC, and every field is there, ` + "`null`" + ` where it is unset.
`

func main() {
	protogen.Options{}.Run(func(p *protogen.Plugin) error {
		files := slices.DeleteFunc(slices.Clone(p.Files), func(f *protogen.File) bool { return !f.Generate })
		slices.SortFunc(files, func(a, b *protogen.File) int { return strings.Compare(a.Desc.Path(), b.Desc.Path()) })
		page := p.NewGeneratedFile("reference.md", "")
		page.P(introduction)
		for _, f := range files {
			for _, s := range f.Services {
				page.P("- ", link(s.Desc), ": ", sentence(s.Comments))
			}
		}
		for _, f := range files {
			page.P("\n## ", f.Desc.Path(), "\n\n", text(f))
			for _, s := range f.Services {
				service(page, s)
			}
			for _, e := range f.Enums {
				enum(page, e)
			}
			for _, m := range f.Messages {
				message(page, m)
			}
		}
		return nil
	})
}

// text is the comment above a file's package.
func text(f *protogen.File) string {
	const packageField = 2 // of FileDescriptorProto
	return paragraph(f.Desc.SourceLocations().ByPath(protoreflect.SourcePath{packageField}).LeadingComments)
}

func service(page *protogen.GeneratedFile, s *protogen.Service) {
	page.P("\n### ", s.Desc.FullName(), "\n\n", comment(s.Comments))
	for _, m := range s.Methods {
		page.P("\n#### ", m.Desc.FullName(), "\n")
		if rule, _ := proto.GetExtension(m.Desc.Options(), annotations.E_Http).(*annotations.HttpRule); rule != nil {
			page.P("`", rest(rule), "`\n")
		}
		page.P(comment(m.Comments))
		answers := "Answers "
		if m.Desc.IsStreamingServer() {
			answers = "Answers a stream of "
		}
		page.P("\nTakes ", link(m.Input.Desc), ". ", answers, link(m.Output.Desc), ".")
	}
}

// rest is how a call is made over HTTP.
func rest(rule *annotations.HttpRule) string {
	if get := rule.GetGet(); get != "" {
		return "GET " + get
	}
	return "POST " + rule.GetPost()
}

func message(page *protogen.GeneratedFile, m *protogen.Message) {
	if m.Desc.IsMapEntry() {
		return
	}
	page.P("\n### ", m.Desc.FullName(), "\n\n", comment(m.Comments))
	if len(m.Fields) > 0 {
		page.P("\n| field | type | |\n|---|---|---|")
	}
	for _, f := range m.Fields {
		said := comment(f.Comments)
		if o := f.Oneof; o != nil && !o.Desc.IsSynthetic() {
			said = fmt.Sprintf("One of `%s`. %s", o.Desc.Name(), said)
		}
		page.P("| `", f.Desc.Name(), "` | ", kind(f.Desc), " | ", strings.ReplaceAll(said, "|", `\|`), " |")
	}
	for _, e := range m.Enums {
		enum(page, e)
	}
	for _, nested := range m.Messages {
		message(page, nested)
	}
}

func enum(page *protogen.GeneratedFile, e *protogen.Enum) {
	page.P("\n### ", e.Desc.FullName(), "\n\n", comment(e.Comments), "\n\n| value | |\n|---|---|")
	for _, v := range e.Values {
		page.P("| `", v.Desc.Name(), "` | ", strings.ReplaceAll(comment(v.Comments), "|", `\|`), " |")
	}
}

// kind is a field's type, as people write it.
func kind(f protoreflect.FieldDescriptor) string {
	if f.IsMap() {
		return fmt.Sprintf("map of %s to %s", kind(f.MapKey()), kind(f.MapValue()))
	}
	name := f.Kind().String()
	switch {
	case f.Message() != nil && strings.HasPrefix(string(f.Message().FullName()), "google.protobuf."):
		name = string(f.Message().Name())
	case f.Message() != nil:
		name = link(f.Message())
	case f.Enum() != nil:
		name = link(f.Enum())
	}
	if f.IsList() {
		return "list of " + name
	}
	return name
}

// link leads to a heading, by the anchor that Markdown's readers make of it.
func link(d protoreflect.Descriptor) string {
	name := string(d.FullName())
	short := strings.TrimPrefix(name, string(d.ParentFile().Package())+".")
	return fmt.Sprintf("[%s](#%s)", short, strings.ToLower(strings.ReplaceAll(name, ".", "")))
}

func comment(c protogen.CommentSet) string { return paragraph(string(c.Leading)) }

// sentence is a comment's first.
func sentence(c protogen.CommentSet) string {
	first, _, _ := strings.Cut(comment(c), ". ")
	return strings.TrimSuffix(first, ".") + "."
}

// paragraph is a comment as one line of Markdown. What stands in angle brackets
// would be taken for HTML.
func paragraph(said string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(said), " "), "<", `\<`)
}
