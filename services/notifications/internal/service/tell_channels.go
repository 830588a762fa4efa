package service

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"makegood.example/services/notifications/internal/incident"
	"makegood.example/services/notifications/internal/message"
	"makegood.example/services/notifications/internal/store"
	"makegood.example/services/platform/due"
)

// Poster is a channel that is told over the network.
type Poster interface {
	// Name is the channel's, for good.
	Name() string
	// CanUpdate says whether what was posted can be changed.
	CanUpdate() bool
	// Tell does act, and answers where the incident stands now. When t.Begun is set, an
	// earlier attempt may have posted already. Its error is a *TellError.
	Tell(ctx context.Context, i incident.Incident, t incident.Told, act incident.Act, now time.Time) (thread string, err error)
}

// TellError is a channel that was not told. It quotes no secret.
type TellError struct {
	What string
	// Permanent: it will not mend itself.
	Permanent bool
	// RetryAfter is what the channel asks for; then it is only busy.
	RetryAfter time.Duration
	// Unposted: it is certain that nothing was posted.
	Unposted bool
}

func (e *TellError) Error() string { return e.What }

const (
	// tellTimeout bounds one telling, and tellLease is longer: it is nobody else's
	// meanwhile.
	tellTimeout = 15 * time.Second
	tellLease   = 45 * time.Second
	// tellAgainAfter is the pause after a first failure; the longest is for what pages.
	tellAgainAfter = 5 * time.Second
	pageAgainMax   = 5 * time.Minute
)

const mailPrefix = "mail:"

func mailChannel(address string) string { return mailPrefix + message.AddressKey(address) }

// channels are the names of all that are set up.
func (s *Service) channels() []string {
	names := []string{}
	for _, p := range s.Posters {
		names = append(names, p.Name())
	}
	for _, address := range s.Team {
		names = append(names, mailChannel(address))
	}
	return names
}

// ClaimTellings takes at most limit channels that may have to hear of an incident.
func (s *Service) ClaimTellings(ctx context.Context, limit int) ([]store.ChannelDue, error) {
	now := s.now()
	return s.Store.ClaimChannels(ctx, now, now.Add(tellLease), limit)
}

// TellChannel has one channel hear what it must hear of an incident. A mail is
// written down in the transaction that notes it; a post is noted before it is begun
// and after it has ended.
func (s *Service) TellChannel(ctx context.Context, d store.ChannelDue) error {
	at := slices.IndexFunc(s.Posters, func(p Poster) bool { return p.Name() == d.Channel })
	var post *telling
	err := s.Store.InTx(ctx, func(tx pgx.Tx) (err error) {
		post = nil
		i, t, err := s.lockTelling(ctx, tx, d)
		if err != nil {
			return err
		}
		switch {
		case at >= 0:
			post, err = s.beginPost(ctx, tx, i, t, s.Posters[at])
			return err
		case strings.HasPrefix(d.Channel, mailPrefix) && slices.Contains(s.channels(), d.Channel):
			return s.tellByMail(ctx, tx, i, t)
		default: // not set up any more
			return s.Store.PutChannel(ctx, tx, t, nil)
		}
	})
	if err != nil || post == nil {
		return err
	}
	return s.post(ctx, d, *post, s.Posters[at])
}

// lockTelling holds an incident and what a channel was told of it.
func (s *Service) lockTelling(ctx context.Context, tx pgx.Tx, d store.ChannelDue) (incident.Incident, incident.Told, error) {
	i, err := s.Store.LockIncident(ctx, tx, d.IncidentID)
	if err != nil {
		return i, incident.Told{}, err
	}
	if woken, e := i.Wake(s.now()); e != nil {
		i = woken
		if err := s.changed(ctx, tx, i, e); err != nil {
			return i, incident.Told{}, err
		}
	}
	t, err := s.Store.LockChannel(ctx, tx, d)
	return i, t, err
}

