package standin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// tokens checks VAPID headers (RFC 8292) and remembers the good ones: a sender
// may use one token for up to 24 hours.
type tokens struct {
	mu   sync.Mutex
	good map[string]time.Time // header -> expiry
}

type claims struct {
	Aud string `json:"aud"`
	Exp int64  `json:"exp"`
	Sub string `json:"sub"`
}

func (t *tokens) check(header, audience, only string, now time.Time) error {
	if header == "" {
		return &refusal{status: http.StatusUnauthorized, reason: "Authorization: missing"}
	}
	t.mu.Lock()
	exp, known := t.good[audience+" "+header]
	t.mu.Unlock()
	if known && now.Before(exp) {
		return nil
	}
	c, reason := verify(header, only)
	if reason == "" {
		reason = c.faulty(audience, now)
	}
	if reason != "" {
		return &refusal{status: http.StatusForbidden, reason: "Authorization: " + reason}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.good == nil || len(t.good) > 1024 {
		t.good = map[string]time.Time{}
	}
	t.good[audience+" "+header] = time.Unix(c.Exp, 0)
	return nil
}

// faulty names what is wrong with the claims, or nothing.
func (c claims) faulty(audience string, now time.Time) string {
	exp := time.Unix(c.Exp, 0)
	u, err := url.Parse(c.Sub)
	switch {
	case c.Aud != audience:
		return "aud is not the origin of the endpoint"
	case !exp.After(now):
		return "exp has passed"
	case exp.After(now.Add(24 * time.Hour)):
		return "exp is more than 24 hours away"
	case err != nil || (u.Scheme != "mailto" && u.Scheme != "https"):
		return "sub is not a mailto: or https: URL"
	}
	return ""
}

// verify reads "vapid t=..., k=..." and checks the signature.
func verify(header, only string) (c claims, reason string) {
	rest, ok := strings.CutPrefix(header, "vapid ")
	if !ok {
		return c, "scheme is not vapid"
	}
	params := map[string]string{}
	for p := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		params[k] = strings.Trim(v, `"`)
	}
	if only != "" && params["k"] != only {
		return c, "key is not the one the subscription was made for"
	}
	point, err := b64.DecodeString(params["k"])
	if err != nil {
		return c, "k is not base64url"
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return c, "k is not a P-256 point"
	}
	parts := strings.Split(params["t"], ".")
	if len(parts) != 3 {
		return c, "t is not a JWT"
	}
	sig, err := b64.DecodeString(parts[2])
	if err != nil || len(sig) != 64 {
		return c, "signature is not 64 bytes"
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return c, "signature does not verify"
	}
	var head struct {
		Alg string `json:"alg"`
	}
	if decodePart(parts[0], &head) != nil || head.Alg != "ES256" {
		return c, "alg is not ES256"
	}
	if decodePart(parts[1], &c) != nil {
		return c, "claims cannot be read"
	}
	return c, ""
}

func decodePart(s string, v any) error {
	raw, err := b64.DecodeString(s)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}
