package mtls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Gateway is the one caller that serves nobody here: its certificate is good
// for calling only.
const Gateway = "gateway"

// organization marks an authority that was made here, and may be replaced.
const organization = "Makegood, made by itself"

// Authority issues certificates. Its key is kept nowhere: whoever needs more
// certificates makes another authority.
type Authority struct {
	// PEM is the authority's own certificate.
	PEM  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes one that is good until a time.
func NewAuthority(until time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		// The name differs from the former authority's: while both are believed,
		// each is found by it.
		Subject:   pkix.Name{Organization: []string{organization}, CommonName: "authority " + rand.Text()[:8]},
		NotBefore: time.Now().Add(-skew), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &Authority{PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), cert: cert, key: key}, nil
}

// skew is how far the clocks of two machines may be apart.
const skew = 5 * time.Minute

// Issue makes the certificate of a service, and its key, both as PEM. Beside the
// service's name it has this machine's, for people's tools.
func (a *Authority) Issue(name string, until time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: name},
		DNSNames: []string{name + domain}, NotBefore: time.Now().Add(-skew), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if name != Gateway {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames = append(template.DNSNames, "localhost")
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

// Share gives each name, as dir/<name>, what its process needs of a filled folder
// and nothing else. Like Make, it may be done beside processes that use these.
func Share(from, dir string, names []string) error {
	authorities, err := os.ReadFile(filepath.Join(from, "ca.pem"))
	if err != nil {
		return err
	}
	for _, name := range names {
		own := filepath.Join(dir, name)
		if err := os.MkdirAll(own, 0o700); err != nil {
			return err
		}
		if err := replace(filepath.Join(own, "ca.pem"), authorities, 0o644); err != nil {
			return err
		}
	}
	for _, name := range names {
		for _, path := range []func(dir, name string) string{keyPath, certPath} {
			body, err := os.ReadFile(path(from, name))
			if err != nil {
				return err
			}
			if err := replace(path(filepath.Join(dir, name), name), body, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// ErrOthers means that a folder holds an authority that was not made here.
var ErrOthers = errors.New("its ca.pem was not made by makegood, and is left as it is")

// Make fills a folder with a new authority and a certificate for each name, good
// until a time. Processes that use the folder go on: until the next time, the
// former authority is believed too.
func Make(dir string, names []string, until time.Time) error {
	former, err := formerAuthority(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	a, err := NewAuthority(until)
	if err != nil {
		return err
	}
	// First who is believed, then who they are. A handshake that began before and
	// meets what came after fails, and grpcclient tries again.
	if err := replace(filepath.Join(dir, "ca.pem"), append(bytes.Clone(a.PEM), former...), 0o644); err != nil {
		return err
	}
	for _, name := range names {
		cert, key, err := a.Issue(name, until)
		if err != nil {
			return err
		}
		if err := replace(keyPath(dir, name), key, 0o600); err != nil {
			return err
		}
		if err := replace(certPath(dir, name), cert, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// formerAuthority is the first in ca.pem, as PEM; nothing where there is none.
func formerAuthority(dir string) ([]byte, error) {
	body, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(body)
	if block == nil {
		return nil, ErrOthers
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || len(cert.Subject.Organization) != 1 || cert.Subject.Organization[0] != organization {
		return nil, ErrOthers
	}
	return pem.EncodeToMemory(block), nil
}

// replace writes a file in one step: a reader finds the old or the new.
func replace(path string, body []byte, mode fs.FileMode) error {
	if err := os.WriteFile(path+".new", body, mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
