package service

import (
	"context"
	"errors"
	"net/url"
	"time"

	render "makegood.example/services/notifications/internal/mail"
	"makegood.example/services/notifications/internal/message"
)

// refundPatience is how long a refund's mail waits for the refund's reference:
// the money is told without it rather than never.
const refundPatience = 30 * time.Minute

// facts gathers what the mail is about. A mail without its facts would only
// raise questions, so a missing one is an error.
func (s *Service) facts(ctx context.Context, m message.Message, o message.Order) (f render.Facts, err error) {
	f = render.Facts{
		Kind: string(m.Kind), OfRenewal: m.OfRenewal(), Now: s.Now(), Name: o.Name, PlanName: o.PlanName,
		AmountDisplay: o.AmountDisplay, NothingDue: o.NothingDue, ReferenceShort: o.ReferenceShort, AccessUntil: o.AccessUntil,
		Refused: o.State == "FAILED", RefundedDisplay: o.RefundedDisplay, NetDisplay: o.NetDisplay, AccessEnds: o.State == "REFUNDED",
		Renews: o.Renews, Subscription: o.Subscription, ChargedAt: o.ChargedAt,
	}
	if m.Kind == message.DuplicateRefunded && !o.SecondOfTwo {
		f.Kind = string(message.Refund) // the first payment does not stand any more
	}
	if f.PlanName == "" || f.AmountDisplay == "" || f.ReferenceShort == "" {
		return f, errors.New("orders does not say plan, amount and reference")
	}
	if (m.Kind.HasLink() || m.Kind == message.Renewed) && f.AccessUntil.IsZero() {
		return f, errors.New("orders does not say until when there is access")
	}
	if m.OfRenewal() && o.Subscription != nil {
		if due := o.Subscription.Due(); due != nil && due.AmountDisplay == "" {
			return f, errors.New("orders does not say what the renewal asks for")
		}
	}
	if m.Kind.HasPage() {
		return f, s.page(&f, o)
	}
	if m.Kind.OfRefund() {
		f.Refunds, err = s.refunds(ctx, m, o)
		return f, err
	}
	if !m.Kind.HasLink() {
		return f, nil
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

// page adds where a buyer sees how their order stands, by when they were told that
// there is access, and where the refund that is offered can be taken.
func (s *Service) page(f *render.Facts, o message.Order) error {
	if o.Reference == "" {
		return errors.New("orders does not say the reference")
	}
	page := s.PublicURL + "/payment-issue?ref=" + url.QueryEscape(o.Reference)
	f.PromiseBy, f.MissedBy, f.StatusURL = o.PromiseBy, o.MissedBy, page
	if o.RefundToken != "" {
		f.RefundURL, f.RefundUntil = page+"&refund="+url.QueryEscape(o.RefundToken), o.RefundUntil
	}
	return nil
}

// refunds lists what went back with Stripe's references, if they make up what
// Orders says: one of the two is told first, and the other soon after.
func (s *Service) refunds(ctx context.Context, m message.Message, o message.Order) ([]message.Refunded, error) {
	list, err := s.Payments.Refunds(ctx, m.OrderID)
	var sum int64
	for _, r := range list {
		sum += r.AmountMinor
	}
	if err == nil && sum != o.RefundedMinor {
		err = errors.New("the refunds that payments lists are not what orders says went back")
	}
	switch {
	case err == nil:
		return list, nil
	case s.Now().Sub(m.CreatedAt) < refundPatience:
		return nil, err
	}
	s.Log.WarnContext(ctx, "a refund is told without its reference", "order_id", m.OrderID, "error", err)
	return nil, nil
}
