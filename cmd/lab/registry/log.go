package registry

import (
	"io"
	"log/slog"
	"net/http"
	"time"
)

// logged writes one line for each request. Header values, and with them credentials, are
// never among what it writes.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		user, _, _ := r.BasicAuth()
		log.Info("request", "method", r.Method, "path", r.URL.Path, "user", user, "from", r.RemoteAddr,
			"status", recorder.status, "bytes", recorder.bytes, "took", time.Since(started).Round(time.Millisecond))
	})
}

// statusRecorder remembers what was answered.
type statusRecorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(p []byte) (int, error) {
	n, err := s.ResponseWriter.Write(p)
	s.bytes += int64(n)
	return n, err
}

// ReadFrom keeps the kernel's way from file to socket open.
func (s *statusRecorder) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(s.ResponseWriter, r)
	s.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
