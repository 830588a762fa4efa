package service

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	notificationsv1 "makegood.example/proto/gen/notifications/v1"
	ordersv1 "makegood.example/proto/gen/orders/v1"
	paymentsv1 "makegood.example/proto/gen/payments/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/cases"
	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

// errPeersAway: what must be known cannot be asked now.
var errPeersAway = apperr.New(codes.Unavailable, "PEER_UNAVAILABLE", "the orders of this customer cannot be read at the moment")

// actTimeout bounds an action whose person has gone: what was begun is ended.
const actTimeout = 50 * time.Second

// Acted is what an action did, or would do.
type Acted struct {
	Steps []desk.Step
	// Done: every step is DONE or NOT_NEEDED, or, in a dry run, would be.
	Done bool
	// AuditID is of its audit entry; 0 in a dry run.
	AuditID int64
	// What it was about, as it is now; nil where there is none.
	Order    *ordersv1.Order
	Case     *cases.Case
	Event    *paymentsv1.WebhookEvent
	Charging *ordersv1.SetChargingResponse
	Incident *notificationsv1.Incident
}

// deed is what one action does. Its effects are idempotent: after a crash, or
// pressed twice, they run again under the same key.
type deed struct {
	// wish is what it comes to, whoever asks, when each key would have an effect of its
	// own; empty when the same under two keys happens once anyway.
	wish string
	// subjects are what it is about, the first as the person named it.
	subjects []string
	// stands reads how that stands, for the audit; no personal data. It is best effort.
	stands func(context.Context) any
	// do does it, or in a dry run says what it would do. What could not happen is a
	// step FAILED, or an error when nothing did.
	do func(context.Context) (did, error)
	// show adds to an answer what it was about, as it is now.
	show func(context.Context, *Acted) error
}

// did is what a deed did.
type did struct {
	steps []desk.Step
	// subjects were found on the way.
	subjects []string
}

// act is the one way in which a person's wish is done: it is asked in the audit before
// the effect, and done or failed there after it. The same wish again is answered from
// the audit when it was done, and otherwise done again. Errors: desk.ErrKeyReused,
// desk.ErrNobody, and those of the deed.
func (s *Service) act(ctx context.Context, a desk.Act, d deed) (Acted, error) {
	if a.Actor == "" {
		return Acted{}, desk.ErrNobody
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actTimeout)
	defer cancel()
	ctx = clients.AsPerson(ctx)
	if d.wish != "" {
		sum := sha256.Sum256([]byte(a.Action + "\n" + d.wish))
		a.Wish = sum[:]
	}
	if a.DryRun {
		if err := s.same(ctx, a); err != nil {
			return Acted{}, err
		}
		done, err := d.do(ctx)
		return s.acted(ctx, d, Acted{Steps: done.steps}, err)
	}
	asked, done, err := s.ask(ctx, a, d)
	if err != nil {
		return Acted{}, err
	}
	if done == nil {
		done, err = s.effect(ctx, a, d)
	}
	if done == nil {
		return Acted{}, err
	}
	return s.acted(ctx, d, Acted{Steps: done.Steps, AuditID: asked.ID}, err)
}

// ask writes down that it was asked, unless it was; done is what came of it, if it is
// known to be done.
func (s *Service) ask(ctx context.Context, a desk.Act, d deed) (asked, done *desk.Audited, err error) {
	if asked, done, err = s.Store.Audited(ctx, a.Key); err != nil {
		return nil, nil, err
	}
	if asked == nil {
		if err := s.writeAsked(ctx, desk.Audited{At: s.now(), What: desk.AuditAsked, Act: a, Subjects: d.subjects, Stood: d.stood(ctx)}); err != nil {
			return nil, nil, err
		}
		// Of two at once, one has written it: read whose it is.
		if asked, done, err = s.Store.Audited(ctx, a.Key); err != nil {
			return nil, nil, err
		}
	}
	if b := asked.Act; b.Actor != a.Actor || b.Action != a.Action || !bytes.Equal(b.RequestHash, a.RequestHash) {
		return nil, nil, desk.ErrKeyReused
	}
	if done == nil { // one that was interrupted, and that somebody has asked for since
		err = s.same(ctx, a)
	}
	return asked, done, err
}

// writeAsked writes down that it was asked. Errors: desk.ErrState when the same was
// asked for just before under another key.
func (s *Service) writeAsked(ctx context.Context, row desk.Audited) error {
	if row.Act.Wish == nil {
		_, err := s.Store.AddAudit(ctx, row)
		return err
	}
	same, err := s.Store.AddAsked(ctx, row, row.At.Add(-desk.SameWish))
	if err == nil && same != nil {
		err = same.Refused(row.Act.Actor)
	}
	return err
}

// same refuses what was asked for just before under another key.
func (s *Service) same(ctx context.Context, a desk.Act) error {
	if a.Wish == nil {
		return nil
	}
	same, err := s.Store.AskedTheSame(ctx, a, s.now().Add(-desk.SameWish))
	if err == nil && same != nil {
		err = same.Refused(a.Actor)
	}
	return err
}

// effect does it and writes down what came of it. Without a row the error is final:
// nothing happened.
func (s *Service) effect(ctx context.Context, a desk.Act, d deed) (*desk.Audited, error) {
	what, err := d.do(ctx)
	row := &desk.Audited{At: s.now(), What: desk.AuditDone, Act: a, Subjects: about(d.subjects, what.subjects), Stood: d.stood(ctx), Steps: what.steps}
	failure := desk.Failure(what.steps)
	if err != nil {
		failure = said(err)
	}
	if failure != "" {
		row.What, row.Error = desk.AuditFailed, failure
		if _, writeErr := s.Store.AddAudit(ctx, *row); writeErr != nil {
			s.Log.ErrorContext(ctx, "why an action failed is not in the audit", "action", a.Action, "idempotency_key", a.Key, "error", writeErr)
		}
		if err != nil {
			return nil, err
		}
		return row, nil
	}
	mine, err := s.Store.AddAudit(ctx, *row)
	if err != nil || mine {
		return row, err
	}
	// The same wish was done by another at the same moment: both are told the same.
	_, done, err := s.Store.Audited(ctx, a.Key)
	return done, err
}

func (s *Service) acted(ctx context.Context, d deed, out Acted, err error) (Acted, error) {
	if err != nil {
		return Acted{}, err
	}
	out.Done = desk.Failure(out.Steps) == ""
	if d.show == nil {
		return out, nil
	}
	return out, d.show(ctx, &out)
}

func (d deed) stood(ctx context.Context) []byte {
	if d.stands == nil {
		return []byte("null")
	}
	raw, err := json.Marshal(d.stands(ctx))
	if err != nil {
		return []byte("null")
	}
	return raw
}

func about(subjects, found []string) []string {
	all := slices.Clone(subjects)
	for _, s := range found {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// ListAudit lists who did what, newest first, before the entry with id before.
func (s *Service) ListAudit(ctx context.Context, actor, subject string, before int64, limit int) ([]desk.Entry, error) {
	return s.Store.ListAudit(ctx, actor, subject, before, limit)
}
