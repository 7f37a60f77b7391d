package face

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
)

// Answer is a document, plain and compressed.
type Answer struct {
	raw, gz []byte
	ETag    string
}

// Pack compresses a document.
func Pack(raw []byte) (*Answer, error) {
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return &Answer{raw: raw, gz: gz.Bytes(), ETag: `W/"` + Sum(raw) + `"`}, nil
}

// Sum tells documents apart.
func Sum(parts ...[]byte) string {
	h := fnv.New64a()
	for _, b := range parts {
		_, _ = h.Write(b)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Send writes a document in the encoding the visitor takes.
func Send(w http.ResponseWriter, r *http.Request, status int, out *Answer) {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/html; charset=utf-8")
	}
	h.Set("Vary", "Accept-Encoding")
	body := out.raw
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = out.gz
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a visitor who went away is no fault
}

// takesGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q = strings.ReplaceAll(q, " ", "")
			return strings.Trim(strings.TrimPrefix(q, "q="), "0.") != "" || q == ""
		}
	}
	return false
}

// Matches reads If-None-Match (RFC 9110, section 13.1.2) with the weak
// comparison.
func Matches(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
