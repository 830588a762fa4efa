// Package config reads settings from the environment and reports every problem
// at once, so that a service refuses to start with one message that lists all
// that must be mended.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Lookup finds an environment variable; os.LookupEnv in production.
type Lookup func(key string) (string, bool)

// Reader collects settings and the problems with them.
type Reader struct {
	lookup   Lookup
	problems []string
}

// NewReader reads from lookup.
func NewReader(lookup Lookup) *Reader { return &Reader{lookup: lookup} }

// Err lists every problem found, or is nil.
func (r *Reader) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return errors.New("bad settings:\n  - " + strings.Join(r.problems, "\n  - "))
}

// Problem notes one more problem, found by the caller.
func (r *Reader) Problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// get reads KEY, or the file that KEY_FILE names (for secrets).
func (r *Reader) get(key string) (string, bool) {
	if v, ok := r.lookup(key); ok && strings.TrimSpace(v) != "" {
		return strings.TrimSpace(v), true
	}
	path, ok := r.lookup(key + "_FILE")
	if !ok || path == "" {
		return "", false
	}
	b, err := os.ReadFile(path)
	if err != nil {
		r.Problem("%s_FILE cannot be read: %v", key, err)
		return "", false
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		r.Problem("%s_FILE=%s is empty", key, path)
	}
	return v, v != ""
}

// String is a setting with a default.
func (r *Reader) String(key, fallback string) string {
	if v, ok := r.get(key); ok {
		return v
	}
	return fallback
}

// Required is a setting without which the service cannot run.
func (r *Reader) Required(key, what string) string {
	v, ok := r.get(key)
	if !ok {
		r.Problem("%s is not set: %s", key, what)
	}
	return v
}

// List is a comma-separated setting; empty parts are dropped.
func (r *Reader) List(key string) []string {
	v, _ := r.get(key)
	var out []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Duration is a positive time such as 30s.
func (r *Reader) Duration(key string, fallback time.Duration) time.Duration {
	v, ok := r.get(key)
	if !ok {
		return fallback
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		r.Problem("%s=%q is not a positive time such as 30s or 5m", key, v)
		return fallback
	}
	return d
}

// DurationOrOff is a positive time, or "off"; on says which.
func (r *Reader) DurationOrOff(key string, fallback time.Duration) (d time.Duration, on bool) {
	if v, _ := r.get(key); strings.EqualFold(v, "off") {
		return fallback, false
	}
	return r.Duration(key, fallback), true
}

// Int is a whole number of at least min.
func (r *Reader) Int(key string, fallback, min int) int {
	v, ok := r.get(key)
	if !ok {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < min {
		r.Problem("%s=%q is not a whole number of at least %d", key, v, min)
		return fallback
	}
	return n
}

// Bool is true or false.
func (r *Reader) Bool(key string, fallback bool) bool {
	v, ok := r.get(key)
	if !ok {
		return fallback
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		r.Problem("%s=%q is neither true nor false", key, v)
	}
	return b
}

// URL is an absolute http or https address without a trailing slash.
func (r *Reader) URL(key, fallback string) string {
	v := r.String(key, fallback)
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		r.Problem("%s=%q is not an http(s) address", key, v)
	}
	return strings.TrimRight(v, "/")
}

// HostPort is an address to listen on, on any network.
func (r *Reader) HostPort(key, fallback string) string {
	v := r.String(key, fallback)
	if _, _, err := net.SplitHostPort(v); err != nil {
		r.Problem("%s=%q is not host:port", key, v)
		return fallback
	}
	return v
}

// Loopback is an address to listen on that cannot be reached from another
// machine, because what is said there is not encrypted; remedy says how it can be
// elsewhere.
func (r *Reader) Loopback(key, fallback, remedy string) string {
	v := r.HostPort(key, fallback)
	host, _, err := net.SplitHostPort(v)
	if ip := net.ParseIP(host); err == nil && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		r.Problem("%s=%q is not a loopback address, and what is said there is not encrypted: %s", key, v, remedy)
	}
	return v
}

// Dialable is where to reach, from this machine, a listener that may be on every
// interface.
func Dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
