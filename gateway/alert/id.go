package alert

import (
	"encoding/base32"
	"fmt"
	"io"
	"strconv"
	"time"
)

// codeLetters are those that people do not mix up on a bad line: no I, O, 0
// and 1. There are 32, so five random bits choose one.
const codeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID makes an identifier that sorts by its second, "20240907T061500Z-" and
// sixteen letters and digits of 80 random bits. It fails only when random does.
func NewID(now time.Time, random io.Reader) (ID, error) {
	var b [10]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("alert: random bytes for an identifier: %w", err)
	}
	return ID(now.UTC().Format("20060102T150405Z") + "-" + idEncoding.EncodeToString(b[:])), nil
}

// Identifier is the CAP identifier of a revision of the alert.
func (id ID) Identifier(number int) string { return string(id) + "." + strconv.Itoa(number) }

// NewCode makes the four characters by which people name an alert. Codes are
// few, about a million: the caller sees to it that no live alert has the same.
func NewCode(random io.Reader) (string, error) {
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("alert: random bytes for a code: %w", err)
	}
	for i := range b {
		b[i] = codeLetters[b[i]%32]
	}
	return string(b[:]), nil
}
