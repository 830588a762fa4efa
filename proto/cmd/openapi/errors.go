package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// errorTexts say what each reason means.
type errorTexts struct {
	// Common may be answered to every call.
	Common []failure `json:"common"`
	// Reasons are named by the calls that answer them.
	Reasons map[string]string `json:"reasons"`
}

// failure is one way in which a call fails.
type failure struct {
	Status  int    `json:"status"`
	Reason  string `json:"reason"`
	Meaning string `json:"meaning"`
	// When says more, of one call.
	When string `json:"when,omitempty"`
}

// describeAll makes of each comment a summary, a description and the errors.
func describeAll(paths tree, texts errorTexts) error {
	var errs []error
	used := map[string]bool{}
	operations(paths, func(path, method string, op tree) {
		said := strings.Join(strings.Fields(text(op["summary"])+" "+text(op["description"])), " ")
		failures := ""
		if before, after, ok := strings.Cut(said, " Errors: "); ok {
			said, failures = before, after
		}
		summary, more, _ := strings.Cut(said, ". ")
		// A comment begins with the RPC's name, which is no part of a REST call.
		_, summary, _ = strings.Cut(summary, " ")
		op["summary"] = strings.ToUpper(summary[:1]) + strings.TrimSuffix(summary[1:], ".") + "."
		if delete(op, "description"); more != "" {
			op["description"] = more
		}
		found, err := parse(failures)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", method, path, err))
		}
		for i := range found {
			meaning, ok := texts.Reasons[found[i].Reason]
			if !ok {
				if i := slices.IndexFunc(texts.Common, func(c failure) bool { return c.Reason == found[i].Reason }); i >= 0 {
					meaning, ok = texts.Common[i].Meaning, true
				}
			}
			if !ok {
				errs = append(errs, fmt.Errorf("%s %s: errors.json does not say what %s means", method, path, found[i].Reason))
			}
			found[i].Meaning, used[found[i].Reason] = meaning, true
		}
		mayFail(op, found)
	})
	for reason := range texts.Reasons {
		if !used[reason] {
			errs = append(errs, fmt.Errorf("errors.json explains %s, which no call names", reason))
		}
	}
	return errors.Join(errs...)
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// mayFail adds the answers with these errors to an operation.
func mayFail(op tree, failures []failure) {
	responses := op["responses"].(tree)
	for status, r := range responses {
		switch status {
		case "200":
			r.(tree)["description"] = "Done."
		case "default":
			r.(tree)["description"] = "An error that any call may have; see x-errors of the document."
		}
	}
	if len(failures) == 0 {
		return
	}
	op["x-errors"] = failures
	for _, f := range failures {
		status := strconv.Itoa(f.Status)
		said := strings.TrimSpace(f.Reason + " " + f.When)
		if r, ok := responses[status].(tree); ok {
			r["description"] = strings.TrimSuffix(r["description"].(string), ".") + "; " + said + "."
			continue
		}
		responses[status] = tree{"description": said + ".", "content": tree{jsonType: tree{"schema": reference(statusSchema)}}}
	}
}

var word = regexp.MustCompile(`\b[A-Z][A-Z_]{2,}\b`)

// parse reads how the contracts' comments list errors: "CODE REASON, REASON when
// …; CODE REASON." A code alone is its own reason.
func parse(said string) (found []failure, err error) {
	if said == "" {
		return nil, nil
	}
	for clause := range strings.SplitSeq(strings.TrimSuffix(said, "."), "; ") {
		words := word.FindAllStringIndex(clause, -1)
		if len(words) == 0 || words[0][0] != 0 {
			return nil, fmt.Errorf("the errors' clause %q does not begin with a code", clause)
		}
		grpcCode, ok := code.Code_value[clause[:words[0][1]]]
		if !ok {
			return nil, fmt.Errorf("the errors' clause %q does not begin with a code", clause)
		}
		if len(words) == 1 || words[1][0] != words[0][1]+1 {
			words = append([][]int{words[0]}, words...) // the code alone
		}
		for i, w := range words[1:] {
			end := len(clause)
			if i+2 < len(words) {
				end = words[i+2][0]
			}
			found = append(found, failure{
				Status: runtime.HTTPStatusFromCode(codes.Code(grpcCode)), Reason: reasonOf(clause[w[0]:w[1]]),
				When: aside(strings.Trim(clause[w[1]:end], " ,")),
			})
		}
	}
	return found, nil
}

// aside is a remark without the brackets around it.
func aside(said string) string {
	if strings.HasPrefix(said, "(") {
		return strings.Trim(said, "()")
	}
	return said
}

// reasonOf is the reason that is meant when only a code is named.
func reasonOf(name string) string {
	if name == "UNAVAILABLE" {
		return "PEER_UNAVAILABLE"
	}
	return name
}
