package gateway

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"makegood.example/services/platform/config"
)

// Healthy asks the gateway that runs here with the settings of the environment
// whether it is alive. That it is, is all: with every service down it still has
// something true to say.
func Healthy(ctx context.Context) error {
	cfg, err := LoadConfig(os.LookupEnv)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+config.Dialable(cfg.HTTPAddr)+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}
