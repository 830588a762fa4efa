package service

import (
	"context"

	"makegood.example/services/payments/internal/payment"
)

// ListBalance reads one page of Stripe's balance transactions, newest first.
// Errors: payment.ErrUnreachable.
func (s *Service) ListBalance(ctx context.Context, w payment.Window, after string) (page []payment.BalanceTransaction, next string, err error) {
	page, next, err = s.Stripe.ListBalance(ctx, w, after)
	if err != nil {
		return nil, "", s.noPage(ctx, after, err)
	}
	return page, next, nil
}
