package service

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	provisioningv1 "makegood.example/proto/gen/provisioning/v1"
	"makegood.example/services/reconciliation/internal/desk"
)

// aboutHooks is the subject of what is not about one account.
const aboutHooks = "access-hook"

// Hooks are changes of access that the SaaS's own app is to be told of again.
type Hooks struct {
	// AccountID is empty for all accounts.
	AccountID string
	Since     time.Time
	// Undelivered: of each account only from the first on that the app has not taken.
	Undelivered bool
}

// SendHooksAgain has the app told again. Asked for twice, the app is told twice under the
// same ids, which it knows again: nothing need stop the second wish. Errors: those of
// Provisioning.
func (s *Service) SendHooksAgain(ctx context.Context, a desk.Act, h Hooks) (Acted, error) {
	return s.act(ctx, a, deed{
		subjects: []string{nonEmpty(h.AccountID, aboutHooks)},
		do: func(ctx context.Context) (did, error) {
			n, err := s.Provisioning.ReplayHooks(ctx, &provisioningv1.ReplayHooksRequest{
				AccountId: h.AccountID, Since: timestamppb.New(h.Since), Undelivered: h.Undelivered, Reason: a.Reason, DryRun: a.DryRun,
			})
			step := desk.Step{What: "changes of access queued for the app again", Outcome: a.Did(), Note: hooksInWords(n, h)}
			if n == 0 {
				step.Outcome = desk.NotNeeded
			}
			return did{steps: []desk.Step{step}}, err
		},
	})
}

func hooksInWords(n int64, h Hooks) string {
	count := fmt.Sprintf("%d hooks", n)
	switch n {
	case 0:
		count = "there is none"
	case 1:
		count = "one hook"
	}
	what := ""
	if h.Undelivered {
		what = ", what the app has not taken and what came after that"
	}
	return count + " since " + h.Since.UTC().Format(time.RFC3339) + what
}
