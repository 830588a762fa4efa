package pages

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
)

//go:embed docs.html
var docsHTML string

var docsTemplate = template.Must(template.New("docs").Parse(docsHTML))

// swagger is as much of an OpenAPI v2 document as the list of calls shows.
type swagger struct {
	Info struct {
		Title string `json:"title"`
	} `json:"info"`
	Paths       map[string]map[string]operation `json:"paths"`
	Definitions map[string]struct {
		Type       string            `json:"type"`
		Properties map[string]schema `json:"properties"`
	} `json:"definitions"`
}

type operation struct {
	Summary     string `json:"summary"`
	Description string `json:"description"`
	Parameters  []struct {
		schema
		Name     string `json:"name"`
		In       string `json:"in"`
		Required bool   `json:"required"`
		Schema   schema `json:"schema"`
	} `json:"parameters"`
}

type schema struct {
	Ref        string            `json:"$ref"`
	Type       string            `json:"type"`
	Properties map[string]schema `json:"properties"`
}

type call struct {
	Method, Path, Summary string
	Fields                []field
}

type field struct {
	Name, In, Type string
	Required       bool
}

// NewDocs is a page that lists the calls of an OpenAPI v2 document.
func NewDocs(openAPI []byte) (http.Handler, error) {
	var doc swagger
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	var calls []call
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			op := doc.Paths[path][method]
			calls = append(calls, call{
				Method: strings.ToUpper(method), Path: path,
				Summary: strings.TrimSpace(op.Summary + "\n" + op.Description), Fields: doc.fields(op),
			})
		}
	}
	data := struct {
		Style template.CSS
		Title string
		Calls []call
	}{template.CSS(style), doc.Info.Title, calls}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, docsTemplate, docsPolicy, data) }), nil
}

const definitionPrefix = "#/definitions/"

// fields lists what a call takes: from the path, the query and the body.
func (d swagger) fields(op operation) []field {
	var out []field
	for _, p := range op.Parameters {
		if p.In != "body" {
			out = append(out, field{p.Name, p.In, p.Type, p.Required})
			continue
		}
		properties := p.Schema.Properties
		if name, isRef := strings.CutPrefix(p.Schema.Ref, definitionPrefix); isRef {
			properties = d.Definitions[name].Properties
		}
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			kind := properties[name].Type
			if ref, isRef := strings.CutPrefix(properties[name].Ref, definitionPrefix); isRef {
				kind = d.Definitions[ref].Type
			}
			out = append(out, field{name, p.In, kind, false})
		}
	}
	return out
}
