package service

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"makegood.example/services/orders/internal/order"
	"makegood.example/services/orders/internal/plans"
	"makegood.example/services/orders/internal/store"
	"makegood.example/services/platform/apperr"
	"makegood.example/services/platform/grpcclient"
)

// Placement is what a buyer asks for.
type Placement struct {
	Reference     uuid.UUID
	PlanID        string
	Email         string
	Name          string
	PaymentMethod string
	Checkout      order.Checkout // empty: decided by the payment method
	Currency      string         // empty: the plan's first
	AccountID     string
	AllowRepeat   bool
	// ByBackend says that the caller may name an account.
	ByBackend bool
	ClientIP  string
}

// Place writes the order before anything is charged, then advances it. The
// same reference again is the same order.
func (s *Service) Place(ctx context.Context, p Placement) (order.Order, error) {
	wanted, err := s.orderFor(p)
	if err != nil {
		return order.Order{}, err
	}
	existing, err := s.Store.Get(ctx, wanted.ID)
	if errors.Is(err, order.ErrNotFound) {
		if err := s.admit(ctx, p, wanted); err != nil {
			return order.Order{}, err
		}
		wanted.Promise(wanted.CreatedAt, s.recovery(ctx))
		if err = s.write(ctx, p, wanted); err == nil {
			return s.advanceForBuyer(ctx, wanted.ID)
		}
		if !errors.Is(err, store.ErrChanged) {
			return order.Order{}, err
		}
		existing, err = s.Store.Get(ctx, wanted.ID) // the same key at the same moment
	}
	if err != nil {
		return order.Order{}, err
	}
	return s.resume(ctx, existing, wanted)
}

// resume answers a repeated key with the order as it is now; its buyer is here
// again, so it may go on.
func (s *Service) resume(ctx context.Context, o, wanted order.Order) (order.Order, error) {
	if o.PlanID != wanted.PlanID || o.Currency != wanted.Currency || o.EmailKey != wanted.EmailKey ||
		o.AccountID != wanted.AccountID || o.Checkout != wanted.Checkout {
		return order.Order{}, order.ErrKeyReused
	}
	if o.State.AtRest() {
		return o, nil
	}
	if o.State == order.Pending {
		was := o
		o.SubmittedAt = s.Now()
		err := s.Store.InTx(ctx, func(tx pgx.Tx) error {
			return s.Store.Update(ctx, tx, was, o, order.ByRequest, "", o.SubmittedAt)
		})
		if err != nil && !errors.Is(err, store.ErrChanged) {
			return order.Order{}, err
		}
	}
	return s.advanceForBuyer(ctx, o.ID)
}

// orderFor is the order that a placement asks for. Errors: INVALID_ARGUMENT.
func (s *Service) orderFor(p Placement) (order.Order, error) {
	plan, price, err := s.Plans.Find(p.PlanID, strings.ToUpper(p.Currency))
	switch {
	case plans.IsNoPrice(err):
		return order.Order{}, apperr.Invalid("currency", err.Error())
	case err != nil:
		return order.Order{}, apperr.Invalid("plan_id", err.Error())
	}
	if err := order.CheckEmail(strings.TrimSpace(p.Email)); err != nil {
		return order.Order{}, apperr.Invalid("email", err.Error())
	}
	checkout := p.Checkout
	switch {
	case checkout != "":
	case plan.Renews:
		checkout = order.Hosted
	case p.PaymentMethod != "":
		checkout = order.Server
	default:
		checkout = order.Client
	}
	switch {
	case plan.Renews && checkout != order.Hosted:
		return order.Order{}, apperr.Invalid("checkout", "a plan that renews is bought on Stripe's page: HOSTED")
	case plan.Renews && p.PaymentMethod != "":
		return order.Order{}, apperr.Invalid("payment_method", "a plan that renews is bought on Stripe's page, where the buyer names it")
	case checkout == order.Server && p.PaymentMethod == "":
		return order.Order{}, apperr.Invalid("payment_method", "is needed for a payment that is confirmed here")
	case checkout != order.Server && p.PaymentMethod != "":
		return order.Order{}, apperr.Invalid("payment_method", "the buyer names it when they confirm")
	case p.AccountID != "" && !p.ByBackend:
		return order.Order{}, apperr.Invalid("account_id", "needs a service token")
	}
	now, id := s.Now(), order.IDFor(p.Reference)
	due := now.Add(s.Settings.RescueAfter)
	return order.Order{
		ID: id, Reference: p.Reference, Kind: order.Purchase, State: order.Pending,
		PlanID: plan.ID, PlanName: plan.Name, TermMonths: plan.TermMonths, Renews: plan.Renews,
		AmountMinor: price.AmountMinor, Currency: price.Currency,
		Email: strings.TrimSpace(p.Email), EmailKey: order.EmailKey(p.Email), Name: strings.TrimSpace(p.Name),
		AccountID: p.AccountID, Checkout: checkout, AllowRepeat: p.AllowRepeat, CreatedAt: now,
		AttemptID: order.FirstAttempt(id), PaymentMethod: p.PaymentMethod, SubmittedAt: now, PaymentStatus: order.Unknown, NextLookAt: &due,
	}, nil
}