// restOrWait writes what a channel was told, and when to look again.
func (s *Service) restOrWait(ctx context.Context, tx pgx.Tx, i incident.Incident, t incident.Told, canUpdate bool) error {
	now := s.now()
	var next *time.Time
	switch act, at := i.Next(t, canUpdate, s.Quiet, now); act {
	case incident.Rest:
	case incident.Wait:
		next = &at
	default:
		next = &now
	}
	return s.Store.PutChannel(ctx, tx, t, next)
}

// heard is what a channel was told when act was done.
func heard(t incident.Told, i incident.Incident, act incident.Act, now time.Time) incident.Told {
	t.Version, t.At, t.Begun, t.Failures, t.RetryAt, t.LastError = i.Version, &now, nil, 0, nil, ""
	if act != incident.Update {
		t.News = i.News
	}
	t.Closed = act == incident.Close || i.Tier == incident.Digest
	return t
}

func (s *Service) tellByMail(ctx context.Context, tx pgx.Tx, i incident.Incident, t incident.Told) error {
	act, _ := i.Next(t, false, s.Quiet, s.now())
	if act == incident.Announce || act == incident.Again || act == incident.Close {
		at := slices.IndexFunc(s.Team, func(a string) bool { return mailChannel(a) == t.Channel })
		if err := s.queueMail(ctx, tx, i, act, s.Team[at]); err != nil {
			return err
		}
		t = heard(t, i, act, s.now())
	}
	return s.restOrWait(ctx, tx, i, t, false)
}

// telling is a post to be made.
type telling struct {
	incident incident.Incident
	told     incident.Told
	act      incident.Act
}

func (s *Service) beginPost(ctx context.Context, tx pgx.Tx, i incident.Incident, t incident.Told, p Poster) (*telling, error) {
	act, _ := i.Next(t, p.CanUpdate(), s.Quiet, s.now())
	if act == incident.Rest || act == incident.Wait {
		return nil, s.restOrWait(ctx, tx, i, t, p.CanUpdate())
	}
	if t.Begun == nil && act != incident.Update { // an update may be repeated
		if err := s.Store.BeginPost(ctx, tx, store.ChannelDue{IncidentID: t.IncidentID, Channel: t.Channel}, s.now()); err != nil {
			return nil, err
		}
	}
	return &telling{incident: i, told: t, act: act}, nil
}

// post tells a channel over the network, and notes what came of it.
func (s *Service) post(ctx context.Context, d store.ChannelDue, what telling, p Poster) error {
	send, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	thread, postErr := p.Tell(send, what.incident, what.told, what.act, s.now())
	note, stop := outlive(ctx)
	defer stop()
	err := s.Store.InTx(note, func(tx pgx.Tx) error {
		i, t, err := s.lockTelling(note, tx, d)
		if err != nil {
			return err
		}
		t.Thread = thread
		if postErr == nil {
			t = heard(t, what.incident, what.act, s.now())
		} else {
			t = s.failed(t, i, postErr)
		}
		return s.restOrWait(note, tx, i, t, p.CanUpdate())
	})
	var busy *TellError
	if errors.As(postErr, &busy) && busy.RetryAfter > 0 {
		return err
	}
	s.Metrics.told(p.Name(), postErr == nil)
	return errors.Join(err, s.noteChannel(note, p.Name(), what.incident.Tier, postErr))
}

// failed is what a channel was told after an attempt that failed.
func (s *Service) failed(t incident.Told, i incident.Incident, err error) incident.Told {
	now := s.now()
	t.Failures, t.LastError = t.Failures+1, err.Error()
	pause := due.Backoff(tellAgainAfter, int(t.Failures))
	if i.Tier == incident.PageNow {
		pause = min(pause, pageAgainMax)
	}
	var told *TellError
	if errors.As(err, &told) {
		if told.Unposted {
			t.Begun = nil
		}
		if told.RetryAfter > 0 {
			t.Failures, pause = 0, min(told.RetryAfter, time.Hour)
		}
	}
	at := now.Add(pause)
	t.RetryAt = &at
	return t
}
