package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"html"
	"net/url"
	"strings"
)

// shortestEncoded is the length from which a piece of base64 is a needle: four characters
// meet by chance in any long digest.
const shortestEncoded = 5

// longField is the length from which a word of a multi-line secret (a kubeconfig, a key
// file) is a secret by itself. Shorter words are keys and names.
const longField = 20

// forms returns the ways in which secret can appear in what we write: as it is, without the
// line end that files have, escaped as URLs, JSON, XML and HTML do, in hexadecimal, in base64
// alone and inside a longer base64 text, and, for one of many lines, its long words.
func forms(secret string) []string {
	trimmed := strings.TrimSpace(secret)
	if len(trimmed) < shortest {
		return nil
	}
	plain := []string{secret, trimmed}
	if strings.Contains(trimmed, "\n") {
		plain = append(plain, longFields(trimmed)...)
	}
	var all []string
	for _, p := range plain {
		all = append(all, p)
		all = append(all, escaped(p)...)
		all = append(all, hex.EncodeToString([]byte(p)))
		all = append(all, encoded(p)...)
	}
	return all
}

// longFields returns the long words of a multi-line secret: indentation and line breaks
// change when a report prints it, its words do not.
func longFields(secret string) []string {
	var words []string
	for _, word := range strings.Fields(secret) {
		isAddress := strings.Contains(word, "://") && !strings.Contains(word, "@")
		if len(word) >= longField && !isAddress {
			words = append(words, word)
		}
	}
	return words
}

func escaped(p string) []string {
	all := []string{url.QueryEscape(p), url.PathEscape(p), html.EscapeString(p)}
	if text, err := json.Marshal(p); err == nil { // escapes <, > and & as well
		all = append(all, strings.Trim(string(text), `"`))
	}
	var plainJSON strings.Builder
	encoder := json.NewEncoder(&plainJSON)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(p) == nil {
		all = append(all, strings.Trim(strings.TrimSpace(plainJSON.String()), `"`))
	}
	var inXML strings.Builder
	if xml.EscapeText(&inXML, []byte(p)) == nil {
		all = append(all, inXML.String())
	}
	return all
}

// encoded returns the base64 texts that betray p. In a longer text ("user:password") p
// starts at one of three places of a base64 group; the characters that p shares with its
// neighbours are left out, so that the needle is there whatever the neighbours are.
func encoded(p string) []string {
	var all []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			text := encoding.EncodeToString(append(make([]byte, offset), p...))
			from := (offset*8 + 5) / 6 // first character that holds bits of p only
			to := (offset + len(p)) * 8 / 6
			if to-from >= shortestEncoded {
				all = append(all, text[from:to])
			}
		}
	}
	return all
}
