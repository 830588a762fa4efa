package edge

import "net/http"

// browserConfig tells a checkout page what it must know; nothing secret.
func browserConfig(cfg Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{
			"publishable_key": cfg.PublishableKey,
			"support_email":   cfg.SupportEmail,
			"app_name":        cfg.AppName,
		})
	})
}
