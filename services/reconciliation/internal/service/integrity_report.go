package service

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"makegood.example/services/platform/apperr"
	"makegood.example/services/reconciliation/internal/balance"
	"makegood.example/services/reconciliation/internal/disposition"
	"makegood.example/services/reconciliation/internal/run"
	"makegood.example/services/reconciliation/internal/store"
)

const (
	// maxDifferences bounds the differences that are listed; all are counted.
	maxDifferences = 1000
	// orderPage is how many charges are compared with their orders in one question.
	orderPage = 1000
)

// farAway is the end of all time, for comparisons.
var farAway = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// IntegrityReport adds up the charges and the movements of a window, and lists
// what does not fit. Zero times are all time. The sums come from what the sweep
// has kept, the movements are read up to now first.
func (s *Service) IntegrityReport(ctx context.Context, from, before time.Time) (balance.Report, error) {
	if !from.IsZero() && !before.IsZero() && !from.Before(before) {
		return balance.Report{}, apperr.Invalid("before", "is not after from")
	}
	now := s.now()
	b := s.bounds(from, before, now)
	gaps, err := s.readSoFar(ctx, &b, &sweep{progress: &run.Progress{}})
	if err != nil {
		return balance.Report{}, err
	}
	r, err := s.Store.Report(ctx, b, maxDifferences)
	if err != nil {
		return balance.Report{}, err
	}
	if err := s.compareOrders(ctx, b, &r); err != nil {
		gaps = append(gaps, "charges cannot be compared with their orders now: "+said(err))
	}
	r.From, r.Before, r.MadeAt, r.Incomplete = from, before, now, strings.Join(gaps, "; ")
	return r, nil
}

// bounds are those of a report; zero times are all time.
func (s *Service) bounds(from, before, now time.Time) store.Bounds {
	b := store.Bounds{From: from, Before: before, Now: now, OpenSince: now.Add(-s.Settings.Every)}
	if from.IsZero() {
		b.From = store.Beginning
	}
	if before.IsZero() {
		b.Before = farAway
	}
	return b
}

// readSoFar reads the newest movements, fills in how far things were read, and says
// what is missing.
func (s *Service) readSoFar(ctx context.Context, b *store.Bounds, w *sweep) (gaps []string, err error) {
	if err := s.readForReport(ctx, w); err != nil {
		gaps = append(gaps, "the newest movements of the balance cannot be read now")
	}
	end := b.Before
	if end.After(b.Now) {
		end = b.Now.Add(-2 * s.Settings.Every) // what is newer is on its way
	}
	var disputesBefore time.Time
	for _, c := range []struct {
		name, what string
		readBefore *time.Time
	}{{"charges", "charges", &b.ChargesBefore}, {"balance", "movements of the balance", &b.BalanceBefore}, {allDisputes, "disputes", &disputesBefore}} {
		readBefore, known, err := s.Store.Cursor(ctx, c.name)
		switch {
		case err != nil:
			return nil, err
		case !known:
			gaps = append(gaps, c.what+" have not been read yet")
		case readBefore.Before(end):
			gaps = append(gaps, fmt.Sprintf("%s have been read up to %s only", c.what, readBefore.Format(time.RFC3339)))
		}
		*c.readBefore = readBefore
	}
	// Stripe counts whole seconds: what was made in the cursor's own second may have
	// come after the reading.
	b.ChargesBefore = b.ChargesBefore.Truncate(time.Second)
	b.ChargesFrom = farAway
	pass, err := s.Store.FinishedPass(ctx)
	switch {
	case err != nil:
		return nil, err
	case pass == nil:
		gaps = append(gaps, "older charges have not all been read yet: the first deep pass is not over")
	default:
		b.PassFrom, b.PassStartedAt, b.ChargesFrom = pass.From, pass.StartedAt, pass.From
		if b.From.Before(pass.From) {
			switch read, err := s.Store.HasReadHistory(ctx); {
			case err != nil:
				return nil, err
			case read:
				b.ChargesFrom = store.Beginning
			default:
				gaps = append(gaps, fmt.Sprintf("charges from before %s have not all been read yet: that is done once, by and by", pass.From.Format(time.DateOnly)))
			}
		}
	}
	return gaps, nil
}

// comparedAtOnce is how many pages are compared at the same time.
const comparedAtOnce = 4

// compareOrders finds charges whose orders do not say, or no longer say, what
// Stripe says; by the page, some pages at once.
func (s *Service) compareOrders(ctx context.Context, b store.Bounds, r *balance.Report) error {
	for after, more := (store.OrderedPosition{}), true; more; {
		var pages [][]disposition.Charge
		for more && len(pages) < comparedAtOnce {
			page, last, err := s.Store.OrderedCharges(ctx, b.From, b.Before, after, orderPage)
			if err != nil {
				return err
			}
			pages = append(pages, page)
			after, more = last, len(page) == orderPage
		}
		orders := make([]map[string]disposition.Order, len(pages))
		asking, asked := errgroup.WithContext(ctx)
		for i, page := range pages {
			asking.Go(func() (err error) {
				if len(page) > 0 {
					orders[i], _, err = s.Orders.Find(asked, page)
				}
				return err
			})
		}
		if err := asking.Wait(); err != nil {
			return err
		}
		for i, page := range pages {
			comparePage(page, orders[i], r)
		}
	}
	return nil
}

// comparePage lists what differs between charges and their orders.
func comparePage(charges []disposition.Charge, orders map[string]disposition.Order, r *balance.Report) {
	differs := func(subject, what, currency string, expected, found int64) {
		if r.DifferenceCount++; len(r.Differences) < maxDifferences {
			r.Differences = append(r.Differences, balance.Difference{Subject: subject, What: what, Currency: currency, ExpectedMinor: expected, FoundMinor: found})
		}
	}
	for _, c := range charges {
		switch o, known := orders[c.ID]; {
		case !known:
			differs(c.ID, "order "+c.OrderID+" of the charge is not there", c.Currency, c.AmountMinor, 0)
		case o.AmountMinor != c.AmountMinor || o.Currency != c.Currency:
			differs(c.ID, fmt.Sprintf("order %s has another amount than its charge: in %s", o.ID, o.Currency), c.Currency, c.AmountMinor, o.AmountMinor)
		case o.PaidBy == c.ID && o.RefundedMinor != c.RefundedMinor:
			differs(c.ID, "refunded at the charge, and as order "+o.ID+" knows", c.Currency, c.RefundedMinor, o.RefundedMinor)
		}
	}
}

// ChargesByDay counts what became of the charges of the last days, UTC and today
// included, as the sweep has kept it.
func (s *Service) ChargesByDay(ctx context.Context, days int) ([]balance.DayCount, error) {
	return s.Store.ChargesByDay(ctx, s.now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-days))
}
