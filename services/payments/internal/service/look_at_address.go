package service

import (
	"context"

	"makegood.example/services/payments/internal/store"
)

// LookAtAddress handles an orphaned event again when its address has been proven
// since: Provisioning knows that, and tells nobody.
func (s *Service) LookAtAddress(ctx context.Context, a store.Awaited) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	var w whose
	if err := s.byProvenEmail(ctx, a.Address, &w); err != nil || !w.found() {
		return err
	}
	return s.Store.WakeOrphan(ctx, a.EventID, s.Now())
}

// ClaimAwaitedAddresses takes orphaned events whose address is due to be asked about.
func (s *Service) ClaimAwaitedAddresses(ctx context.Context, limit int) ([]store.Awaited, error) {
	return s.Store.ClaimAwaited(ctx, s.Now(), limit)
}
