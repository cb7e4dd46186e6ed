package entra

import (
	"log/slog"
	"net/http"
	"time"
)

// logged writes one line for each request, with neither its query nor its body: both may hold
// codes and secrets.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		log.Info("request", "method", r.Method, "host", r.Host, "path", r.URL.Path, "from", r.RemoteAddr,
			"status", recorder.status, "took", time.Since(started).Round(time.Millisecond))
	})
}

// statusRecorder remembers what was answered.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}
