// Command notifications runs the Notifications service.
package main

import (
	"context"
	"os"

	"makegood.example/services/notifications"
	"makegood.example/services/platform/host"
	"makegood.example/services/platform/process"
)

func main() {
	process.Main("notifications", func(ctx context.Context, rt process.Runtime) error {
		cfg, err := notifications.LoadConfig(os.LookupEnv)
		if err != nil {
			return err
		}
		return notifications.Run(ctx, cfg, rt)
	}, host.Healthy("notifications"))
}
