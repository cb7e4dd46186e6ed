package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signer signs requests with AWS Signature Version 4
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html), which all
// S3 servers speak.
type signer struct {
	access, secret, region string
}

const (
	algorithm = "AWS4-HMAC-SHA256"
	timeForm  = "20060102T150405Z"
)

// sign adds the signature of the request, whose body has this SHA-256 in hex, to its headers.
func (s signer) sign(r *http.Request, bodySum string, now time.Time) {
	stamp := now.UTC().Format(timeForm)
	r.Header.Set("X-Amz-Date", stamp)
	r.Header.Set("X-Amz-Content-Sha256", bodySum)
	headers, names := canonicalHeaders(r)
	request := strings.Join([]string{r.Method, escapePath(r.URL.Path), canonicalQuery(r.URL.Query()), headers, names, bodySum}, "\n")
	scope := strings.Join([]string{stamp[:8], s.region, "s3", "aws4_request"}, "/")
	text := strings.Join([]string{algorithm, stamp, scope, sum([]byte(request))}, "\n")
	key := []byte("AWS4" + s.secret)
	for _, part := range []string{stamp[:8], s.region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	r.Header.Set("Authorization", algorithm+" Credential="+s.access+"/"+scope+",SignedHeaders="+names+",Signature="+hex.EncodeToString(mac(key, text)))
}

// canonicalHeaders returns the headers that are signed, and their names.
func canonicalHeaders(r *http.Request) (headers, names string) {
	all := map[string]string{"host": r.URL.Host}
	if r.Host != "" {
		all["host"] = r.Host
	}
	for name, values := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") || lower == "range" || lower == "date" {
			all[lower] = strings.TrimSpace(strings.Join(values, ","))
		}
	}
	var sorted []string
	for name := range all {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		headers += name + ":" + all[name] + "\n"
	}
	return headers, strings.Join(sorted, ";")
}

// canonicalQuery sorts the query and escapes it as the specification does: a space is %20.
func canonicalQuery(query url.Values) string {
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}

// escapePath escapes all but unreserved characters and slashes.
func escapePath(path string) string {
	if path == "" {
		return "/"
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(part), "+", "%20")
	}
	return strings.Join(parts, "/")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sum(body []byte) string {
	s := sha256.Sum256(body)
	return hex.EncodeToString(s[:])
}
