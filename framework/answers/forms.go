package answers

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// They say so of an address; the text itself must not be shown.
var (
	errHoldsSecret = errors.New("it holds a password or user name: give user name and password under keys of their own")
	errSecretQuery = errors.New("its query holds a credential, for which only a reference has a place in this file: send it as a header, by reference")
)

// longestSlug leaves room for N.2. before it: together they are the value of a label, which has
// 63 characters at most.
const longestSlug = 59

// forms are the rules that a text field names in its "form" tag.
var forms = map[string]func(string) error{
	"url":        checkURL,
	"guid":       matching(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`, "ID; it is written aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"),
	"slug":       checkSlug,
	"env":        matching(`^[A-Za-z_][A-Za-z0-9_]*$`, "name of an environment variable"),
	"phone":      matching(`^\+?[0-9][0-9 ()/.-]{3,}[0-9]$`, "phone number; it is written +49 30 1234567"),
	"repository": matching(`^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$`, "path without a slash at either end"),
	"taint":      matching(`^[A-Za-z0-9./_-]+(=[A-Za-z0-9._-]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$`, "taint; it is written key=value:NoSchedule"),
	"cron":       matching(`^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|@every \S+|\S+( \S+){4})$`, "schedule of five fields (minute hour day month weekday) or @daily"),
	"version":    matching(`^v?\d+\.\d+(\.\d+)?([-+].*)?$`, "version; it is written 1.33 or 1.33.4"),
	"mail":       checkMail,
	"ip":         checkIP,
	"dnslabel":   validated(validation.IsDNS1123Label, "name of small letters, digits and hyphens"),
	"dnsname":    validated(validation.IsDNS1123Subdomain, "name of small letters, digits, hyphens and dots"),
	"dnsserver":  checkDNSServer,
	"hostport":   checkHostPort,
	"registry":   checkRegistry,
	"target":     checkTarget,
	"regexp":     checkRegexp,
	"selector":   checkSelector,
	"argument":   checkArgument,
	"evidence":   checkEvidence,
	"path":       func(string) error { return nil },
}

func matching(pattern, what string) func(string) error {
	re := regexp.MustCompile(pattern)
	return func(text string) error {
		if !re.MatchString(text) {
			return fmt.Errorf("%q is no %s", text, what)
		}
		return nil
	}
}

func validated(rule func(string) []string, what string) func(string) error {
	return func(text string) error {
		if len(rule(text)) > 0 {
			return fmt.Errorf("%q is no %s", text, what)
		}
		return nil
	}
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		// url.Error repeats the text, which may hold a password.
		if strings.Contains(text, "@") {
			return errHoldsSecret
		}
		return fmt.Errorf("%q is no web address", text)
	}
	if err := secretInURL(u); err != nil {
		return err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is no web address; it starts with https://", text)
	}
	return nil
}

// secretQuery recognises the parameters in which addresses carry a credential, beside those
// that secretName knows.
var secretQuery = regexp.MustCompile(`(?i)^(sig|pwd|pat)$|signature`)

// secretInURL refuses what would come back in reports and in the logs of proxies. A user name
// alone is refused too: it may be a token.
func secretInURL(u *url.URL) error {
	if u.User != nil {
		return errHoldsSecret
	}
	either := func(r rune) bool { return r == '&' || r == ';' }
	for _, pair := range append(strings.FieldsFunc(u.RawQuery, either), strings.FieldsFunc(u.Fragment, either)...) {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if value != "" && (secretName.MatchString(name) || secretQuery.MatchString(name)) {
			return errSecretQuery
		}
	}
	return nil
}

// checkEvidence lets any text through but a link with a credential.
func checkEvidence(text string) error {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return secretInURL(u)
	}
	return nil
}

// encrypted refuses an address without TLS to which a credential would be sent.
func encrypted(key, address string, credentials ...Secret) []problem {
	if !slices.ContainsFunc(credentials, Secret.IsSet) || !strings.HasPrefix(strings.ToLower(address), "http://") {
		return nil
	}
	return []problem{{key: key, text: "a credential is sent there, which anybody on the way could read: it needs an address that starts with https://"}}
}

var slugPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

func checkSlug(text string) error {
	if !slugPattern.MatchString(text) || len(text) > longestSlug {
		return fmt.Errorf("%q is no short name of small letters, digits and hyphens, with %d characters at most", text, longestSlug)
	}
	return nil
}

func checkMail(text string) error {
	if address, err := mail.ParseAddress(text); err != nil || address.Address != text {
		return fmt.Errorf("%q is no mail address", text)
	}
	return nil
}

func checkIP(text string) error {
	if _, err := netip.ParseAddr(text); err != nil {
		return fmt.Errorf("%q is no IP address", text)
	}
	return nil
}

func checkDNSServer(text string) error {
	if checkIP(text) == nil {
		return nil
	}
	if _, err := netip.ParseAddrPort(text); err != nil && checkHostPort(text) != nil && len(validation.IsDNS1123Subdomain(text)) > 0 {
		return fmt.Errorf("%q is no DNS server; it is written 10.0.0.53 or 10.0.0.53:5353", text)
	}
	return nil
}

func checkHostPort(text string) error {
	host, port, err := net.SplitHostPort(text)
	n, convErr := strconv.Atoi(port)
	if err != nil || convErr != nil || n < 1 || n > 65535 || checkIP(host) != nil && len(validation.IsDNS1123Subdomain(strings.ToLower(host))) > 0 {
		return fmt.Errorf("%q is no host with its port; it is written server.aiv.internal:443", text)
	}
	return nil
}

func checkRegistry(text string) error {
	if checkHostPort(text) == nil || checkIP(text) == nil || len(validation.IsDNS1123Subdomain(text)) == 0 {
		return nil
	}
	if strings.Contains(text, "@") {
		return errHoldsSecret
	}
	return fmt.Errorf("%q is no registry; it is written artifactory.aiv.internal or registry.aiv.internal:5000, without https:// and without a path", text)
}

func checkTarget(text string) error {
	if strings.Contains(text, "://") {
		return checkURL(text)
	}
	return checkHostPort(text)
}

// secretName recognises what credentials are called.
var secretName = regexp.MustCompile(`(?i)authorization|token|secret|passw|passphrase|credential|cookie|bearer|(api|access|private)[-_]?key`)

// secretText recognises what credentials look like.
var secretText = regexp.MustCompile(`^(Basic|Bearer) \S|-----BEGIN |^eyJ[\w-]+\.eyJ|^(glpat|ghp|xox[abp])[-_]|://[^/\s:@]*:[^/\s@]+@`)

var errArgument = errors.New("it holds a credential: set it as an environment variable from a secret reference, and write $(NAME) here")

// checkArgument refuses what everybody who may list pods could read.
func checkArgument(text string) error {
	name, value, given := strings.Cut(text, "=")
	if given && secretName.MatchString(name) && value != "" && !strings.HasPrefix(value, "$") || secretText.MatchString(text) {
		return errArgument
	}
	return nil
}

func checkRegexp(text string) error {
	if _, err := regexp.Compile(text); err != nil {
		return fmt.Errorf("%q is no regular expression: %w", text, err)
	}
	return nil
}

func checkSelector(text string) error {
	if _, err := labels.Parse(text); err != nil {
		return fmt.Errorf("%q is no label selector; it is written app=hub,tier!=cache", text)
	}
	return nil
}
