// Command orders runs the Orders service.
package main

import (
	"context"
	"os"

	"makegood.example/services/orders"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/process"
)

func main() {
	process.Main("orders", func(ctx context.Context, rt process.Runtime) error {
		cfg, err := orders.LoadConfig(os.LookupEnv)
		if err != nil {
			return err
		}
		return orders.Run(ctx, cfg, rt)
	}, host.Healthy("orders"))
}
