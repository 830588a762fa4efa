// Command gateway runs the edge: REST, the customer's pages, the webhook
// entrance, and the admin listener.
package main

import (
	"context"
	"os"

	"makegood.example/gateway"
	"makegood.example/services/platform/process"
)

func main() {
	process.Main("gateway", func(ctx context.Context, rt process.Runtime) error {
		cfg, err := gateway.LoadConfig(os.LookupEnv)
		if err != nil {
			return err
		}
		return gateway.Run(ctx, cfg, rt)
	}, gateway.Healthy)
}
