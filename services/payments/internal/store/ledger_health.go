package store

import (
	"context"
	"time"

	"makegood.example/services/payments/internal/store/db"
)

// LedgerHealth is whether events arrive and find whom they are for.
type LedgerHealth struct {
	// LastHour are the events received within an hour, LastHourOrphaned those of them
	// that found nobody.
	LastHour, LastHourOrphaned int64
	// DeliveredAt is when the newest came that Stripe delivered; nil when none did.
	DeliveredAt *time.Time
	// Struggling are the events that several handlings could not finish; the oldest
	// came at StrugglingSince.
	Struggling      int64
	StrugglingSince *time.Time
}

// LedgerHealth reads it, of the hour before now.
func (s *Store) LedgerHealth(ctx context.Context, now time.Time) (h LedgerHealth, err error) {
	q := db.New(s.pool)
	row, err := q.GetLedgerHealth(ctx, now.Add(-time.Hour))
	if err != nil {
		return h, err
	}
	h.LastHour, h.LastHourOrphaned, h.Struggling = row.LastHourEvents, row.LastHourOrphaned, row.StrugglingEvents
	delivered, err := q.GetLastDelivery(ctx)
	if err != nil {
		return h, err
	}
	if len(delivered) > 0 {
		h.DeliveredAt = &delivered[0]
	}
	since, err := q.GetStrugglingSince(ctx)
	if len(since) > 0 {
		h.StrugglingSince = &since[0]
	}
	return h, err
}
