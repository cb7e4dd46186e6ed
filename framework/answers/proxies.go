package answers

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Proxies are the company's proxies.
type Proxies struct {
	// Proxy for http:// addresses.
	HTTP string `yaml:"http" form:"url" example:"http://proxy.aiv.internal:3128"`
	// Proxy for https:// addresses.
	HTTPS string `yaml:"https" form:"url" example:"http://proxy.aiv.internal:3128"`
	// Names and networks that are reached without a proxy.
	No []string `yaml:"no" example:".aiv.internal"`
}

// ForRequest returns the proxy that the runner sends a request through, nil for none: the
// answered one, or that of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) for what is not
// answered. It is for http.Transport's Proxy.
func (p Proxies) ForRequest(request *http.Request) (*url.URL, error) { return p.ForRunner(request.URL) }

// ForRunner is ForRequest for an address.
func (p Proxies) ForRunner(address *url.URL) (*url.URL, error) {
	config := httpproxy.FromEnvironment()
	if p.HTTP != "" {
		config.HTTPProxy = p.HTTP
		// Within a CGI script, the variable may be a client's; the answer is not.
		config.CGI = false
	}
	if p.HTTPS != "" {
		config.HTTPSProxy = p.HTTPS
	}
	if len(p.No) > 0 {
		config.NoProxy = strings.Join(p.No, ",")
	}
	return config.ProxyFunc()(address)
}

// ForPod returns the proxy that a pod reaches an address through, nil for none. Pods know
// nothing of the runner's environment.
func (p Proxies) ForPod(address *url.URL) (*url.URL, error) {
	config := httpproxy.Config{HTTPProxy: p.HTTP, HTTPSProxy: p.HTTPS, NoProxy: strings.Join(p.No, ",")}
	return config.ProxyFunc()(address)
}
