package main

import (
	"strings"
	"testing"
	"time"

	"loa/channels"
	"loa/gateway/web/api"
)

// Whom a correction is for is a number, nobody, or not known: never one for
// another.
func TestWhomACorrectionIsFor(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]api.Alert{
		"got old: nobody yet;":                {Replaces: "old"},
		"got old: at least sms 3;":            {Replaces: "old", Reached: map[channels.Kind]int{channels.SMS: 3}},
		"got old: how many is not known now;": {Replaces: "old", ReachedUnknown: true},
	} {
		var out strings.Builder
		if showCorrection(&out, &a); !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, &out)
		}
	}
}

// A hold is said in both languages, and not in the word for custody.
func TestAHoldIsShown(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if showHold(&out, &api.Alert{}); out.Len() > 0 {
		t.Errorf("no hold: %s", &out)
	}
	showHold(&out, &api.Alert{OnHold: time.Now()})
	for _, want := range []string{"ON HOLD since ", "ĐANG TẠM DỪNG GỬI: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, &out)
		}
	}
}
