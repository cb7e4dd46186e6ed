package redact

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// shape is text that is secret wherever it comes from: the whole match, or its group
// "secret" where the text before it (a header's or parameter's name) should stay readable.
type shape struct {
	pattern *regexp.Regexp
	// hint is text, in lower case, without which the pattern cannot match: most texts hold
	// no hint at all and cost no regular expression.
	hint string
}

var secretShapes = []shape{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`), "private key"},
	// JSON Web Tokens (RFC 7519) start with {" in base64; a nested (encrypted) one has five parts.
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}`), "eyj"},
	{regexp.MustCompile(`(?i)authorization["']?\s*[:=]\s*[\["']*(?:(?:basic|bearer|negotiate|token|digest)\s+)?(?P<secret>[^\s"'\],]{4,})`), "authorization"},
	{regexp.MustCompile(`(?i)\b(?:bearer|basic)\s+(?P<secret>[a-z0-9._~+/-]{20,}=*)`), "b"},
	{regexp.MustCompile(`(?i)\b(?:private-token|job-token|deploy-token|x-vault-token|x-jfrog-art-api|x-api-key|(?:set-)?cookie)["']?:\s*[\["']*(?P<secret>[^\s"'\],;]{4,})`), ":"},
	{regexp.MustCompile(`://[^\s/@:"']*:(?P<secret>[^\s/@"']+)@`), "://"},
	{regexp.MustCompile(`(?i)\b(?:password|passwd|pwd|client_secret|client_assertion|secret_key|secretkey|access_token|refresh_token|id_token|api_key|apikey|x-amz-signature|x-amz-security-token)=(?P<secret>[^&\s"'<>]+)`), "="},
	{regexp.MustCompile(`[?&](?:sig|token|signature)=(?P<secret>[^&\s"'<>]+)`), "="},
	{regexp.MustCompile(`\b(?:glpat|gldt|glrt|glcbt|glptt|glft|glsoat)-[A-Za-z0-9_.-]{16,}`), "gl"},
	{regexp.MustCompile(`\bhv[sbr]\.[A-Za-z0-9_-]{20,}`), "hv"},
}

// encodedPEM is base64 of "-----BEGIN ": what kubeconfigs and Secrets hold keys as.
var encodedPEM = regexp.MustCompile(`LS0tLS1CRUdJTi[A-Za-z0-9+/]+=*`)

// shapes returns where s holds text that looks like a secret.
func shapes(s string) []span {
	var found []span
	lower := strings.ToLower(s)
	for _, shape := range secretShapes {
		if !strings.Contains(lower, shape.hint) {
			continue
		}
		group := 2 * max(shape.pattern.SubexpIndex("secret"), 0)
		for _, at := range shape.pattern.FindAllStringSubmatchIndex(s, -1) {
			found = append(found, span{at[group], at[group+1]})
		}
	}
	for _, at := range encodedPEM.FindAllStringIndex(s, -1) {
		if isPrivateKey(s[at[0]:at[1]]) {
			found = append(found, span{at[0], at[1]})
		}
	}
	return found
}

// isPrivateKey tells an encoded key from an encoded certificate, which is not secret.
func isPrivateKey(text string) bool {
	text = strings.TrimRight(text, "=")
	decoded, _ := base64.RawStdEncoding.DecodeString(text[:len(text)/4*4])
	return strings.Contains(string(decoded), "PRIVATE KEY")
}
