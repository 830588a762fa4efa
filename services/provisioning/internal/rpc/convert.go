package rpc

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/provisioning/internal/grant"
)

var statuses = map[pb.FollowSubscriptionRequest_Status]grant.Status{
	pb.FollowSubscriptionRequest_ACTIVE:   grant.Active,
	pb.FollowSubscriptionRequest_PAST_DUE: grant.PastDue,
	pb.FollowSubscriptionRequest_PAUSED:   grant.Paused,
	pb.FollowSubscriptionRequest_ENDED:    grant.Ended,
}

// answer is a grant on the wire. One that never was has no account and no dates.
func answer(g grant.Grant, err error) (*pb.Grant, error) {
	if err != nil {
		return nil, err
	}
	out := &pb.Grant{OrderId: g.OrderID.String(), AccountCreated: g.AccountCreated}
	if g.AccountID != uuid.Nil {
		out.AccountId = g.AccountID.String()
		out.StartsAt, out.EndsAt = timestamppb.New(g.StartsAt), timestamppb.New(g.EndsAt)
	}
	if g.EndedAt != nil && g.WithdrawnAt == nil {
		out.EndedAt = timestamppb.New(*g.EndedAt)
	}
	if g.RevokedAt != nil {
		out.RevokedAt = timestamppb.New(*g.RevokedAt)
	}
	return out, nil
}

// period is nil when neither end is set.
func period(start, end *timestamppb.Timestamp) (*grant.Stretch, error) {
	switch {
	case start == nil && end == nil:
		return nil, nil
	case start == nil:
		return nil, apperr.Invalid("period_start", "is missing: a period has both ends or none")
	case end == nil:
		return nil, apperr.Invalid("period_end", "is missing: a period has both ends or none")
	}
	starts, err := moment("period_start", start)
	if err != nil {
		return nil, err
	}
	ends, err := moment("period_end", end)
	if err != nil {
		return nil, err
	}
	if !ends.After(starts) {
		return nil, apperr.Invalid("period_end", "is not after period_start")
	}
	return &grant.Stretch{Starts: starts, Ends: ends}, nil
}

// moment has the database's precision, so that what is answered is what is stored.
func moment(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if err := t.CheckValid(); err != nil {
		return time.Time{}, apperr.Invalid(field, "is not a time")
	}
	return t.AsTime().Truncate(time.Microsecond), nil
}

// parseID cannot fail on a validated request.
func parseID(field, text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.UUID{}, apperr.Invalid(field, "is not a UUID")
	}
	return id, nil
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}
