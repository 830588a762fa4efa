package stack

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"makegood.example/services/platform/mtls"
)

// ownCertificates is the GRPC_TLS_DIR that stands for a folder of the stack's own.
const ownCertificates = "auto"

// Certificates that are made here last for a few restarts, and are renewed long
// before they end.
const (
	certificatesLast = 7 * 24 * time.Hour
	renewEvery       = 24 * time.Hour
)

// MakeCertificates fills a folder with certificates of all services, or renews
// them, and says until when they are good.
func MakeCertificates(dir string) (until time.Time, err error) {
	until = time.Now().Add(certificatesLast)
	return until, mtls.Make(dir, certified(), until)
}

// ShareCertificates gives each process what it needs of the folder, as
// each/<name>: who is handed only that can be nobody else.
func ShareCertificates(dir, each string) error { return mtls.Share(dir, each, certified()) }

// certified are the processes that have a certificate.
func certified() []string { return append(slices.Clone(services), mtls.Gateway) }

// chooseCertificates makes them where the user asks for them and no authority of
// theirs has. own is the folder that is ours to renew, if any.
func (s *settings) chooseCertificates(dir string, beside bool) (own string, err error) {
	if s.env["GRPC_TLS_DIR"] == "" {
		return "", nil
	}
	if s.env["GRPC_TLS_DIR"] == ownCertificates || beside {
		s.env["GRPC_TLS_DIR"] = filepath.Join(dir, "tls")
	}
	folder := s.env["GRPC_TLS_DIR"]
	_, err = MakeCertificates(folder)
	if errors.Is(err, mtls.ErrOthers) {
		return "", nil
	}
	return folder, err
}

// renewCertificates keeps those that were made here from ending while the stack
// runs. The processes take the new ones by themselves.
func (s *Stack) renewCertificates() {
	if s.settings.certificates == "" {
		return
	}
	go func() {
		for {
			select {
			case <-s.stopped:
				return
			case <-time.After(renewEvery):
			}
			if _, err := MakeCertificates(s.settings.certificates); err != nil {
				s.say("the certificates in %s could not be renewed: %v", s.settings.certificates, err)
			}
		}
	}()
}

// openCertificates is how the stack itself calls the services: as nobody.
func (s *Stack) openCertificates() (err error) {
	s.tls, err = mtls.Open(s.Env("GRPC_TLS_DIR"), "", slog.New(slog.DiscardHandler))
	return err
}
