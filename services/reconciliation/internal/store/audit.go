package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/platform/pg"
	"makegood.example/services/reconciliation/internal/desk"
	"makegood.example/services/reconciliation/internal/store/db"
)

// AddAudit writes a row of the audit; false when its key has such a row already.
func (s *Store) AddAudit(ctx context.Context, a desk.Audited) (bool, error) {
	return addAudit(ctx, s.q, a)
}

// AskedTheSame is who asked for what a wish comes to under another key since then; nil
// when nobody did, or nothing came of it.
func (s *Store) AskedTheSame(ctx context.Context, a desk.Act, since time.Time) (*desk.Same, error) {
	return askedTheSame(ctx, s.q, a, since)
}

// AddAsked writes down that a wish was asked, and when the same was asked for just
// before, that nothing came of this one; of two at once, one is before the other.
func (s *Store) AddAsked(ctx context.Context, a desk.Audited, since time.Time) (same *desk.Same, err error) {
	err = pg.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		q := s.q.WithTx(tx)
		if err := q.LockWish(ctx, a.Act.Wish); err != nil {
			return err
		}
		if same, err = askedTheSame(ctx, q, a.Act, since); err != nil {
			return err
		}
		mine, err := addAudit(ctx, q, a)
		if err != nil || !mine || same == nil {
			return err
		}
		a.What, a.Error = desk.AuditFailed, same.Refused(a.Act.Actor).Message
		_, err = addAudit(ctx, q, a)
		return err
	})
	return same, mapError(err)
}

func askedTheSame(ctx context.Context, q *db.Queries, a desk.Act, since time.Time) (*desk.Same, error) {
	rows, err := q.AskedTheSame(ctx, db.AskedTheSameParams{Wish: a.Wish, Since: since, IdempotencyKey: a.Key})
	if err != nil || len(rows) == 0 {
		return nil, mapError(err)
	}
	return &desk.Same{AuditID: rows[0].ID, Actor: rows[0].Actor}, nil
}

func addAudit(ctx context.Context, q *db.Queries, a desk.Audited) (bool, error) {
	p := db.InsertAuditParams{
		At: a.At, What: a.What, IdempotencyKey: a.Act.Key, RequestHash: a.Act.RequestHash, Actor: a.Act.Actor, Role: a.Act.Role,
		Action: a.Act.Action, Subjects: a.Subjects, Reason: storable(a.Act.Reason), Stood: a.Stood,
	}
	if a.What == desk.AuditAsked {
		p.Wish = a.Act.Wish
	} else {
		if a.Steps == nil {
			a.Steps = []desk.Step{}
		}
		for i := range a.Steps {
			a.Steps[i].Note = storable(a.Steps[i].Note)
		}
		var err error
		if p.Steps, err = json.Marshal(a.Steps); err != nil {
			return false, err
		}
	}
	if a.What == desk.AuditFailed {
		why := storable(a.Error)
		p.Error = &why
	}
	n, err := q.InsertAudit(ctx, p)
	return n == 1, mapError(err)
}

// Audited reads what is final of a key: that it was asked, and that it was done.
func (s *Store) Audited(ctx context.Context, key uuid.UUID) (asked, done *desk.Audited, err error) {
	rows, err := s.q.ListAudited(ctx, key)
	if err != nil {
		return nil, nil, mapError(err)
	}
	for _, row := range rows {
		a := desk.Audited{
			ID: row.ID, At: row.At, What: row.What, Subjects: row.Subjects, Stood: row.Stood,
			Act: desk.Act{Key: row.IdempotencyKey, RequestHash: row.RequestHash, Actor: row.Actor, Role: row.Role, Action: row.Action, Reason: row.Reason},
		}
		if a.What == desk.AuditAsked {
			asked = &a
			continue
		}
		if a.Steps, err = steps(row.Steps); err != nil {
			return nil, nil, err
		}
		done = &a
	}
	return asked, done, nil
}

// ListAudit lists at most limit wishes that were asked before the one with id before,
// newest first; an empty actor or subject is any.
func (s *Store) ListAudit(ctx context.Context, actor, subject string, before int64, limit int) ([]desk.Entry, error) {
	rows, err := s.q.ListAudit(ctx, db.ListAuditParams{BeforeID: before, Actor: actor, Subject: subject, PageSize: int32(limit)})
	if err != nil {
		return nil, mapError(err)
	}
	list := make([]desk.Entry, len(rows))
	for i, row := range rows {
		act := desk.Act{Key: row.IdempotencyKey, Actor: row.Actor, Role: row.Role, Action: row.Action, Reason: row.Reason}
		e := desk.Entry{Asked: desk.Audited{ID: row.ID, At: row.At, What: desk.AuditAsked, Act: act, Subjects: row.Subjects, Stood: row.Before}}
		if row.Outcome != "" {
			e.Ended = desk.Audited{At: row.EndedAt, What: row.Outcome, Act: act, Subjects: row.EndedSubjects, Stood: row.After, Error: row.Error}
			if e.Ended.Steps, err = steps(row.Steps); err != nil {
				return nil, err
			}
		}
		list[i] = e
	}
	return list, nil
}

func steps(raw []byte) (steps []desk.Step, err error) {
	if err = json.Unmarshal(raw, &steps); err != nil {
		err = fmt.Errorf("store: the steps of an audit row: %w", err)
	}
	return steps, err
}

// AuditAbout reads at most limit rows about any of some subjects, newest first: what
// was asked, and what came of it, each with who, when and why.
func (s *Store) AuditAbout(ctx context.Context, subjects []string, limit int) ([]desk.Audited, error) {
	rows, err := s.q.ListAuditAbout(ctx, db.ListAuditAboutParams{Subjects: subjects, PageSize: int32(limit)})
	if err != nil {
		return nil, mapError(err)
	}
	list := make([]desk.Audited, len(rows))
	for i, row := range rows {
		list[i] = desk.Audited{
			At: row.At, What: row.What, Error: orEmpty(row.Error),
			Act: desk.Act{Key: row.IdempotencyKey, Actor: row.Actor, Action: row.Action, Reason: row.Reason},
		}
	}
	return list, nil
}
