package docs

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// page is what the template draws.
type page struct {
	Style   template.CSS
	Title   string
	Intro   []string
	Token   bool // every call needs one
	Address string
	Groups  []group
	Errors  []failure
	Types   []typeView
}

type group struct {
	ID, Name, Text string
	Calls          []call
}

type call struct {
	ID, Method, Path, Summary, Text string
	// Token is "", "needed" or "possible".
	Token    string
	Sent     []field // in the path, the query and headers
	Body     []field
	Answers  []answer
	Errors   []failure
	Examples []exampleView
}

type field struct {
	Name, In, Type string
	// TypeID is the anchor of the type, when it is described on the page.
	TypeID   string
	Required bool
	Text     string
	Limits   string
}

type answer struct {
	Status, Text, Type, TypeID string
}

type exampleView struct {
	Title, Curl, Status, Answer string
	Failed                      bool
}

type typeView struct {
	ID, Name, Text string
	Fields         []field
	Values         []field
}

func (d document) page(address string) page {
	d.nameTypes()
	p := page{Style: template.CSS(style), Title: d.Info.Title, Intro: paragraphs(d.Info.Description), Token: len(d.Security) > 0, Address: address, Errors: d.Errors}
	if p.Address == "" {
		address = "$MAKEGOOD"
	}
	known := map[string]int{}
	for _, tag := range d.Tags {
		known[tag.Name] = len(p.Groups)
		p.Groups = append(p.Groups, group{anchor(tag.Name), tag.Name, tag.Description, nil})
	}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			op := d.Paths[path][method]
			name := strings.Join(op.Tags, " ")
			i, ok := known[name]
			if !ok {
				i = len(p.Groups)
				known[name] = i
				p.Groups = append(p.Groups, group{ID: anchor(name), Name: name})
			}
			p.Groups[i].Calls = append(p.Groups[i].Calls, d.call(address, strings.ToUpper(method), path, op))
		}
	}
	for _, name := range d.shownTypes() {
		p.Types = append(p.Types, d.typeView(name))
	}
	return p
}

func (d document) call(address, method, path string, op operation) call {
	_, id, _ := strings.Cut(op.ID, "_")
	if id == "" {
		id = op.ID
	}
	c := call{ID: id, Method: method, Path: path, Summary: op.Summary, Text: op.Description, Errors: op.Errors}
	switch {
	case len(op.Security) == 1:
		c.Token = "needed"
	case len(op.Security) > 1:
		c.Token = "possible"
	}
	for _, p := range op.Parameters {
		f := d.field(p.Name, p.Schema, p.Required)
		f.In, f.Text = p.In, p.Description
		c.Sent = append(c.Sent, f)
	}
	if op.Body != nil {
		for _, body := range op.Body.Content {
			c.Body = d.fields(d.resolve(body.Schema))
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if n, err := strconv.Atoi(status); err != nil || n >= 400 && n != http.StatusPaymentRequired {
			continue // those are told as errors
		}
		a := answer{Status: status, Text: op.Responses[status].Description}
		for contentType, is := range op.Responses[status].Content {
			a.Type, a.TypeID = d.typeOf(is.Schema)
			if contentType != "application/json" {
				a.Type, a.TypeID = contentType, ""
			}
		}
		c.Answers = append(c.Answers, a)
	}
	for _, e := range op.Examples {
		c.Examples = append(c.Examples, exampleView{
			Title: e.Title, Curl: op.curl(address, method, path, e.Name, e.Token),
			Status: fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)), Failed: e.Status >= 400,
			Answer: op.answered(e.Name, e.Status),
		})
	}
	return c
}

// answered is an example's answer as people read it.
func (op operation) answered(name string, status int) string {
	for _, is := range op.Responses[strconv.Itoa(status)].Content {
		value := is.Examples[name].Value
		var text string
		if json.Unmarshal(value, &text) == nil {
			return strings.TrimSpace(text)
		}
		return indented(value, "")
	}
	return ""
}
