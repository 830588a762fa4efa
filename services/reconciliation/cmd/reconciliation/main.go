// Command reconciliation runs the Reconciliation service.
package main

import (
	"context"
	"os"

	"makegood.example/services/platform/host"
	"makegood.example/services/platform/process"
	"makegood.example/services/reconciliation"
)

func main() {
	process.Main("reconciliation", func(ctx context.Context, rt process.Runtime) error {
		cfg, err := reconciliation.LoadConfig(os.LookupEnv)
		if err != nil {
			return err
		}
		return reconciliation.Run(ctx, cfg, rt)
	}, host.Healthy("reconciliation"))
}
