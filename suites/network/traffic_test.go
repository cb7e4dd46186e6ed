package network

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"aiv.internal/conformance/framework/finding"
)

// quiet is for proxies that a test breaks on purpose.
var quiet = log.New(io.Discard, "", 0)

func TestWebSocketIsKept(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	if err := proxyTo(t, backend, nil, nil, nil).keepIdle(t.Context(), 300*time.Millisecond); err != nil {
		t.Error(err)
	}
}

func TestDroppedUpgrade(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	v := proxyTo(t, backend, nil, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Upgrade")
			r.Header.Del("Connection")
			next.ServeHTTP(w, r)
		})
	}, nil)
	expectFailed(t, v.keepIdle(t.Context(), time.Minute), "426 Upgrade Required", "dropped the Upgrade header")
}

func TestRefusedUpgrade(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	v := proxyTo(t, backend, nil, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not here", http.StatusForbidden) })
	}, nil)
	expectFailed(t, v.keepIdle(t.Context(), time.Minute), "403 Forbidden", `"not here"`, "answers by itself")
}

func TestIdleWebSocketIsCut(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	v := proxyTo(t, backend, nil, nil, nil)
	v.address = impatient(t, v.address, time.Second)
	began := time.Now()
	expectFailed(t, v.keepIdle(t.Context(), time.Minute), "cut after 1 s")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// impatient passes connections on and closes those on which nothing is sent for a time.
func impatient(t *testing.T, target string, idle time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			end := time.AfterFunc(idle, func() { in.Close(); out.Close() })
			pass := func(to, from net.Conn) {
				block := make([]byte, 4096)
				for {
					n, err := from.Read(block)
					end.Reset(idle)
					if n > 0 {
						to.Write(block[:n])
					}
					if err != nil {
						in.Close()
						out.Close()
						return
					}
				}
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	return listener.Addr().String()
}

func TestLargeBodyPasses(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	if err := proxyTo(t, backend, nil, nil, nil).upload(t.Context(), 20_000_000, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestLimitedBody(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	const most = 1_000_000
	refuse := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > most {
				w.Header().Set("Server", "front")
				w.Header().Set("Connection", "close")
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	expectFailed(t, proxyTo(t, backend, nil, refuse, nil).upload(t.Context(), 20_000_000, time.Minute), "413", "from server front", "limits the size")
	cutOff := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(io.LimitReader(r.Body, most)), most
			next.ServeHTTP(w, r)
		})
	}
	expectFailed(t, proxyTo(t, backend, nil, cutOff, nil).upload(t.Context(), 20_000_000, time.Minute), "only 1000000 bytes")
}

// TestSlowUpload: where the time is over while the body still flows, nobody has met a limit. One
// that stands still has.
func TestSlowUpload(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	taking := func(most int64) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				block := make([]byte, 64<<10)
				for taken := int64(0); taken < most; {
					n, err := r.Body.Read(block)
					if err != nil {
						return
					}
					taken += int64(n)
					time.Sleep(10 * time.Millisecond)
				}
				<-r.Context().Done()
			})
		}
	}
	const size = 200_000_000
	expectFinding(t, proxyTo(t, backend, nil, taking(size), nil).upload(t.Context(), size, 3*time.Second), "undecided", "MB/s", "in 3s", "still being taken")
	expectFinding(t, proxyTo(t, backend, nil, taking(1_000_000), nil).upload(t.Context(), size, 3*time.Second), "failed", "no answer in time", "limits")
}

// TestUploadWithoutAnAnswer: where all of it was taken, the time was not too short for it.
func TestUploadWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	const within = 6 * time.Second
	late := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(within * 4 / 5)
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		})
	}
	expectFinding(t, proxyTo(t, backend, nil, late, nil).upload(t.Context(), 20_000_000, within), "failed", "no answer in time", "after 20000000 bytes")
}

func TestEventsComeOneByOne(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	arrived, err := proxyTo(t, backend, nil, nil, nil).events(t.Context(), eventCount)
	if err := judgeEvents(arrived, err); err != nil {
		t.Error(err)
	}
}

func TestBufferedEvents(t *testing.T) {
	t.Parallel()
	backend, _ := backendHere(t)
	v := proxyTo(t, backend, nil, nil, func(proxy *httputil.ReverseProxy) {
		proxy.ModifyResponse = func(answer *http.Response) error {
			whole, err := io.ReadAll(answer.Body)
			answer.Body = io.NopCloser(bytes.NewReader(whole))
			return err
		}
	})
	arrived, err := v.events(t.Context(), eventCount)
	expectFailed(t, judgeEvents(arrived, err), "all 6 came within", "until it is complete")
	expectFailed(t, judgeEvents(arrived[:2], nil), "2 of 6", "ended early")
}

func TestBothLimitsAreSaid(t *testing.T) {
	limit, buffer := finding.Failed("a", "too large", "w", "d"), finding.Failed("b", "all at once", "w", "d")
	expectFailed(t, both(limit, buffer), "too large", "all at once")
	expectFailed(t, both(finding.NotDecided("a", "interrupted", "w", "d"), buffer), "all at once")
	if both(nil, nil) != nil || both(limit, nil) == nil {
		t.Error("an error came from nowhere, or got lost")
	}
}

func expectFailed(t *testing.T, err error, words ...string) {
	t.Helper()
	f := finding.As(err)
	if f == nil || f.Undecided || f.Why == "" || f.Do == "" {
		t.Fatalf("%v", err)
	}
	for _, word := range words {
		if !strings.Contains(f.Error(), word) {
			t.Errorf("the message lacks %q:\n%v", word, f)
		}
	}
}
