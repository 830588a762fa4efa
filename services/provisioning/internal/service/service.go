// Package service holds Provisioning's use cases, one file per verb.
package service

import (
	"log/slog"
	"time"

	"makegood.example/services/provisioning/internal/app"
	"makegood.example/services/provisioning/internal/clients"
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
	// GracePeriod is how long access outlasts a renewal that failed, or of which
	// nothing is known yet.
	GracePeriod time.Duration
}

// Service runs the use cases.
type Service struct {
	Store    *store.Store
	Settings Settings
	// App is who is told of changes of access; nil for nobody.
	App   *app.App
	Cases *clients.Cases
	Now   func() time.Time
	Log   *slog.Logger
}

// now has the database's precision, so that what is answered is what is stored.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }
