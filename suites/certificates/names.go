package certificates

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"
)

// shortNames are the attribute types of distinguished names as people write them (RFC 4514, and
// what openssl prints).
var shortNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "TITLE", "2.5.4.17": "POSTALCODE", "2.5.4.97": "ORGANIZATIONIDENTIFIER",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "E",
}

// otherNames are further spellings of them.
var otherNames = map[string]string{"S": "ST", "EMAILADDRESS": "E", "EMAIL": "E", "USERID": "UID"}

// attributes are a name's parts, each "CN=…".
func attributes(name pkix.Name) []string {
	var parts []string
	for _, attribute := range name.Names {
		key, known := shortNames[attribute.Type.String()]
		if !known {
			key = attribute.Type.String()
		}
		parts = append(parts, fmt.Sprintf("%s=%v", key, attribute.Value))
	}
	return parts
}

// distinguished renders a name, the common name first, as browsers do.
func distinguished(name pkix.Name) string {
	parts := attributes(name)
	if len(parts) == 0 {
		return "(no name)"
	}
	slices.Reverse(parts)
	return strings.Join(parts, ", ")
}

// called is how a message names a certificate.
func called(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return distinguished(c.Subject)
}

// dated tells an authority's certificates apart, which have the same name.
func dated(c *x509.Certificate) string {
	return fmt.Sprintf("%s (valid until %s)", called(c), day(c.NotAfter))
}

// isNamed tells whether what people wrote is this name: its common name, or all of it, in any
// order and in the notations of RFC 4514 and of openssl.
func isNamed(written string, name pkix.Name) bool {
	written = strings.TrimSpace(written)
	if strings.EqualFold(written, name.CommonName) {
		return true
	}
	want, got := splitName(written), attributes(name)
	for _, parts := range [][]string{want, got} {
		for i, part := range parts {
			parts[i] = normal(part)
		}
		slices.Sort(parts)
	}
	return slices.Equal(want, got)
}

// splitName splits "CN=x, O=y" or "/O=y/CN=x" at the separators that are not escaped.
func splitName(text string) []string {
	separators := ",+"
	if strings.HasPrefix(text, "/") {
		text, separators = text[1:], "/"
	}
	var parts []string
	var part strings.Builder
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			part.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case strings.ContainsRune(separators, r):
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteRune(r)
		}
	}
	return append(parts, part.String())
}

// normal makes "cn = X Y" and "CN=x y" the same.
func normal(attribute string) string {
	key, value, _ := strings.Cut(attribute, "=")
	key = strings.ToUpper(strings.TrimSpace(key))
	if other, known := otherNames[key]; known {
		key = other
	}
	return key + "=" + strings.ToLower(strings.Join(strings.Fields(value), " "))
}

// namesOf are the subject alternative names of a certificate, of all kinds, as people write them.
func namesOf(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	names = append(names, c.EmailAddresses...)
	for _, uri := range c.URIs {
		names = append(names, uri.String())
	}
	return names
}

// compareNames returns the answered names that the certificate lacks and those that it has
// beside them.
func compareNames(answered []string, c *x509.Certificate) (missing, besides []string) {
	plain := func(name string) string {
		name = strings.ToLower(strings.TrimSpace(name))
		for _, prefix := range []string{"dns:", "ip:", "ip address:", "email:", "uri:"} {
			if rest, cut := strings.CutPrefix(name, prefix); cut {
				return strings.TrimSpace(rest)
			}
		}
		return name
	}
	has := func(names []string, one string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return plain(name) == plain(one) })
	}
	for _, name := range answered {
		if !has(namesOf(c), name) {
			missing = append(missing, name)
		}
	}
	for _, name := range namesOf(c) {
		if !has(answered, name) {
			besides = append(besides, name)
		}
	}
	return missing, besides
}
