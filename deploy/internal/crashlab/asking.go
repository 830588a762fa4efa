package crashlab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// stripe calls the API as the account's owner, or a browser, does.
func (s *shop) stripe(ctx context.Context, path, key string, form url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.StripeURL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer "+key)
	status, raw, err := do(request)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("at Stripe, %s: %d %s %w", path, status, raw, err)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// call sends JSON.
func call(ctx context.Context, method, url string, header map[string]string, body any) (int, []byte, error) {
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		sent = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, sent)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		request.Header.Set(k, v)
	}
	return do(request)
}

var browser = http.Client{Timeout: 15 * time.Second}

func do(request *http.Request) (int, []byte, error) {
	response, err := browser.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, raw, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
