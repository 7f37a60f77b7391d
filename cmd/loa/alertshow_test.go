package main

import (
	"strings"
	"testing"

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
