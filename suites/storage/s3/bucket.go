// Package s3 speaks just enough S3 to try a bucket: put, get, list, delete and multipart
// uploads. Requests go to ENDPOINT/BUCKET/KEY (path style), which Rados Gateway, MinIO and
// AWS all answer, and are signed.
package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxBody bounds what is read of an answer, in bytes.
const maxBody = 16 << 20

// Bucket is a bucket as one user reaches it.
type Bucket struct {
	// Endpoint is the server's address, such as https://s3.example.com.
	Endpoint *url.URL
	// Region is what the signature names; us-east-1 suits most servers.
	Region, Name string
	// Access and Secret are the user's keys.
	Access, Secret string
	Client         *http.Client
	UserAgent      string
}

// Error is what the server answered instead of doing it.
type Error struct {
	Status  int    `xml:"-"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

func (e *Error) Error() string {
	return fmt.Sprintf("HTTP status %d, code %q %s", e.Status, e.Code, e.Message)
}

// StatusOf returns the HTTP status of a server's refusal, 0 if err is none.
func StatusOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Put stores an object.
func (b Bucket) Put(ctx context.Context, key string, body []byte) error {
	_, _, err := b.do(ctx, http.MethodPut, key, nil, body)
	return err
}

// Get returns an object.
func (b Bucket) Get(ctx context.Context, key string) ([]byte, error) {
	body, _, err := b.do(ctx, http.MethodGet, key, nil, nil)
	return body, err
}

// Delete removes an object; one that is not there is no error, as S3 has it.
func (b Bucket) Delete(ctx context.Context, key string) error {
	_, _, err := b.do(ctx, http.MethodDelete, key, nil, nil)
	return err
}

// List returns the sizes of the objects whose keys begin with prefix, at most a thousand.
func (b Bucket) List(ctx context.Context, prefix string, limit int) (map[string]int64, error) {
	body, _, err := b.do(ctx, http.MethodGet, "", url.Values{"list-type": {"2"}, "prefix": {prefix}, "max-keys": {strconv.Itoa(limit)}}, nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Contents []struct {
			Key  string
			Size int64
		}
	}
	if err := xml.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("understand the list of objects: %w", err)
	}
	sizes := map[string]int64{}
	for _, object := range list.Contents {
		sizes[object.Key] = object.Size
	}
	return sizes, nil
}

// PutParts stores an object in several parts, each but the last at least 5 MiB, as large
// files are stored. An upload that fails is given up, so that its parts do not stay.
func (b Bucket) PutParts(ctx context.Context, key string, parts ...[]byte) (err error) {
	body, _, err := b.do(ctx, http.MethodPost, key, url.Values{"uploads": {""}}, nil)
	if err != nil {
		return fmt.Errorf("begin the upload: %w", err)
	}
	var begun struct{ UploadId string }
	if err := xml.Unmarshal(body, &begun); err != nil || begun.UploadId == "" {
		return fmt.Errorf("begin the upload: the answer holds no upload ID")
	}
	id := url.Values{"uploadId": {begun.UploadId}}
	defer func() {
		if err != nil {
			later, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			b.do(later, http.MethodDelete, key, id, nil)
		}
	}()
	type part struct {
		PartNumber int
		ETag       string
	}
	var done struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []part
	}
	for i, content := range parts {
		_, header, err := b.do(ctx, http.MethodPut, key, url.Values{"uploadId": {begun.UploadId}, "partNumber": {strconv.Itoa(i + 1)}}, content)
		if err != nil {
			return fmt.Errorf("upload part %d: %w", i+1, err)
		}
		done.Part = append(done.Part, part{i + 1, header.Get("ETag")})
	}
	text, err := xml.Marshal(done)
	if err != nil {
		return err
	}
	answer, _, err := b.do(ctx, http.MethodPost, key, id, text)
	if err != nil {
		return fmt.Errorf("complete the upload: %w", err)
	}
	// A server that takes long may answer 200 and put its error into the body.
	if refusal := new(Error); xml.Unmarshal(answer, &struct {
		XMLName xml.Name `xml:"Error"`
		*Error
	}{Error: refusal}) == nil && refusal.Code != "" {
		refusal.Status = http.StatusOK
		return fmt.Errorf("complete the upload: %w", refusal)
	}
	return nil
}

// do sends one request; an answer of 300 and above is an *Error.
func (b Bucket) do(ctx context.Context, method, key string, query url.Values, body []byte) ([]byte, http.Header, error) {
	address := *b.Endpoint
	address.Path = "/" + b.Name
	if key != "" {
		address.Path += "/" + key
	}
	address.RawPath, address.RawQuery = escapePath(address.Path), canonicalQuery(query)
	request, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("User-Agent", b.UserAgent)
	signer{b.Access, b.Secret, b.Region}.sign(request, sum(body), time.Now())
	response, err := b.Client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		refusal := &Error{}
		_ = xml.Unmarshal(answer, refusal) // a proxy's error page is none
		refusal.Status = response.StatusCode
		return nil, nil, refusal
	}
	return answer, response.Header, nil
}
