package service

import (
	"context"

	ordersv1 "makegood.example/proto/gen/orders/v1"
	"makegood.example/services/reconciliation/internal/desk"
)

// aboutCharging is the subject of the switch.
const aboutCharging = "charging"

// SetCharging pauses or resumes new charges; recovery goes on while they are paused.
func (s *Service) SetCharging(ctx context.Context, a desk.Act, paused bool) (Acted, error) {
	step := desk.Step{What: "charges resumed"}
	if paused {
		step.What = "charges paused"
	}
	return s.act(ctx, a, deed{
		subjects: []string{aboutCharging},
		stands: func(ctx context.Context) any {
			now, err := s.Orders.Charging(ctx)
			if err != nil {
				return nil
			}
			return map[string]bool{"paused": now.GetPaused()}
		},
		do: func(ctx context.Context) (did, error) {
			now, err := s.Orders.Charging(ctx)
			if err != nil {
				return did{}, err
			}
			step.Outcome = a.Did()
			if now.GetPaused() == paused {
				step.Outcome, step.Note = desk.NotNeeded, "they are so already"
			} else if !a.DryRun {
				err = s.Orders.SetCharging(ctx, paused, a.Reason)
			}
			return did{steps: []desk.Step{step}}, err
		},
		show: func(ctx context.Context, out *Acted) error {
			now, err := s.Orders.Charging(ctx)
			if err != nil {
				return err
			}
			out.Charging = &ordersv1.SetChargingResponse{Paused: now.GetPaused(), Actor: now.GetActor(), At: now.GetAt()}
			if a.DryRun {
				out.Charging.Paused = paused
			}
			return nil
		},
	})
}
