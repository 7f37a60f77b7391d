package alert

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"
)

func TestThousandIDsInOneSecond(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 9, 7, 13, 15, 0, 0, time.FixedZone("", 7*3600))
	seen := map[ID]bool{}
	for range 1000 {
		id, err := NewID(now, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !Name(string(id)) || !strings.HasPrefix(string(id), "20240907T061500Z-") {
			t.Fatalf("identifier %q", id)
		}
		seen[id] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different identifiers of 1,000", len(seen))
	}
	if got := ID("a").Identifier(2); got != "a.2" {
		t.Errorf("Identifier = %q", got)
	}
}

func TestCodesAreReadable(t *testing.T) {
	t.Parallel()
	letters := map[rune]bool{}
	for range 2000 {
		code, err := NewCode(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(code) != 4 {
			t.Fatalf("code %q", code)
		}
		for _, c := range code {
			letters[c] = true
		}
	}
	for _, c := range "IO01" {
		if letters[c] {
			t.Errorf("%q is mixed up with another character", c)
		}
	}
	if len(letters) != 32 {
		t.Errorf("%d different characters, want 32", len(letters))
	}
}

func TestNoRandomnessNoName(t *testing.T) {
	t.Parallel()
	if id, err := NewID(time.Now(), bytes.NewReader(make([]byte, 9))); err == nil {
		t.Errorf("identifier %q of 9 bytes", id)
	}
	if code, err := NewCode(bytes.NewReader(nil)); err == nil {
		t.Errorf("code %q of no bytes", code)
	}
}
