package docs

import "encoding/json"

// document is as much of an OpenAPI document as the page shows.
type document struct {
	Info struct {
		Title       string `json:"title"`
		Description string `json:"description"`
	} `json:"info"`
	Paths    map[string]map[string]operation `json:"paths"`
	Security []json.RawMessage               `json:"security"`
	Tags     []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"tags"`
	Components struct {
		Schemas map[string]*schema `json:"schemas"`
	} `json:"components"`
	Errors []failure `json:"x-errors"`

	names map[string]string // of the types, as they are shown
}

type operation struct {
	ID          string                       `json:"operationId"`
	Tags        []string                     `json:"tags"`
	Summary     string                       `json:"summary"`
	Description string                       `json:"description"`
	Parameters  []parameter                  `json:"parameters"`
	Body        *content                     `json:"requestBody"`
	Responses   map[string]content           `json:"responses"`
	Security    []map[string]json.RawMessage `json:"security"`
	Errors      []failure                    `json:"x-errors"`
	Examples    []struct {
		Name   string `json:"name"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Token  bool   `json:"token"`
	} `json:"x-examples"`
}

type parameter struct {
	Name        string             `json:"name"`
	In          string             `json:"in"`
	Required    bool               `json:"required"`
	Description string             `json:"description"`
	Schema      *schema            `json:"schema"`
	Examples    map[string]example `json:"examples"`
}

// content is a body or an answer, by its type.
type content struct {
	Description string `json:"description"`
	Content     map[string]struct {
		Schema   *schema            `json:"schema"`
		Examples map[string]example `json:"examples"`
	} `json:"content"`
}

type example struct {
	Value json.RawMessage `json:"value"`
}

// failure is one way in which a call fails.
type failure struct {
	Status  int    `json:"status"`
	Reason  string `json:"reason"`
	Meaning string `json:"meaning"`
	When    string `json:"when"`
}

type schema struct {
	Ref         string             `json:"$ref"`
	AllOf       []*schema          `json:"allOf"`
	Type        string             `json:"type"`
	Format      string             `json:"format"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	Values      []string           `json:"enum"`
	// More is a schema of a map's values, or says whether there may be others.
	More      json.RawMessage `json:"additionalProperties"`
	Pattern   string          `json:"pattern"`
	MinLength int             `json:"minLength"`
	MaxLength int             `json:"maxLength"`
	MaxItems  int             `json:"maxItems"`
	Minimum   *int            `json:"minimum"`
	Maximum   *int            `json:"maximum"`
}

// ref is the name of the schema that is meant, when it has one.
func (s *schema) ref() string {
	if len(s.AllOf) == 1 {
		return s.AllOf[0].ref()
	}
	const prefix = "#/components/schemas/"
	if len(s.Ref) > len(prefix) {
		return s.Ref[len(prefix):]
	}
	return ""
}

// words are what the schema says of itself; a short comment became its title.
func (s *schema) words() string {
	if s.Title != "" && s.Description != "" {
		return s.Title + " " + s.Description
	}
	return s.Title + s.Description
}
