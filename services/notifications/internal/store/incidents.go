package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/store/db"
)

// AdvanceSource holds a source of incidents until the transaction ends, and says
// whether a report as of then is news: not when a later one came before.
func (s *Store) AdvanceSource(ctx context.Context, tx pgx.Tx, source string, asOf time.Time) (bool, error) {
	n, err := db.New(tx).AdvanceSource(ctx, db.AdvanceSourceParams{Source: source, AsOf: asOf})
	return n == 1, wrap("advance source", err)
}

// LockOpenIncidents holds the open incidents of a source.
func (s *Store) LockOpenIncidents(ctx context.Context, tx pgx.Tx, source string) ([]incident.Incident, error) {
	rows, err := db.New(tx).LockOpenIncidents(ctx, source)
	if err != nil {
		return nil, wrap("lock open incidents", err)
	}
	return toIncidents(rows)
}

// LockOpenIncident holds the open incident under a key; incident.ErrNotFound without.
func (s *Store) LockOpenIncident(ctx context.Context, tx pgx.Tx, key string) (incident.Incident, error) {
	row, err := db.New(tx).LockOpenIncident(ctx, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return incident.Incident{}, incident.ErrNotFound
	}
	if err != nil {
		return incident.Incident{}, wrap("lock incident", err)
	}
	return toIncident(row)
}

// LockIncident holds an incident.
func (s *Store) LockIncident(ctx context.Context, tx pgx.Tx, id int64) (incident.Incident, error) {
	row, err := db.New(tx).LockIncident(ctx, id)
	if err != nil {
		return incident.Incident{}, wrap("lock incident", err)
	}
	return toIncident(row)
}

// IncidentTier is how soon somebody must hear of an incident.
func (s *Store) IncidentTier(ctx context.Context, id int64) (incident.Tier, error) {
	tier, err := db.New(s.pool).IncidentTier(ctx, id)
	return incident.Tier(tier), wrap("incident tier", err)
}

// InsertIncident writes a new incident; false when its key is taken.
func (s *Store) InsertIncident(ctx context.Context, tx pgx.Tx, i incident.Incident) (id int64, isNew bool, err error) {
	words, err := json.Marshal(i.Words)
	if err != nil {
		return 0, false, wrap("words of an incident", err)
	}
	id, err = db.New(tx).InsertIncident(ctx, db.InsertIncidentParams{
		Key: i.Key, Source: i.Source, Tier: string(i.Tier), Words: words, Count: i.Count, Version: i.Version,
		News: i.News, NewsAt: i.NewsAt, NewsCount: i.NewsCount, NewsWhy: i.NewsWhy, OpenedAt: i.OpenedAt, ChangedAt: i.ChangedAt, ResolvedAt: i.ResolvedAt,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return id, err == nil, wrap("insert incident", err)
}

// UpdateIncident writes a locked incident.
func (s *Store) UpdateIncident(ctx context.Context, tx pgx.Tx, i incident.Incident) error {
	words, err := json.Marshal(i.Words)
	if err != nil {
		return wrap("words of an incident", err)
	}
	var by *string
	if i.AcknowledgedBy != "" {
		by = &i.AcknowledgedBy
	}
	return wrap("update incident", db.New(tx).UpdateIncident(ctx, db.UpdateIncidentParams{
		ID: i.ID, Tier: string(i.Tier), Words: words, Count: i.Count, Version: i.Version,
		News: i.News, NewsAt: i.NewsAt, NewsCount: i.NewsCount, NewsWhy: i.NewsWhy, ChangedAt: i.ChangedAt, ResolvedAt: i.ResolvedAt,
		AcknowledgedBy: by, AcknowledgedAt: i.AcknowledgedAt, AcknowledgedNews: i.AcknowledgedNews, SnoozedUntil: i.SnoozedUntil,
	}))
}

// AddIncidentEvent writes down what happened to an incident.
func (s *Store) AddIncidentEvent(ctx context.Context, tx pgx.Tx, id int64, e incident.Event) error {
	return wrap("insert incident event", db.New(tx).InsertIncidentEvent(ctx, db.InsertIncidentEventParams{
		IncidentID: id, What: e.What, Actor: e.Actor, Note: e.Note, At: e.At,
	}))
}

// IncidentPosition is where a page of incidents ended.
type IncidentPosition struct {
	Resolved bool
	ID       int64
}

// ListIncidents lists at most limit incidents after a position, each with what
// happened to it and what the channels were told. An empty key is all.
func (s *Store) ListIncidents(ctx context.Context, key string, includeResolved bool, after *IncidentPosition, limit int) ([]incident.Incident, error) {
	q := db.New(s.pool)
	const beforeAll = -1 << 62
	p := db.ListIncidentsParams{Key: key, IncludeResolved: includeResolved, AfterID: beforeAll, PageSize: int32(limit)}
	if after != nil {
		p.AfterResolved, p.AfterID = after.Resolved, -after.ID
	}
	rows, err := q.ListIncidents(ctx, p)
	if err != nil {
		return nil, wrap("list incidents", err)
	}
	list, err := toIncidents(rows)
	if err != nil {
		return nil, err
	}
	ids, at := make([]int64, len(list)), make(map[int64]int, len(list))
	for n, i := range list {
		ids[n], at[i.ID] = i.ID, n
	}
	events, err := q.IncidentEvents(ctx, ids)
	if err != nil {
		return nil, wrap("incident events", err)
	}
	for _, e := range events {
		i := &list[at[e.IncidentID]]
		i.Events = append(i.Events, incident.Event{What: e.What, Actor: e.Actor, Note: e.Note, At: e.At})
	}
	channels, err := q.IncidentChannels(ctx, ids)
	for _, c := range channels {
		i := &list[at[c.IncidentID]]
		i.Channels = append(i.Channels, toTold(c))
	}
	return list, wrap("incident channels", err)
}

func toIncidents(rows []db.Incident) ([]incident.Incident, error) {
	list := make([]incident.Incident, len(rows))
	for n, row := range rows {
		var err error
		if list[n], err = toIncident(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func toIncident(r db.Incident) (incident.Incident, error) {
	i := incident.Incident{
		ID: r.ID, Key: r.Key, Source: r.Source, Tier: incident.Tier(r.Tier), Count: r.Count, Version: r.Version,
		News: r.News, NewsAt: r.NewsAt, NewsCount: r.NewsCount, NewsWhy: r.NewsWhy, OpenedAt: r.OpenedAt, ChangedAt: r.ChangedAt, ResolvedAt: r.ResolvedAt,
		AcknowledgedAt: r.AcknowledgedAt, AcknowledgedNews: r.AcknowledgedNews, SnoozedUntil: r.SnoozedUntil,
	}
	if r.AcknowledgedBy != nil {
		i.AcknowledgedBy = *r.AcknowledgedBy
	}
	return i, wrap("words of an incident", json.Unmarshal(r.Words, &i.Words))
}
