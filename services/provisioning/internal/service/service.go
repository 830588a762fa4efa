// Package service holds Provisioning's use cases, one file per verb.
package service

import (
	"time"

	"makegood.example/services/provisioning/internal/store"
)

// Settings are what the use cases need to know of the deployment.
type Settings struct {
	// AppURL is the SaaS's app, without a trailing slash; activation links lead there.
	AppURL string
	// LoginURL is its ordinary login page.
	LoginURL string
	// ActivationLasts is how long an activation link works.
	ActivationLasts time.Duration
}

// Service runs the use cases.
type Service struct {
	store    *store.Store
	settings Settings
	clock    func() time.Time
}

// New makes the service; clock gives the time.
func New(st *store.Store, settings Settings, clock func() time.Time) *Service {
	return &Service{store: st, settings: settings, clock: clock}
}

// now has the database's precision, so that what is answered is what is stored.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
