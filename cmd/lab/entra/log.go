package entra

import (
	"log/slog"
	"net/http"
	"time"

	"aiv.internal/conformance/cmd/lab/web"
)

// logged writes one line for each request, with neither its query nor its body: both may hold
// codes and secrets.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := web.Record(w)
		next.ServeHTTP(recorder, r)
		log.Info("request", "method", r.Method, "host", r.Host, "path", r.URL.Path, "from", r.RemoteAddr,
			"status", recorder.Status, "took", time.Since(started).Round(time.Millisecond))
	})
}
