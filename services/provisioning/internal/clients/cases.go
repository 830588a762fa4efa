// Package clients is how Provisioning reaches the other services.
package clients

import (
	"context"
	"time"

	"google.golang.org/grpc"

	reconciliationv1 "makegood.example/proto/gen/reconciliation/v1"
)

// timeout bounds a call.
const timeout = 3 * time.Second

// Cases opens cases for people, at Reconciliation.
type Cases struct {
	client reconciliationv1.ReconciliationServiceClient
}

// NewCases uses a connection to Reconciliation.
func NewCases(conn grpc.ClientConnInterface) *Cases {
	return &Cases{reconciliationv1.NewReconciliationServiceClient(conn)}
}

// HooksNotTaken opens the one case that says so, or counts one more report of it.
func (c *Cases) HooksNotTaken(ctx context.Context, summary string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := c.client.OpenCase(ctx, &reconciliationv1.OpenCaseRequest{
		Kind: reconciliationv1.Case_UNDELIVERED_HOOK, Subject: "access-hook", Summary: summary,
	})
	return err
}
