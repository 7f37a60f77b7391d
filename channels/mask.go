package channels

import (
	"fmt"
	"io"
	"log/slog"
)

const masked = "•••"

// Address is a phone number, a push subscription or an install key. It prints
// as dots everywhere; only a driver that is about to send calls Reveal.
type Address string

// Reveal returns the address itself.
func (a Address) Reveal() string { return string(a) }

func (a Address) String() string { return mask(string(a)) }

// Format prints dots for every verb.
func (a Address) Format(f fmt.State, _ rune) { formatMasked(f, string(a)) }

// LogValue logs dots.
func (a Address) LogValue() slog.Value { return slog.StringValue(mask(string(a))) }

// MarshalText encodes dots. As the key of a map encoding/json would still
// write it in the clear.
func (a Address) MarshalText() ([]byte, error) { return []byte(mask(string(a))), nil }

// Secret is a credential. It prints as dots everywhere.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string { return mask(string(s)) }

// Format prints dots for every verb.
func (s Secret) Format(f fmt.State, _ rune) { formatMasked(f, string(s)) }

// LogValue logs dots.
func (s Secret) LogValue() slog.Value { return slog.StringValue(mask(string(s))) }

// MarshalText encodes dots. As the key of a map encoding/json would still
// write it in the clear.
func (s Secret) MarshalText() ([]byte, error) { return []byte(mask(string(s))), nil }

func formatMasked(f fmt.State, s string) {
	_, _ = io.WriteString(f, mask(s)) // a State reports its writer's errors itself
}

func mask(s string) string {
	if s == "" {
		return ""
	}
	return masked
}
