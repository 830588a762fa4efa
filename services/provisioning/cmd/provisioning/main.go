// Command provisioning runs the Provisioning service.
package main

import (
	"context"
	"os"

	"makegood.example/services/platform/host"
	"makegood.example/services/platform/process"
	"makegood.example/services/provisioning"
)

func main() {
	process.Main("provisioning", func(ctx context.Context, rt process.Runtime) error {
		cfg, err := provisioning.LoadConfig(os.LookupEnv)
		if err != nil {
			return err
		}
		return provisioning.Run(ctx, cfg, rt)
	}, host.Healthy("provisioning"))
}
