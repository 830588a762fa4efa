package service

import (
	"context"
	"errors"

	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
)

// facts gathers what the mail is about. A mail without its facts would only
// raise questions, so a missing one is an error.
func (s *Service) facts(ctx context.Context, m message.Message, o message.Order) (render.Facts, error) {
	f := render.Facts{
		Kind: string(m.Kind), Name: o.Name, PlanName: o.PlanName,
		AmountDisplay: o.AmountDisplay, ReferenceShort: o.ReferenceShort, AccessUntil: o.AccessUntil,
		Refused: o.State == "FAILED", RefundedDisplay: o.RefundedDisplay, AccessEnds: o.State == "REFUNDED",
	}
	if f.PlanName == "" || f.AmountDisplay == "" || f.ReferenceShort == "" {
		return f, errors.New("orders does not say plan, amount and reference")
	}
	if !m.Kind.HasLink() {
		return f, nil
	}
	if f.AccessUntil.IsZero() {
		return f, errors.New("orders does not say until when there is access")
	}
	link, err := s.Provisioning.SignInLink(ctx, m.OrderID)
	if err != nil {
		return f, err
	}
	if link.URL == "" {
		return f, errors.New("provisioning gives no link")
	}
	f.SignInURL, f.Activation, f.LinkExpires = link.URL, link.Activation, link.ExpiresAt
	return f, nil
}
