package service

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/apperr"
)

// foundMax is how many orders one question finds: more than one person has.
const foundMax = 50

// By is by what orders are looked for; exactly one is set.
type By struct {
	Email, Reference, StripeName, AccountID string
	OrderID                                 uuid.UUID
}

// Found is an order with everything around it.
type Found struct {
	Description
	// Alias: it was found by an address, and has another one of the same mailbox.
	Alias bool
}

// FindOrders finds the orders that a customer's words may be about, newest first,
// and whether there are more. It changes nothing.
func (s *Service) FindOrders(ctx context.Context, by By) (found []Found, cut bool, err error) {
	list, err := s.find(ctx, by)
	if err != nil {
		return nil, false, err
	}
	if cut = len(list) > foundMax; cut {
		list = list[:foundMax]
	}
	for _, f := range list {
		d, err := s.Describe(ctx, f.ID)
		if errors.Is(err, order.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		found = append(found, Found{Description: d, Alias: f.Alias})
	}
	return found, cut, nil
}

func (s *Service) find(ctx context.Context, by By) ([]store.Found, error) {
	const limit = foundMax + 1
	switch {
	case by.Email != "":
		return s.Store.FindByMailbox(ctx, order.EmailKey(by.Email), limit)
	case by.Reference != "":
		first, last, ok := order.ReferencesBeginning(by.Reference)
		if !ok {
			return nil, apperr.Invalid("reference_prefix", "is not the beginning of a reference")
		}
		return s.Store.FindByReference(ctx, first, last, limit)
	case by.StripeName != "":
		return s.Store.FindByStripeName(ctx, by.StripeName, limit)
	case by.AccountID != "":
		return s.Store.FindByAccount(ctx, by.AccountID, limit)
	default:
		return []store.Found{{ID: by.OrderID}}, nil
	}
}
