package service

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/store"
)

// ReportIncidents takes in how all incidents of a source stand; those that are not
// among the reports are over. A report older than the last is ignored.
func (s *Service) ReportIncidents(ctx context.Context, source string, asOf time.Time, reports []incident.Report) error {
	now := s.now()
	if asOf.After(now) { // by a clock that is ahead of ours; not to be waited for
		asOf = now
	}
	return s.Store.InTx(ctx, func(tx pgx.Tx) error { return s.takeIn(ctx, tx, source, asOf, reports) })
}

func (s *Service) takeIn(ctx context.Context, tx pgx.Tx, source string, asOf time.Time, reports []incident.Report) error {
	isNews, err := s.Store.AdvanceSource(ctx, tx, source, asOf)
	if err != nil || !isNews {
		return err
	}
	open, err := s.Store.LockOpenIncidents(ctx, tx, source)
	if err != nil {
		return err
	}
	now := s.now()
	for _, r := range reports {
		at := slices.IndexFunc(open, func(i incident.Incident) bool { return i.Key == r.Key })
		if at < 0 {
			if err := s.open(ctx, tx, source, r); err != nil {
				return err
			}
			continue
		}
		was := open[at]
		open = slices.Delete(open, at, at+1)
		is, e := was.Stand(r, now)
		if is.Version == was.Version {
			continue
		}
		if err := s.changed(ctx, tx, is, e); err != nil {
			return err
		}
	}
	for _, was := range open {
		is, e := was.Resolve(now)
		if err := s.changed(ctx, tx, is, e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) open(ctx context.Context, tx pgx.Tx, source string, r incident.Report) error {
	i, e := incident.Open(source, r, s.now())
	return s.begin(ctx, tx, i, e)
}

// begin writes a new incident and has the channels look at it. A key that is taken,
// by another source or an earlier digest, stays as it is.
func (s *Service) begin(ctx context.Context, tx pgx.Tx, i incident.Incident, e incident.Event) error {
	id, isNew, err := s.Store.InsertIncident(ctx, tx, i)
	if err != nil || !isNew {
		return err
	}
	i.ID = id
	if err := s.Store.AddIncidentEvent(ctx, tx, id, e); err != nil {
		return err
	}
	s.logIncident(ctx, i, e)
	return s.Store.WakeChannels(ctx, tx, id, s.channels(), s.now())
}

// changed writes a locked incident and has the channels look at it.
func (s *Service) changed(ctx context.Context, tx pgx.Tx, i incident.Incident, e *incident.Event) error {
	if err := s.Store.UpdateIncident(ctx, tx, i); err != nil {
		return err
	}
	if e != nil {
		if err := s.Store.AddIncidentEvent(ctx, tx, i.ID, *e); err != nil {
			return err
		}
		s.logIncident(ctx, i, *e)
	}
	return s.Store.WakeChannels(ctx, tx, i.ID, s.channels(), s.now())
}

// logIncident is how an incident is heard of where no channel is set up.
func (s *Service) logIncident(ctx context.Context, i incident.Incident, e incident.Event) {
	level := slog.LevelWarn
	if i.Tier == incident.Digest {
		level = slog.LevelInfo
	}
	s.Log.Log(ctx, level, "incident "+e.What, "incident", i.Key, "tier", i.Tier, "title", i.Words.Title, "count", i.Count, "note", e.Note)
}

// AcknowledgeIncident notes that actor looks after the open incident of a key;
// a dry run answers as it would be. Errors: incident.ErrNotFound.
func (s *Service) AcknowledgeIncident(ctx context.Context, key, actor, note string, dryRun bool) (incident.Incident, error) {
	return s.changeIncident(ctx, key, dryRun, func(i incident.Incident, now time.Time) (incident.Incident, *incident.Event, error) {
		is, e := i.Acknowledge(actor, note, now)
		return is, e, nil
	})
}

// SnoozeIncident keeps the open incident of a key quiet until a time; a dry
// run answers as it would be. Errors: incident.ErrNotFound; INVALID_ARGUMENT.
func (s *Service) SnoozeIncident(ctx context.Context, key, actor string, until time.Time, reason string, dryRun bool) (incident.Incident, error) {
	until = until.UTC().Truncate(time.Microsecond)
	return s.changeIncident(ctx, key, dryRun, func(i incident.Incident, now time.Time) (incident.Incident, *incident.Event, error) {
		return i.Snooze(actor, until, reason, now)
	})
}

func (s *Service) changeIncident(ctx context.Context, key string, dryRun bool, change func(incident.Incident, time.Time) (incident.Incident, *incident.Event, error)) (incident.Incident, error) {
	var would incident.Incident
	err := s.Store.InTx(ctx, func(tx pgx.Tx) error {
		i, err := s.Store.LockOpenIncident(ctx, tx, key)
		if err != nil {
			return err
		}
		is, e, err := change(i, s.now())
		if would = is; err != nil || e == nil || dryRun {
			return err
		}
		return s.changed(ctx, tx, is, e)
	})
	if err != nil || dryRun {
		return would, err
	}
	list, err := s.Store.ListIncidents(ctx, key, false, nil, 1)
	if err == nil && len(list) == 0 { // over since
		list, err = s.Store.ListIncidents(ctx, key, true, nil, 1)
	}
	if err != nil {
		return incident.Incident{}, err
	}
	return list[0], nil
}

// ListIncidents lists at most limit incidents after a position.
func (s *Service) ListIncidents(ctx context.Context, key string, includeResolved bool, after *store.IncidentPosition, limit int) ([]incident.Incident, error) {
	return s.Store.ListIncidents(ctx, key, includeResolved, after, limit)
}

// now has the database's precision, so that what is decided on is what is stored.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }
