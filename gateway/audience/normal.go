package audience

import (
	"bytes"
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"loa/channels"
)

// AddressError says which rule an address breaks. It never holds the address.
type AddressError struct{ Rule string }

func (e *AddressError) Error() string { return "address: " + e.Rule }

func refuse(rule string) error { return &AddressError{Rule: rule} }

// maxPhone bounds what is looked at: the longest spelling of a number in use,
// with country code, spaces and brackets, has some 20 characters.
const maxPhone = 32

// NormalizePhone returns the E.164 form of a Vietnamese mobile number written
// in any usual way. Everything else is refused with an *AddressError.
func NormalizePhone(s string) (string, error) {
	digits, err := phoneCharacters(s)
	if err != nil {
		return "", err
	}
	n, err := phonenumbers.Parse(digits, "VN")
	if err != nil {
		return "", refuse("not a phone number")
	}
	const vietnam = 84
	if n.GetCountryCode() != vietnam {
		return "", refuse("not a Vietnamese number (+84)")
	}
	if phonenumbers.GetNumberType(n) == phonenumbers.MOBILE {
		return phonenumbers.Format(n, phonenumbers.E164), nil
	}
	return "", refuse(notMobile(phonenumbers.GetNationalSignificantNumber(n), n))
}

// phoneCharacters keeps digits and a leading plus, and refuses what is neither
// a digit nor usual punctuation: letters, which could be a vanity number or an
// extension, and control characters.
func phoneCharacters(s string) (string, error) {
	if len(s) > 3*maxPhone {
		return "", refuse("too long for a phone number")
	}
	var b strings.Builder
	for _, r := range strings.Trim(s, " \t\u00a0\u3000") {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r >= '０' && r <= '９':
			b.WriteRune(r - '０' + '0')
		case (r == '+' || r == '＋') && b.Len() == 0:
			b.WriteByte('+')
		case strings.ContainsRune(" .-()/\u00a0\u2010\u2011\u2013\u3000", r):
		default:
			return "", refuse("a phone number has only digits, spaces and a leading +")
		}
	}
	if b.Len() == 0 {
		return "", refuse("empty")
	}
	if b.Len() > maxPhone {
		return "", refuse("too long for a phone number")
	}
	return b.String(), nil
}

// notMobile names the rule. Eleven-digit mobile numbers (012x, 016x, 018x,
// 019x) were converted to ten digits in 2018.
func notMobile(national string, n *phonenumbers.PhoneNumber) string {
	old := len(national) == 10 && strings.ContainsRune("2689", rune(national[1])) && national[0] == '1'
	switch {
	case old:
		return "an 11-digit number from before 2018; its holder has a 10-digit number now"
	case phonenumbers.GetNumberType(n) == phonenumbers.FIXED_LINE:
		return "a landline cannot receive SMS"
	case phonenumbers.IsValidNumber(n):
		return "not a mobile number"
	case len(national) < 9:
		return "too short for a Vietnamese mobile number"
	case len(national) > 9:
		return "too long for a Vietnamese mobile number"
	default:
		return "no Vietnamese carrier has this prefix"
	}
}

// subscription is a browser's push subscription (W3C Push API, toJSON).
type subscription struct {
	Endpoint string    `json:"endpoint"`
	P256dh   string    `json:"p256dh"`
	Auth     string    `json:"auth"`
	Keys     *pushKeys `json:"keys,omitempty"` // where browsers put them; not stored
}

type pushKeys struct {
	P256dh string `json:"p256dh"`
	Auth   string `json:"auth"`
}

const maxPushURL = 2048

// normalizePush checks a subscription, with its keys under "keys" as browsers
// write it or beside the endpoint, and returns its canonical JSON and its
// endpoint, which alone identifies it. An http endpoint is admitted only at
// the origin, which is empty in a live deployment.
func normalizePush(s, origin string) (canonical, endpoint string, err error) {
	var sub subscription
	if err := json.Unmarshal([]byte(s), &sub); err != nil {
		return "", "", refuse("not a push subscription in JSON")
	}
	if err := checkPushURL(sub.Endpoint, origin); err != nil {
		return "", "", err
	}
	if sub.Keys != nil {
		sub.P256dh, sub.Auth, sub.Keys = sub.Keys.P256dh, sub.Keys.Auth, nil
	}
	key, err := decodeKey(sub.P256dh)
	if err != nil {
		return "", "", refuse("keys.p256dh is not base64url")
	}
	if _, err := ecdh.P256().NewPublicKey(key); err != nil {
		return "", "", refuse("keys.p256dh is not a point of P-256 (RFC 8291)")
	}
	const authSize = 16
	auth, err := decodeKey(sub.Auth)
	if err != nil || len(auth) != authSize {
		return "", "", refuse("keys.auth is not 16 bytes in base64url (RFC 8291)")
	}
	sub.P256dh = base64.RawURLEncoding.EncodeToString(key)
	sub.Auth = base64.RawURLEncoding.EncodeToString(auth)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(sub); err != nil {
		return "", "", refuse("not a push subscription in JSON")
	}
	return strings.TrimSuffix(b.String(), "\n"), sub.Endpoint, nil
}

func checkPushURL(s, origin string) error {
	if len(s) > maxPushURL {
		return refuse(fmt.Sprintf("endpoint is longer than %d characters", maxPushURL))
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return refuse("endpoint has white space, control or non-ASCII characters")
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return refuse("endpoint is not an absolute URL")
	}
	if u.User != nil || u.Fragment != "" {
		return refuse("endpoint has a user or a fragment")
	}
	if u.Scheme != "https" && (origin == "" || u.Scheme+"://"+u.Host != origin) {
		return refuse("endpoint is not https (RFC 8030)")
	}
	return nil
}

// normalizeInstall checks an app install's public key: 32 bytes in base64url.
func normalizeInstall(s string) (string, error) {
	const size = 32
	key, err := decodeKey(s)
	if err != nil || len(key) != size {
		return "", refuse("an install's key is 32 bytes in base64url")
	}
	return base64.RawURLEncoding.EncodeToString(key), nil
}

// decodeKey reads base64url with or without padding, and nothing around it.
func decodeKey(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break")
	}
	return base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
}

// normalize returns the address as it is sealed and the identity under which
// it is found.
func normalize(kind channels.Kind, s, origin string) (a channels.Address, identity string, err error) {
	switch kind {
	case channels.SMS:
		identity, err = NormalizePhone(s)
		return channels.Address(identity), identity, err
	case channels.WebPush:
		s, identity, err = normalizePush(s, origin)
		return channels.Address(s), identity, err
	case channels.App:
		identity, err = normalizeInstall(s)
		return channels.Address(identity), identity, err
	default:
		return "", "", refuse("nobody subscribes to this channel by address")
	}
}
