// Command payments runs the Payments service.
package main

import (
	"context"
	"os"

	"makegood.example/services/payments"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/process"
)

func main() {
	process.Main("payments", func(ctx context.Context, rt process.Runtime) error {
		cfg, err := payments.LoadConfig(os.LookupEnv)
		if err != nil {
			return err
		}
		return payments.Run(ctx, cfg, rt)
	}, host.Healthy("payments"))
}
