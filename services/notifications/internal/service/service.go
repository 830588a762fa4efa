// Package service holds the use cases: accepting a message, delivering it,
// checking an address, listing.
package service

import (
	"context"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/clients"
	"makegood.example/services/notifications/internal/incident"
	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/store"
)

// Queue makes a delivery as durable as the transaction it is given.
type Queue interface {
	EnqueueDelivery(ctx context.Context, tx pgx.Tx, id uuid.UUID) error
}

// Service is Notifications.
type Service struct {
	Store        *store.Store
	Queue        Queue
	Orders       *clients.Orders
	Payments     *clients.Payments
	Provisioning *clients.Provisioning
	Cases        *clients.Cases
	// Server relays mail; From is its sender, whose domain is the Message-IDs' too.
	Server render.Server
	From   mail.Address
	Brand  render.Brand
	// PublicURL is where buyers reach the edge, without a slash at its end.
	PublicURL string
	// Team is whom an incident is told to by mail, and Posters are the other channels;
	// without any it is in the log and the console alone.
	Team    []string
	Posters []Poster
	// Quiet are the hours in which only what cannot wait is told.
	Quiet incident.Quiet
	// AdminURL is where the console is, without a slash at its end.
	AdminURL string
	// Runs is asked whether reconciliation works; ReconcileEvery is its period.
	Runs           *clients.Runs
	ReconcileEvery time.Duration
	Metrics        *Metrics
	Now            func() time.Time
	Log            *slog.Logger
}

func (s *Service) mailDomain() string {
	return s.From.Address[strings.LastIndexByte(s.From.Address, '@')+1:]
}
