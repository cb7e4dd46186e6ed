package registry

import (
	"log/slog"
	"net/http"
	"time"

	"aiv.internal/conformance/cmd/lab/web"
)

// logged writes one line for each request. Header values, and with them credentials, are
// never among what it writes.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := web.Record(w)
		next.ServeHTTP(recorder, r)
		user, _, _ := r.BasicAuth()
		log.Info("request", "method", r.Method, "path", r.URL.Path, "user", user, "from", r.RemoteAddr,
			"status", recorder.Status, "bytes", recorder.Bytes, "took", time.Since(started).Round(time.Millisecond))
	})
}
