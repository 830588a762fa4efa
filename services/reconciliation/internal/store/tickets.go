package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/store/db"
)

// AddTicket keeps a ticket under its key; the one that has the key when there is one.
func (s *Store) AddTicket(ctx context.Context, key uuid.UUID, t desk.Ticket) (desk.Ticket, error) {
	row, err := s.q.InsertTicket(ctx, db.InsertTicketParams{
		IdempotencyKey: key, Email: storable(t.Email), Address: desk.AddressKey(storable(t.Email)), Subject: storable(t.Subject),
		Description: storable(t.Description), Category: t.Category, OpenedBy: t.OpenedBy, OpenedAt: t.OpenedAt,
		OrderIds: listed(t.OrderIDs), ChargeIds: listed(t.ChargeIDs),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		row, err = s.q.TicketByKey(ctx, key)
	}
	return toTicket(row), mapError(err)
}

// TicketByKey reads the ticket that was opened under a key. desk.ErrTicketNotFound
// without it.
func (s *Store) TicketByKey(ctx context.Context, key uuid.UUID) (desk.Ticket, error) {
	return ticketOr(s.q.TicketByKey(ctx, key))
}

// Ticket reads a ticket. desk.ErrTicketNotFound without it.
func (s *Store) Ticket(ctx context.Context, id int64) (desk.Ticket, error) {
	return ticketOr(s.q.GetTicket(ctx, id))
}

func ticketOr(row db.Ticket, err error) (desk.Ticket, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return desk.Ticket{}, desk.ErrTicketNotFound
	}
	return toTicket(row), mapError(err)
}

// UpdateTicket writes a change of a ticket as it was read; false when somebody changed
// it since.
func (s *Store) UpdateTicket(ctx context.Context, t desk.Ticket) (desk.Ticket, bool, error) {
	row, err := s.q.UpdateTicket(ctx, db.UpdateTicketParams{
		ID: t.ID, Version: t.Version, State: string(t.State), Resolution: storable(t.Resolution), ResolvedBy: t.ResolvedBy,
		ResolvedAt: t.ResolvedAt, AssignedTo: storable(t.AssignedTo), ChangedByKey: *t.ChangedByKey, OrderIds: listed(t.OrderIDs), ChargeIds: listed(t.ChargeIDs),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return desk.Ticket{}, false, nil
	}
	return toTicket(row), err == nil, mapError(err)
}

// ListTickets lists at most limit tickets after one, the longest waiting first; an
// empty state lists what is not resolved.
func (s *Store) ListTickets(ctx context.Context, state desk.TicketState, afterOpenedAt time.Time, afterID int64, limit int) ([]desk.Ticket, error) {
	rows, err := s.q.ListTickets(ctx, db.ListTicketsParams{State: string(state), AfterOpenedAt: afterOpenedAt, AfterID: afterID, PageSize: int32(limit)})
	return toTickets(rows), mapError(err)
}

// TicketsOf lists the newest tickets of some addresses, at most limit.
func (s *Store) TicketsOf(ctx context.Context, addresses []string, limit int) ([]desk.Ticket, error) {
	keys := make([]string, len(addresses))
	for i, a := range addresses {
		keys[i] = desk.AddressKey(a)
	}
	rows, err := s.q.TicketsOfAddresses(ctx, db.TicketsOfAddressesParams{Addresses: keys, MaxRows: int32(limit)})
	return toTickets(rows), mapError(err)
}

func toTickets(rows []db.Ticket) []desk.Ticket {
	out := make([]desk.Ticket, len(rows))
	for i, row := range rows {
		out[i] = toTicket(row)
	}
	return out
}

func toTicket(r db.Ticket) desk.Ticket {
	return desk.Ticket{
		ID: r.ID, Email: r.Email, Subject: r.Subject, Description: r.Description, Category: r.Category, State: desk.TicketState(r.State),
		Resolution: r.Resolution, ResolvedBy: r.ResolvedBy, OpenedBy: r.OpenedBy, OpenedAt: r.OpenedAt, ResolvedAt: r.ResolvedAt,
		AssignedTo: r.AssignedTo, OrderIDs: r.OrderIds, ChargeIDs: r.ChargeIds, Version: r.Version, ChangedByKey: r.ChangedByKey,
	}
}

func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
