package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand"
	"net/url"
	"strings"
	"testing"
)

const canary = `S3cr/t+<"Canary">&Co` // has a character that every escaping changes

func TestKnownValueInEveryForm(t *testing.T) {
	r := New()
	r.Add(canary + "\n") // as a file holds it
	inJSON, _ := json.Marshal(map[string]string{"password": canary})
	for name, text := range map[string]string{
		"plain":               "the password is " + canary + " indeed",
		"url":                 "https://host/?x=" + url.QueryEscape(canary),
		"path":                "https://host/" + url.PathEscape(canary),
		"json":                string(inJSON),
		"xml":                 "S3cr/t+&lt;&#34;Canary&#34;&gt;&amp;Co",
		"hex":                 fmt.Sprintf("%x", canary),
		"base64":              base64.StdEncoding.EncodeToString([]byte(canary)),
		"base64url":           base64.URLEncoding.EncodeToString([]byte(canary)),
		"inside base64, 1":    base64.StdEncoding.EncodeToString([]byte("u:" + canary + "!")),
		"inside base64, 2":    base64.StdEncoding.EncodeToString([]byte("us:" + canary + "!!")),
		"inside base64, 3":    base64.StdEncoding.EncodeToString([]byte("use:" + canary)),
		"twice, side by side": canary + canary,
	} {
		t.Run(name, func(t *testing.T) {
			got := r.String(text)
			if !strings.Contains(got, Replacement) || strings.Contains(got, "anary") || strings.Contains(got, "Q2FuYXJ5") {
				t.Errorf("%q became %q", text, got)
			}
		})
	}
}

func TestShapes(t *testing.T) {
	key := "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----"
	certificate := "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n"
	token := "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"
	for _, c := range []struct{ name, in, want string }{
		{"private key", "a\n" + key + "\nb", "a\n[redacted]\nb"},
		{"cut private key", "a " + key[:50], "a [redacted]"},
		{"private key in base64", "key: " + base64.StdEncoding.EncodeToString([]byte(key)), "key: [redacted]"},
		{"certificate stays", certificate, certificate},
		{"certificate in base64 stays", base64.StdEncoding.EncodeToString([]byte(certificate)), base64.StdEncoding.EncodeToString([]byte(certificate))},
		{"token", "got " + token + ".", "got [redacted]"},
		{"authorization header", "Authorization: Bearer abcdefgh", "Authorization: Bearer [redacted]"},
		{"authorization as Go prints it", "map[Authorization:[Basic dXNlcjpwYXNz]]", "map[Authorization:[Basic [redacted]]]"},
		{"authorization as JSON", `{"Authorization":"Bearer abcdefgh"}`, `{"Authorization":"Bearer [redacted]"}`},
		{"challenge stays", `Www-Authenticate: Basic realm="lab registry"`, `Www-Authenticate: Basic realm="lab registry"`},
		{"header of GitLab", "PRIVATE-TOKEN: abcdef", "PRIVATE-TOKEN: [redacted]"},
		{"URL with user", "https://jane:pass@host/x", "https://jane:[redacted]@host/x"},
		{"URL with port stays", "https://host:5000/x@y", "https://host:5000/x@y"},
		{"parameter", "grant_type=x&client_secret=abc&scope=y", "grant_type=x&client_secret=[redacted]&scope=y"},
		{"plain text stays", "basic authentication of a bearer token is a password question", "basic authentication of a bearer token is a password question"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := New().String(c.in); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestLongWordsOfAFile(t *testing.T) {
	r := New()
	r.Add("kind: Config\nserver: https://10.64.0.1:6443/long\ntoken: abcdefghijklmnopqrstuvwxyz\n")
	got := r.String("kind: Config https://10.64.0.1:6443/long\n    abcdefghijklmnopqrstuvwxyz")
	if want := "kind: Config https://10.64.0.1:6443/long\n    [redacted]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestShortValuesAreNoSecrets(t *testing.T) {
	r := New()
	r.Add("yes")
	r.Add("")
	if got := r.String("yes, bytes"); got != "yes, bytes" {
		t.Errorf("got %q", got)
	}
}

// However a stream is cut into writes, what comes out is the whole text redacted.
func TestWriterAtEveryCut(t *testing.T) {
	r := New()
	r.Add("canary-one")
	r.Add("one-two") // overlaps the end of the first
	text := "see canary-one-two, canary-onX and\n-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nlast cana"
	want := r.String(text)
	random := rand.New(rand.NewSource(1))
	for range 300 {
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := text; rest != ""; {
			n := min(1+random.Intn(12), len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "canary-one") || strings.Contains(out.String(), "MII") {
			t.Fatalf("leaked: %q (want %q)", out.String(), want)
		}
	}
}

func TestWriterDoesNotDelayPlainText(t *testing.T) {
	r := New()
	r.Add("canary")
	var out bytes.Buffer
	w := r.Writer(&out)
	if _, err := w.Write([]byte("running 6.1.4.1")); err != nil {
		t.Fatal(err)
	}
	if out.String() != "running 6.1.4.1" {
		t.Errorf("passed %q", out.String())
	}
}

func BenchmarkString(b *testing.B) {
	r := New()
	for i := range 30 {
		r.Add(fmt.Sprintf("secret-number-%d", i))
	}
	text := strings.Repeat("an ordinary line of a report, with nothing to hide in it\n", 2000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.String(text)
	}
}
