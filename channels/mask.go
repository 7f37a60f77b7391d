package channels

import "log/slog"

const masked = "•••"

// Address is a phone number, a push subscription or an install key. It prints
// as dots everywhere; only a driver that is about to send calls Reveal.
type Address string

// Reveal returns the address itself.
func (a Address) Reveal() string { return string(a) }

func (a Address) String() string               { return mask(string(a)) }
func (a Address) GoString() string             { return mask(string(a)) }
func (a Address) LogValue() slog.Value         { return slog.StringValue(mask(string(a))) }
func (a Address) MarshalText() ([]byte, error) { return []byte(mask(string(a))), nil }

// Secret is a credential. It prints as dots everywhere.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string               { return mask(string(s)) }
func (s Secret) GoString() string             { return mask(string(s)) }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(mask(string(s))) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(mask(string(s))), nil }

func mask(s string) string {
	if s == "" {
		return ""
	}
	return masked
}
