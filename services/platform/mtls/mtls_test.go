package mtls_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"makegood.example/services/platform/mtls"
)

func made(t *testing.T, until time.Time, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tls")
	if err := mtls.Make(dir, names, until); err != nil {
		t.Fatal(err)
	}
	return dir
}

func soon() time.Time { return time.Now().Add(time.Hour) }

func put(t *testing.T, from, to string) {
	t.Helper()
	body, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderThatCannotBeMeantIsRefusedAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		says  string
	}{
		"no authority":          {func(t *testing.T, dir string) { os.Remove(dir + "/ca.pem") }, "ca.pem"},
		"an empty authority":    {func(t *testing.T, dir string) { put(t, os.DevNull, dir+"/ca.pem") }, "holds no certificate"},
		"no certificate":        {func(t *testing.T, dir string) { os.Remove(dir + "/orders.pem") }, "orders.pem"},
		"no key":                {func(t *testing.T, dir string) { os.Remove(dir + "/orders-key.pem") }, "orders-key.pem"},
		"another's certificate": {func(t *testing.T, dir string) { put(t, dir+"/payments.pem", dir+"/orders.pem") }, "private key does not match"},
		"another's pair": {func(t *testing.T, dir string) {
			put(t, dir+"/payments.pem", dir+"/orders.pem")
			put(t, dir+"/payments-key.pem", dir+"/orders-key.pem")
		}, "must name orders.makegood.internal"},
		"of another authority": {func(t *testing.T, dir string) { put(t, made(t, soon(), "orders")+"/ca.pem", dir+"/ca.pem") }, "unknown authority"},
		"a certificate that ended": {func(t *testing.T, dir string) {
			old := made(t, time.Now().Add(-time.Minute), "orders")
			for _, f := range []string{"/ca.pem", "/orders.pem", "/orders-key.pem"} {
				put(t, old+f, dir+f)
			}
		}, "expired"},
	} {
		dir := made(t, soon(), "orders", "payments")
		if _, err := mtls.Open(dir, "orders", slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		c.spoil(t, dir)
		_, err := mtls.Open(dir, "orders", slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "GRPC_TLS_DIR") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithoutAFolderThereIsNoTLS(t *testing.T) {
	f, err := mtls.Open("", "orders", nil)
	if f != nil || err != nil {
		t.Fatal(f, err)
	}
	if a, b := f.Server().Info().SecurityProtocol, f.Client("payments").Info().SecurityProtocol; a != "insecure" || b != "insecure" {
		t.Errorf("%q and %q", a, b)
	}
}

func TestKeysAreTheirOwnersAlone(t *testing.T) {
	dir := made(t, soon(), "orders", mtls.Gateway)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 5 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		secret := bytes.Contains(body, []byte("PRIVATE KEY"))
		if secret != strings.HasSuffix(f.Name(), "-key.pem") || secret && info.Mode().Perm() != 0o600 || strings.Contains(f.Name(), "ca-key") {
			t.Errorf("%s is %s", f.Name(), info.Mode())
		}
	}
}

// theirs is an authority of an organization.
const theirs = `-----BEGIN CERTIFICATE-----
MIIBujCCAWGgAwIBAgIUN7/B3wEU0EhxCoaHsa3wt6oQ28IwCgYIKoZIzj0EAwIw
MjEUMBIGA1UECgwLRXhhbXBsZSBJbmMxGjAYBgNVBAMMEUV4YW1wbGUgYXV0aG9y
aXR5MCAXDTI2MTEyMjA2NTExM1oYDzIxMjYxMDI5MDY1MTEzWjAyMRQwEgYDVQQK
DAtFeGFtcGxlIEluYzEaMBgGA1UEAwwRRXhhbXBsZSBhdXRob3JpdHkwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAASB5Wi5MdEr9pCD5VJ+qeDaLDjsoBNyqV1YCrw+
DfIU5U/mxVCm8gjP6NYBq3Py9KfTMeRGrvYRA1cXOXY+e9X2o1MwUTAdBgNVHQ4E
FgQUq/rR4dZkRJ9CcFDN9sNXZ47sYyMwHwYDVR0jBBgwFoAUq/rR4dZkRJ9CcFDN
9sNXZ47sYyMwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiA+ZPCu
ol5ziTk5UQZNTJ/ip7lNn1Nlvx1irQhxGtK9nQIgD/x8yz05kYcrck4DA1s9kALd
Rhg2NT12cNm7om0sFCw=
-----END CERTIFICATE-----
`

// What an organization's own authority issued is not replaced by ours.
func TestAnotherAuthorityIsLeftAlone(t *testing.T) {
	dir := made(t, soon(), "orders")
	if err := mtls.Make(dir, []string{"orders"}, soon()); err != nil {
		t.Fatalf("our own: %v", err)
	}
	for _, ca := range []string{"no PEM at all", theirs} {
		if err := os.WriteFile(dir+"/ca.pem", []byte(ca), 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(dir + "/orders.pem")
		if err != nil {
			t.Fatal(err)
		}
		if err := mtls.Make(dir, []string{"orders"}, soon()); !errors.Is(err, mtls.ErrOthers) {
			t.Errorf("%v", err)
		}
		if after, err := os.ReadFile(dir + "/orders.pem"); err != nil || !bytes.Equal(before, after) {
			t.Errorf("its certificates were replaced, %v", err)
		}
	}
}

// meet has one process call another and says how that went.
func meet(t *testing.T, caller, called *mtls.Folder, service string) error {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	ended := make(chan error, 1)
	go func() {
		_, _, err := called.Server().ServerHandshake(far)
		ended <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, _, err := caller.Client(service).ClientHandshake(ctx, "", near)
	return errors.Join(err, <-ended)
}

// Half renewed or spoilt, a folder is what it was before, which is said once.
func TestHalfRenewedCertificatesAreNotUsed(t *testing.T) {
	var log bytes.Buffer
	dir := made(t, soon(), "orders", "payments")
	orders, err := mtls.Open(dir, "orders", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	payments, err := mtls.Open(dir, "payments", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir+"/payments.pem", dir+"/orders.pem")
	for range 3 {
		if err := errors.Join(meet(t, payments, orders, "orders"), meet(t, orders, payments, "payments")); err != nil {
			t.Errorf("while half is new: %v", err)
		}
	}
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("said %d times: %s", n, &log)
	}
	if err := mtls.Make(dir, []string{"orders", "payments"}, soon()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(meet(t, payments, orders, "orders"), meet(t, orders, payments, "payments")); err != nil {
		t.Errorf("when all is new: %v", err)
	}
	if !strings.Contains(log.String(), "were renewed") {
		t.Errorf("the log: %s", &log)
	}
}
