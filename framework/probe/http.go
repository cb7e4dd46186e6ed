package probe

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody is how much of an HTTP answer is read, in bytes.
const maxBody = 64 << 10

// simulatedHeader is that of answers in a test cluster whose server owns up to standing only
// for a real one.
const simulatedHeader = "Conformance-Simulated"

// HTTP sends one request, over TLS for https, and reads the answer. It follows no redirect:
// that is another connection.
func HTTP(ctx context.Context, address string, o ConnectOptions) Connection {
	ctx, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	d := &dialer{options: o, result: Connection{Target: withoutUser(address)}}
	target, err := url.Parse(address)
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		d.fail(StepHTTP, 0, &Trouble{Kind: Other, Message: "no http or https URL: " + short(withoutUser(address))})
		return d.result
	}
	connection := d.reach(ctx, target)
	if connection == nil {
		return d.result
	}
	defer connection.Close()
	if target.Scheme == "https" {
		secured := d.secure(ctx, connection, target.Hostname())
		if secured == nil {
			return d.result
		}
		connection = secured
	}
	d.ask(ctx, connection, target)
	return d.result
}

// reach connects to the target's host, or to the proxy and through it.
func (d *dialer) reach(ctx context.Context, target *url.URL) net.Conn {
	if d.options.Proxy == "" {
		return d.dial(ctx, hostPort(target))
	}
	proxy, err := url.Parse(d.options.Proxy)
	if err != nil || proxy.Host == "" {
		return d.fail(StepProxy, 0, &Trouble{Kind: Other, Message: "no URL of a proxy: " + short(withoutUser(d.options.Proxy))})
	}
	connection := d.dial(ctx, hostPort(proxy))
	if connection == nil || target.Scheme == "http" {
		return connection
	}
	started := time.Now()
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: hostPort(target)}, Host: hostPort(target), Header: http.Header{}}
	authorize(request, proxy)
	limit(ctx, connection)
	answer, err := exchange(connection, request)
	if err != nil {
		connection.Close()
		return d.fail(StepProxy, time.Since(started), err)
	}
	if answer.StatusCode != http.StatusOK {
		connection.Close()
		return d.fail(StepProxy, time.Since(started), &Trouble{Kind: BadStatus, Message: "the proxy answers " + answer.Status})
	}
	d.did(StepProxy, time.Since(started), withoutUser(d.options.Proxy))
	return connection
}

// ask sends the request and reads the answer.
func (d *dialer) ask(ctx context.Context, connection net.Conn, target *url.URL) {
	started := time.Now()
	method := d.options.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(d.options.Body))
	if err != nil {
		d.fail(StepHTTP, 0, err)
		return
	}
	for name, values := range d.options.Header {
		request.Header[name] = values
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "conformance-probe")
	}
	request.Close = true
	limit(ctx, connection)
	send := request.Write
	if d.options.Proxy != "" && target.Scheme == "http" {
		send = request.WriteProxy
		if proxy, err := url.Parse(d.options.Proxy); err == nil {
			authorize(request, proxy)
		}
	}
	if err := send(connection); err != nil {
		d.fail(StepHTTP, time.Since(started), err)
		return
	}
	answer, err := http.ReadResponse(bufio.NewReader(connection), request)
	if err != nil {
		d.fail(StepHTTP, time.Since(started), err)
		return
	}
	defer answer.Body.Close()
	d.result.Body, _ = io.ReadAll(io.LimitReader(answer.Body, maxBody))
	d.result.Status, d.result.Date = answer.StatusCode, answer.Header.Get("Date")
	d.result.Simulated = short(answer.Header.Get(simulatedHeader))
	d.result.Challenge = short(answer.Header.Get("Www-Authenticate"))
	if !d.expected(answer.StatusCode) {
		d.fail(StepHTTP, time.Since(started), &Trouble{Kind: BadStatus, Message: "the server answers " + answer.Status})
		return
	}
	d.did(StepHTTP, time.Since(started), answer.Status)
}

func (d *dialer) expected(status int) bool {
	if d.options.Status != 0 {
		return status == d.options.Status
	}
	return status < http.StatusInternalServerError
}

// exchange sends a request without body and reads the head of its answer.
func exchange(connection net.Conn, request *http.Request) (*http.Response, error) {
	if err := request.Write(connection); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(connection), request)
}

// authorize adds the credentials that a proxy's URL holds.
func authorize(request *http.Request, proxy *url.URL) {
	if proxy.User == nil {
		return
	}
	password, _ := proxy.User.Password()
	credentials := base64.StdEncoding.EncodeToString([]byte(proxy.User.Username() + ":" + password))
	request.Header.Set("Proxy-Authorization", "Basic "+credentials)
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = strconv.Itoa(map[string]int{"http": 80, "https": 443}[u.Scheme])
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// withoutUser renders a URL without credentials and query.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Sprintf("a URL of %d characters", len(address))
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}
