package service

import (
	"context"
	"time"

	"makegood.example/services/reconciliation/internal/clients"
	"makegood.example/services/reconciliation/internal/desk"
)

// orderStanding is how an order stands, for what is done about it and for the audit: no
// personal data.
type orderStanding struct {
	OrderID        string `json:"order_id"`
	ReferenceShort string `json:"reference_short"`
	State          string `json:"state"`
	RecoveredBy    string `json:"recovered_by,omitempty"`
	ChargeID       string `json:"charge_id,omitempty"`
	RefundedMinor  int64  `json:"refunded_minor,omitempty"`
	// Access: Provisioning shows that what it bought can be used.
	Access      bool      `json:"access"`
	AccessUntil time.Time `json:"access_until,omitzero"`
	// NoAccess says why there is none, when Provisioning says so.
	NoAccess string `json:"no_access,omitempty"`
	// TermOver: what it bought was given, and its time is up.
	TermOver bool `json:"term_over,omitempty"`
	// Withdrawn: Provisioning shows that its access was taken back.
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Mail is the message that tells of the access, and whether Notifications has it.
	Mail      clients.Message `json:"-"`
	MailKnown bool            `json:"mail_known"`
}

func (st orderStanding) paid() bool {
	switch st.State {
	case "CHARGED", "ORPHANED", "COMPLETE", "RECOVERED", "REFUNDED":
		return true
	}
	return false
}

func (st orderStanding) fulfilled() bool { return st.State == "COMPLETE" || st.State == "RECOVERED" }

func (st orderStanding) named() string {
	if st.ReferenceShort == "" {
		return "order " + st.OrderID
	}
	return "order " + st.ReferenceShort
}

// standingOf reads how an order stands. Errors: desk.ErrOrderNotFound.
func (s *Service) standingOf(ctx context.Context, orderID string) (orderStanding, error) {
	d, err := s.Orders.Standing(ctx, orderID)
	if err != nil {
		return orderStanding{}, err
	}
	if d == nil {
		return orderStanding{}, desk.ErrOrderNotFound
	}
	o := d.GetOrder()
	st := orderStanding{
		OrderID: o.GetId(), ReferenceShort: o.GetReferenceShort(), State: o.GetState().String(), RecoveredBy: o.GetRecoveredBy(),
		ChargeID: d.GetChargeId(), RefundedMinor: d.GetRefundedMinor(),
	}
	if !st.paid() {
		return st, nil
	}
	if err := s.accessOf(ctx, &st); err != nil {
		return st, err
	}
	return st, s.mailOf(ctx, d.GetOrder().GetCompletedAt() != nil, &st, func() (clients.Message, bool, error) { return s.Orders.ConfirmationOf(ctx, d) })
}

// accessOf asks Provisioning, and nobody else, whether there is access.
func (s *Service) accessOf(ctx context.Context, st *orderStanding) error {
	grants, err := s.Provisioning.Grants(ctx, st.OrderID)
	if err != nil {
		return err
	}
	g := grants[st.OrderID]
	switch {
	case g == nil:
		return nil
	case g.GetRevokedAt() != nil:
		st.Withdrawn, st.NoAccess = true, "Provisioning shows that its access was withdrawn"
		return nil
	case !g.GetEndsAt().AsTime().After(s.now()):
		st.TermOver, st.NoAccess = true, "the access that it bought ended on "+g.GetEndsAt().AsTime().UTC().Format("2006-01-02")
		return nil
	}
	active, err := s.Provisioning.Active(ctx, g.GetAccountId())
	if err != nil {
		return err
	}
	if !active {
		st.NoAccess = "Provisioning shows that its account may not use the product now: its subscription is paused or over"
		return nil
	}
	st.Access, st.AccessUntil = true, g.GetEndsAt().AsTime()
	return nil
}

func (s *Service) mailOf(ctx context.Context, completed bool, st *orderStanding, confirmation func() (clients.Message, bool, error)) error {
	if !completed {
		return nil
	}
	m, found, err := confirmation()
	if err != nil || !found {
		return err
	}
	known, err := s.Notifications.Known(ctx, []string{m.DedupeKey})
	st.Mail, st.MailKnown = m, known[m.DedupeKey]
	return err
}

// showOrder adds the order as it is now; what was done is true without it too.
func (s *Service) showOrder(ctx context.Context, orderID string, out *Acted) {
	if orderID == "" {
		return
	}
	d, err := s.Orders.Standing(ctx, orderID)
	if err != nil {
		s.Log.WarnContext(ctx, "the order of an action cannot be shown", "order_id", orderID, "error", err)
		return
	}
	out.Order = d.GetOrder()
}
