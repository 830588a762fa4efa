package oneprocess_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"makegood.example/proto/openapi"
)

// published is a listener and its document.
type published struct {
	url string
	api *openapi3.T
}

// publish reads what a listener of the world's edge publishes. In answers, what is not
// described is an error here; those who read them are to let it pass.
func (c *contract) publish(url string) published {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, url+"/openapi.json", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.w.Credentials()["admin"]) // that of people is shown to them alone
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	api, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		c.t.Fatal(err)
	}
	var how []openapi3.ValidationOption
	if writes() {
		how = append(how, openapi3.DisableExamplesValidation())
	}
	if err := api.Validate(c.t.Context(), how...); err != nil {
		c.t.Fatal(err)
	}
	for _, s := range api.Components.Schemas {
		if more := &s.Value.AdditionalProperties; more.Has == nil && more.Schema == nil {
			more.Has = new(bool)
		}
	}
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.FileBodyDecoder)
	return published{url, api}
}

// play makes the call, and answers with what was said, as an example has it.
func (c *contract) play(e *openapi.Example) json.RawMessage {
	c.t.Helper()
	method, path, _ := strings.Cut(e.Call, " ")
	to, token := c.published[0], "service"
	if strings.HasPrefix(path, "/admin/") {
		to, token = c.published[1], "admin"
	}
	item := to.api.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		c.t.Fatalf("%s: the contract has no %s", e.Name, e.Call)
	}
	route := &routers.Route{Spec: to.api, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)}
	if e.Name == "event" {
		c.sign(e.Body)
	}
	body, target, inPath := c.really(string(e.Body)), path, map[string]string{}
	request, err := http.NewRequestWithContext(c.t.Context(), method, to.url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	query := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(e.Parameters)) {
		value := c.really(e.Parameters[name])
		switch {
		case strings.Contains(path, "{"+name+"}"):
			target, inPath[name] = strings.ReplaceAll(target, "{"+name+"}", value), value
		case route.Operation.Parameters.GetByInAndName("query", name) != nil:
			query.Set(name, value)
		default:
			request.Header.Set(name, value)
		}
	}
	request.URL.Path, request.URL.RawQuery = target, query.Encode()
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if e.Token {
		request.Header.Set("Authorization", "Bearer "+c.w.Credentials()[token])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if response.StatusCode != e.Status {
		c.t.Fatalf("%s: %d %s, and not %d", e.Name, response.StatusCode, said, e.Status)
	}
	c.answers[e.Name] = said
	request.Body = io.NopCloser(strings.NewReader(body))
	asked := &openapi3filter.RequestValidationInput{Request: request, PathParams: inPath, QueryParams: query, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
	}}
	// What is refused for its form must not have it.
	if err := openapi3filter.ValidateRequest(c.t.Context(), asked); err != nil && e.Status != http.StatusBadRequest {
		c.t.Errorf("%s: the request: %v", e.Name, err)
	}
	answered := &openapi3filter.ResponseValidationInput{RequestValidationInput: asked, Status: response.StatusCode, Header: response.Header, Options: asked.Options}
	if err := openapi3filter.ValidateResponse(c.t.Context(), answered.SetBodyBytes(said)); err != nil {
		c.t.Errorf("%s: the answer: %v", e.Name, err)
	}
	if e.Status >= http.StatusBadRequest && e.Status != http.StatusPaymentRequired && path != "/readyz" {
		c.hasReason(e, route, said)
	}
	return c.asExample(said, strings.HasPrefix(response.Header.Get("Content-Type"), "application/json"))
}

// hasReason looks whether the contract tells of this error of this call.
func (c *contract) hasReason(e *openapi.Example, route *routers.Route, said []byte) {
	c.t.Helper()
	var body struct {
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	}
	if err := json.Unmarshal(said, &body); err != nil || len(body.Details) == 0 {
		c.t.Fatalf("%s: %s", e.Name, said)
	}
	told, err := json.Marshal([]any{route.Operation.Extensions["x-errors"], route.Spec.Extensions["x-errors"]})
	if err != nil {
		c.t.Fatal(err)
	}
	var lists [2][]struct {
		Status int
		Reason string
	}
	if err := json.Unmarshal(told, &lists); err != nil {
		c.t.Fatal(err)
	}
	for _, f := range slices.Concat(lists[0], lists[1]) {
		if f.Status == e.Status && f.Reason == body.Details[0].Reason {
			return
		}
	}
	c.t.Errorf("%s: the contract does not say that %s may answer %d %s", e.Name, e.Call, e.Status, body.Details[0].Reason)
}

// sign is what Stripe does with the endpoint's secret.
func (c *contract) sign(body json.RawMessage) {
	secret, _ := c.w.Setting("STRIPE_WEBHOOK_SECRETS")
	at := strconv.FormatInt(c.w.Clock.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", at, body)
	c.real[exampleSignature] = "t=" + at + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// really is what an example says, as it is in this world.
func (c *contract) really(said string) string {
	for example, is := range c.real {
		said = strings.ReplaceAll(said, example, is)
	}
	return said
}

// placeholders are the parts of an answer that are others in every world, and what stands
// for them in an example.
var placeholders = []struct {
	is      *regexp.Regexp
	example string
}{
	{regexp.MustCompile(`pi_\w+_secret_\w+`), "pi_1Example_secret_2Example"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+/_sim/checkout/\w+`), "https://checkout.stripe.com/c/pay/cs_test_1Example"},
	{regexp.MustCompile(`(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00:00)`), "${1}Z"},
}

// asExample is an answer as an example has it.
func (c *contract) asExample(said []byte, isJSON bool) json.RawMessage {
	c.t.Helper()
	text := string(said)
	for example, is := range c.real {
		text = strings.ReplaceAll(text, is, example)
	}
	for _, s := range placeholders {
		text = s.is.ReplaceAllString(text, s.example)
	}
	text = c.rename(text, stripeID, func(id string, n int) string { return fmt.Sprintf("%s_%dExample", id[:strings.Index(id, "_")], n) })
	text = c.rename(text, anyUUID, func(_ string, n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) })
	if isJSON {
		return json.RawMessage(text)
	}
	// protojson puts spaces where it likes.
	text = eventData.ReplaceAllStringFunc(text, func(line string) string {
		var data bytes.Buffer
		if err := json.Compact(&data, []byte(strings.TrimPrefix(line, "data: "))); err != nil {
			c.t.Fatalf("%v: %s", err, line)
		}
		return "data: " + data.String()
	})
	quoted, err := json.Marshal(text)
	if err != nil {
		c.t.Fatal(err)
	}
	return quoted
}

// rename gives the ids that are others in every world names, by when each is met first.
func (c *contract) rename(text string, ids *regexp.Regexp, name func(id string, n int) string) string {
	var met []string
	for _, id := range ids.FindAllString(text, -1) {
		if strings.Contains(c.written, id) || slices.Contains(met, id) {
			continue // derives from what the examples say
		}
		met = append(met, id)
		text = strings.ReplaceAll(text, id, name(id, len(met)))
		text = strings.ReplaceAll(text, strings.ToUpper(id[:8]), "00000000") // as people say a reference
	}
	return text
}

var eventData = regexp.MustCompile(`(?m)^data: .*$`)

var stripeID = regexp.MustCompile(`\b(?:pi|ch|cus|re|cs|sub|in|evt|txn|pm)_[A-Za-z0-9]{10,}`)

var anyUUID = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

var anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// same says whether two answers are, but for their times.
func same(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(anyTime.ReplaceAll(a, []byte("then")), &x) != nil || json.Unmarshal(anyTime.ReplaceAll(b, []byte("then")), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
