package main

import (
	"fmt"
	"strings"
)

const (
	jsonType     = "application/json"
	schemaPrefix = "#/components/schemas/"
	statusSchema = "google.rpc.Status"
)

// convert makes OpenAPI 3.0 of the version 2 that the generator writes: as much of
// it as that generator uses.
func convert(two tree) (paths, schemas tree) {
	paths, schemas = two["paths"].(tree), two["definitions"].(tree)
	pointAnew(paths)
	pointAnew(schemas)
	operations(paths, func(_, _ string, op tree) {
		var kept []any
		for _, p := range list(op["parameters"]) {
			p := p.(tree)
			if p["in"] == "body" {
				op["requestBody"] = tree{"required": true, "content": tree{jsonType: tree{"schema": p["schema"]}}}
				continue
			}
			kept = append(kept, parameter(p))
		}
		op["parameters"] = kept
		if kept == nil {
			delete(op, "parameters")
		}
		for _, r := range op["responses"].(tree) {
			r := r.(tree)
			r["content"] = tree{jsonType: tree{"schema": r["schema"]}}
			delete(r, "schema")
		}
	})
	for _, s := range schemas {
		// The zero value is what an unset field has, and no default that anybody chooses.
		delete(s.(tree), "default")
	}
	return paths, schemas
}

// parameter moves what is of the value into a schema.
func parameter(p tree) tree {
	out, schema := tree{}, tree{}
	for key, value := range p {
		switch key {
		case "name", "in", "required", "description":
			out[key] = value
		case "collectionFormat", "default": // a list is given by repeating it, which is version 3's own way
		default:
			schema[key] = value
		}
	}
	out["schema"] = schema
	return out
}

// pointAnew moves references to where version 3 has schemas. What stands beside a
// reference would be ignored there, so the reference goes inside.
func pointAnew(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			pointAnew(item)
		}
	case tree:
		if ref, ok := v["$ref"].(string); ok {
			ref = schemaPrefix + strings.TrimPrefix(ref, "#/definitions/")
			if v["$ref"] = ref; len(v) > 1 {
				delete(v, "$ref")
				v["allOf"] = []any{tree{"$ref": ref}}
			}
			return
		}
		for _, item := range v {
			pointAnew(item)
		}
	}
}

func list(value any) []any {
	l, _ := value.([]any)
	return l
}

// reachable are the schemas that something refers to, and those that they refer to.
func reachable(value any, schemas tree, found map[string]bool) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			reachable(item, schemas, found)
		}
	case tree:
		for key, item := range v {
			ref, ok := item.(string)
			name, isSchema := strings.CutPrefix(ref, schemaPrefix)
			switch {
			case key != "$ref" || !ok || !isSchema:
				reachable(item, schemas, found)
			case !found[name]:
				found[name] = true
				reachable(schemas[name], schemas, found)
			}
		}
	}
}

const adminPrefix = "/admin/"

const adminIntroduction = "What people with a role do at the desk, for their own programs. A step for a customer can be tried with `dry_run`, may be sent again under the same `idempotency_key`, and leaves an audit entry."

// part is the document of the paths of one listener.
func part(doc tree, keep func(path string) bool) tree {
	paths, found := tree{}, map[string]bool{statusSchema: true}
	for path, methods := range doc["paths"].(tree) {
		if keep(path) {
			paths[path] = methods
		}
	}
	all := doc["components"].(tree)
	schemas := tree{}
	reachable(paths, all["schemas"].(tree), found)
	reachable(all["schemas"].(tree)[statusSchema], all["schemas"].(tree), found)
	for name := range found {
		schemas[name] = all["schemas"].(tree)[name]
	}
	return tree{
		"openapi": "3.0.3", "info": tree{"title": "Makegood", "version": "v1", "description": doc["info"].(tree)["description"]},
		"paths": paths, "components": tree{"schemas": schemas, "securitySchemes": all["securitySchemes"]},
		"tags": doc["tags"], "x-errors": doc["x-errors"],
	}
}

// ofAdmin has what all calls of the admin listener share: a person's token, and
// groups by what they are about.
func ofAdmin(doc tree) tree {
	info := doc["info"].(tree)
	// Of the introduction, what is said of JSON and of errors is true here, too.
	said := strings.Split(text(info["description"]), "\n\n")
	info["title"], info["description"] = "Makegood administration", strings.Join(append([]string{adminIntroduction}, said[len(said)-2:]...), "\n\n")
	doc["security"] = []any{tree{"token": []any{}}}
	delete(doc, "tags")
	operations(doc["paths"].(tree), func(path, _ string, op tree) {
		about, _, _ := strings.Cut(strings.TrimPrefix(path, adminPrefix+"v1/"), "/")
		about, _, _ = strings.Cut(about, ":")
		op["tags"] = []any{about}
	})
	return doc
}

// reference is a schema that is described elsewhere.
func reference(name string) tree { return tree{"$ref": schemaPrefix + name} }

// named finds the operation "POST /v1/orders".
func named(paths tree, call string) (tree, error) {
	method, path, _ := strings.Cut(call, " ")
	methods, _ := paths[path].(tree)
	op, _ := methods[strings.ToLower(method)].(tree)
	if op == nil {
		return nil, fmt.Errorf("there is no call %s", call)
	}
	return op, nil
}
