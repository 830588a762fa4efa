package docs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

func (d document) resolve(s *schema) *schema {
	if name := s.ref(); name != "" {
		return d.Components.Schemas[name]
	}
	return s
}

func (d document) fields(s *schema) (fields []field) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		fields = append(fields, d.field(name, s.Properties[name], slices.Contains(s.Required, name)))
	}
	slices.SortStableFunc(fields, func(a, b field) int { return after(a.Required) - after(b.Required) })
	return fields
}

// after sorts what may be left out behind what must be given.
func after(required bool) int {
	if required {
		return 0
	}
	return 1
}

func (d document) field(name string, s *schema, required bool) field {
	f := field{Name: name, Required: required, Text: s.words()}
	f.Type, f.TypeID = d.typeOf(s)
	of := s
	if s.Items != nil {
		of = s.Items
	}
	var limits []string
	switch {
	case of.MinLength > 0 && of.MaxLength > 0:
		limits = append(limits, fmt.Sprintf("%d to %d characters", of.MinLength, of.MaxLength))
	case of.MaxLength > 0:
		limits = append(limits, fmt.Sprintf("at most %d characters", of.MaxLength))
	}
	if of.Pattern != "" {
		limits = append(limits, "matches "+of.Pattern)
	}
	if of.Maximum != nil && of.Minimum != nil {
		limits = append(limits, fmt.Sprintf("%d to %d", *of.Minimum, *of.Maximum))
	}
	if s.MaxItems > 0 {
		limits = append(limits, fmt.Sprintf("at most %d of them", s.MaxItems))
	}
	f.Limits = strings.Join(limits, "; ")
	return f
}

// typeOf is a type as people say it, and the anchor of its description.
func (d document) typeOf(s *schema) (name, id string) {
	if ref := s.ref(); ref != "" {
		return d.names[ref], anchor("type " + ref)
	}
	switch {
	case s.Type == "array":
		of, id := d.typeOf(s.Items)
		return "list of " + of, id
	case s.Format == "date-time":
		return "time", ""
	case s.Format == "int64":
		return "int64, as a string", ""
	case s.Format == "uuid":
		return "UUID", ""
	}
	return s.Type, ""
}

// nameTypes gives each type its name without its package, unless two have it.
func (d *document) nameTypes() {
	d.names = map[string]string{}
	having := map[string]int{}
	for name := range d.Components.Schemas {
		having[packageName.ReplaceAllString(name, "")]++
	}
	for name := range d.Components.Schemas {
		d.names[name] = name
		if short := packageName.ReplaceAllString(name, ""); having[short] == 1 {
			d.names[name] = short
		}
	}
}

var packageName = regexp.MustCompile(`^([a-z0-9]+\.)+`)

// shownTypes are the types that fields and answers lead to; what a call takes is
// shown with the call.
func (d document) shownTypes() []string {
	bodies := map[string]bool{}
	for _, methods := range d.Paths {
		for _, op := range methods {
			if op.Body != nil {
				for _, body := range op.Body.Content {
					bodies[body.Schema.ref()] = true
				}
			}
		}
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(d.Components.Schemas)), func(name string) bool { return bodies[name] })
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(d.names[a], d.names[b]) })
	return names
}

func (d document) typeView(name string) typeView {
	s := d.Components.Schemas[name]
	v := typeView{ID: anchor("type " + name), Name: d.names[name], Fields: d.fields(s)}
	for i := range v.Fields {
		v.Fields[i].Required = false // every field is in every answer
	}
	said := map[string]string{}
	v.Text = valueText.ReplaceAllStringFunc(s.words(), func(line string) string {
		m := valueText.FindStringSubmatch(line)
		said[m[1]] = strings.Join(strings.Fields(m[2]), " ")
		return ""
	})
	for _, value := range s.Values {
		v.Values = append(v.Values, field{Name: value, Text: said[value]})
	}
	return v
}

// valueText is how the generator writes the comment of an enum's value.
var valueText = regexp.MustCompile(`(?m)^ - ([A-Z][A-Z0-9_]*): ((?:.*\n?)(?:[^ \n].*\n?)*)`)

func paragraphs(text string) []string { return strings.Split(strings.TrimSpace(text), "\n\n") }

func anchor(name string) string {
	return strings.Trim(notInAnchor.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9]+`)
