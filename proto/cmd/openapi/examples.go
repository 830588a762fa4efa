package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// example is one call as it was made, and how it was answered; a test makes all of
// them again, in this order.
type example struct {
	Name string `json:"name"`
	// Title says what the example shows.
	Title string `json:"title"`
	// Call is method and path of the operation.
	Call string `json:"call"`
	// Parameters are those of path, query and headers, by name.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Token says that the call has a service token.
	Token  bool            `json:"token,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Status int             `json:"status"`
	// Answer is JSON, or a string of another type of content.
	Answer json.RawMessage `json:"answer,omitempty"`
}

// shown is what an operation says of its examples, in their order; their values are
// where OpenAPI has them, under the same name.
type shown struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Token  bool   `json:"token,omitempty"`
}

func addExamples(paths tree, examples []example) error {
	var errs []error
	for _, e := range examples {
		if err := e.addTo(paths); err != nil {
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

func (e example) addTo(paths tree) error {
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
			e.putInto(p, value)
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
		e.putInto(onlyContent(body), e.Body)
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
	e.putInto(onlyContent(answer), e.Answer)
	return nil
}

func (e example) putInto(into tree, value any) {
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