// admit asks, before anything is written or charged, whether this purchase may
// be made and whether what follows a charge will be accepted.
func (s *Service) admit(ctx context.Context, p Placement, o order.Order) error {
	if err := s.mayCharge(ctx, store.Submission{OrderID: o.ID, EmailKey: o.EmailKey, ClientIP: p.ClientIP}); err != nil {
		return err
	}
	if err := s.Notifications.CheckAddress(ctx, o.Email); grpcclient.Unreachable(err) {
		// Mail that is down never stops a purchase; the form was checked already.
		s.Log.WarnContext(ctx, "the address could not be checked", "order_id", o.ID, "error", err)
	} else if e := apperr.Of(err); e != nil && len(e.Violations) > 0 {
		return apperr.Invalid("email", e.Violations[0].Description)
	} else if err != nil {
		return err
	}
	if o.AccountID != "" {
		return s.Provisioning.CheckAccount(ctx, o.AccountID)
	}
	return nil
}

// mayCharge refuses while charging is paused or there were too many attempts.
func (s *Service) mayCharge(ctx context.Context, sub store.Submission) error {
	paused, err := s.Store.ChargingPaused(ctx)
	if err != nil {
		return err
	}
	if paused {
		return order.ErrChargesPaused
	}
	n, err := s.Store.CountSubmissions(ctx, sub, s.Now().Add(-limitWindow))
	if err != nil {
		return err
	}
	if n.ByOrder >= int64(s.Settings.LimitPerOrder) || n.ByEmail >= int64(s.Settings.LimitPerEmail) || n.ByIP >= int64(s.Settings.LimitPerIP) {
		return order.ErrTooMany
	}
	return nil
}

// write commits the intent, after the pages of Stripe's that the buyer left open for
// the same were closed there: paid on one of them as well, it would be paid twice. Of
// a plan that renews two would be two subscriptions, each charged year after year: so
// its intent is written only when none is open, and from then on the new order refuses
// every other. For what is paid once nobody is sent away because it is not certain
// that a page is closed.
// Errors: ErrDuplicate, ErrStillOpen; store.ErrChanged when the same key was written at the
// same moment.
func (s *Service) write(ctx context.Context, p Placement, o order.Order) error {
	onePage := !o.AllowRepeat
	for range maxSteps {
		open, err := s.writeUnlessOpen(ctx, p, o, onePage)
		if err != nil || len(open) == 0 {
			return err
		}
		for _, id := range open {
			err := s.closePage(ctx, id)
			if err != nil && !o.Renews {
				s.Log.WarnContext(ctx, "a page that was left open may still be paid", "order_id", id, "error", err)
				onePage = false
			} else if err != nil {
				return err
			}
		}
	}
	return order.ErrStillOpen
}

var errOpenPages = errors.New("pages of the same buyer for the same are open")

// writeUnlessOpen writes the intent, or, when there is to be one page, lists those to
// close before.
func (s *Service) writeUnlessOpen(ctx context.Context, p Placement, o order.Order, onePage bool) (open []uuid.UUID, err error) {
	err = s.unlessBought(ctx, o, func(tx pgx.Tx) (err error) {
		// Written first: a repeat of a key that is written already closes no page.
		if err := s.Store.Insert(ctx, tx, o, order.ByRequest, "order written; nothing charged yet"); err != nil {
			return err
		}
		if onePage {
			if open, err = s.Store.OpenPages(ctx, tx, o); err != nil {
				return err
			}
			if len(open) > 0 {
				return errOpenPages // nothing is written
			}
		}
		return s.Store.InsertSubmission(ctx, tx, s.submission(o, p.ClientIP))
	})
	if errors.Is(err, errOpenPages) {
		return open, nil
	}
	return nil, err
}

// closePage makes sure that an order which waits on a page of Stripe's can no
// longer be paid there. If it was paid meanwhile, it is fulfilled. Errors:
// ErrStillOpen when nobody can say that it is closed.
func (s *Service) closePage(ctx context.Context, id uuid.UUID) error {
	ctx, cancel := detach(ctx)
	defer cancel()
	o, err := s.Store.Get(ctx, id)
	if err != nil || !o.WaitsForBuyer() {
		return err
	}
	m, err := s.Payments.Cancel(ctx, o)
	if err != nil {
		return order.ErrStillOpen.Because(err)
	}
	if o, err = s.Advance(ctx, id, order.ByRequest, &m); err != nil {
		return err
	}
	if o.WaitsForBuyer() {
		return order.ErrStillOpen
	}
	return nil
}

func (s *Service) submission(o order.Order, clientIP string) store.Submission {
	return store.Submission{AttemptID: o.AttemptID, OrderID: o.ID, EmailKey: o.EmailKey, ClientIP: clientIP, At: s.Now()}
}
