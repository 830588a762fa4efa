package service

import (
	"context"
	"strings"
	"time"

	"makegood.example/services/notifications/internal/message"
)

// FindMessages reads the messages that there are under these keys, and the replies to
// an address that are about no order; and since when the mail server cannot be used,
// nil while it can.
func (s *Service) FindMessages(ctx context.Context, dedupeKeys []string, repliesTo string) ([]message.Message, *time.Time, error) {
	failing, err := s.Store.ServerFailingSince(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, err := s.Store.Find(ctx, dedupeKeys)
	if err == nil && strings.TrimSpace(repliesTo) != "" {
		var replies []message.Message
		replies, err = s.Store.RepliesTo(ctx, repliesTo)
		found = append(found, replies...)
	}
	for i := range found {
		if err == nil && found[i].Kind == message.SupportReply {
			var l message.Letter
			l, err = s.Store.Letter(ctx, found[i].ID)
			found[i].Letter = &l
		}
	}
	return found, failing, err
}
