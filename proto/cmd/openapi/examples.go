package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"makegood.example/proto/openapi"
)

// shown is what an operation says of its examples, in their order; their values are
// where OpenAPI has them, under the same name.
type shown struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Token  bool   `json:"token,omitempty"`
}

func addExamples(paths tree, examples []openapi.Example) error {
	var errs []error
	for _, e := range examples {
		if err := addExample(paths, e); err != nil {
			errs = append(errs, fmt.Errorf("example %s: %w", e.Name, err))
		}
	}
	operations(paths, func(path, method string, op tree) {
		if op["x-examples"] == nil && !strings.HasPrefix(path, adminPrefix) {
			errs = append(errs, fmt.Errorf("%s %s has no example", method, path))
		}
	})
	return errors.Join(errs...)
}

func addExample(paths tree, e openapi.Example) error {
	op, err := named(paths, e.Call)
	if err != nil {
		return err
	}
	all, _ := op["x-examples"].([]shown)
	op["x-examples"] = append(all, shown{e.Name, e.Title, e.Status, e.Token})
	left := len(e.Parameters)
	for _, p := range list(op["parameters"]) {
		p := p.(tree)
		if value, ok := e.Parameters[text(p["name"])]; ok {
			if schema, _ := p["schema"].(tree); schema["type"] == "integer" {
				putExample(p, e, json.Number(value))
			} else {
				putExample(p, e, value)
			}
			left--
		}
	}
	if left > 0 {
		return errors.New("it has a parameter that the call does not take")
	}
	if e.Body != nil {
		body, _ := op["requestBody"].(tree)
		if body == nil {
			return errors.New("the call takes no body")
		}
		putExample(onlyContent(body), e, e.Body)
	}
	answer, _ := op["responses"].(tree)[strconv.Itoa(e.Status)].(tree)
	if answer == nil {
		// One of those that any call may have.
		answer = tree{"description": "An error that any call may have.", "content": tree{jsonType: tree{"schema": reference(statusSchema)}}}
		op["responses"].(tree)[strconv.Itoa(e.Status)] = answer
	}
	if e.Answer == nil {
		return errors.New("nobody has recorded its answer")
	}
	putExample(onlyContent(answer), e, e.Answer)
	return nil
}

func putExample(into tree, e openapi.Example, value any) {
	all, _ := into["examples"].(tree)
	if all == nil {
		all = tree{}
		into["examples"] = all
	}
	all[e.Name] = tree{"summary": e.Title, "value": value}
}

// onlyContent is the one type of content that a body or an answer has.
func onlyContent(of tree) tree {
	for _, content := range of["content"].(tree) {
		return content.(tree)
	}
	return tree{}
}
