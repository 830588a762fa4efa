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

// Static serves bytes that do not change while the process lives.
func Static(contentType string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	})
}
