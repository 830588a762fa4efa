package store

import (
	"context"

	"makegood.example/services/payments/internal/payment"
	"makegood.example/services/payments/internal/store/db"
)

// CustomersOfPeople lists the Stripe customers that are known as those of some
// addresses.
func (s *Store) CustomersOfPeople(ctx context.Context, emailKeys []string) ([]string, error) {
	if len(emailKeys) == 0 {
		return nil, nil
	}
	return s.q().CustomersOfPeople(ctx, emailKeys)
}

// PaidPayments reads at most limit payments that are recorded as paid, newest
// first, by addresses, Stripe customers, charges and intents.
func (s *Store) PaidPayments(ctx context.Context, emailKeys, customers, charges, intents []string, limit int) ([]payment.Payment, error) {
	rows, err := s.q().PaidPayments(ctx, db.PaidPaymentsParams{
		EmailKeys: notNil(emailKeys), CustomerIds: notNil(customers), ChargeIds: notNil(charges), IntentIds: notNil(intents), RowLimit: int32(limit),
	})
	return fromPayments(rows), err
}
