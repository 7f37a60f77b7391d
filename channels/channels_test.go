package channels

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// Whatever nobody has classified may have been accepted.
func TestAPlainErrorIsAmbiguous(t *testing.T) {
	t.Parallel()
	for _, err := range []error{io.EOF, errors.New("no idea"), fmt.Errorf("send: %w", io.ErrUnexpectedEOF), &Error{}} {
		e := AsError(err)
		if e.Fault != FaultAmbiguous || !errors.Is(e, err) {
			t.Errorf("%v is %v", err, e.Fault)
		}
	}
	if AsError(nil) != nil {
		t.Error("no error became one")
	}
	wrapped := fmt.Errorf("batch 812: %w", &Error{Fault: FaultAddress, Code: "21211"})
	if e := AsError(wrapped); e.Fault != FaultAddress || e.Code != "21211" {
		t.Errorf("a wrapped error is %v", e)
	}
	var zero Fault
	if zero != FaultAmbiguous {
		t.Error("the zero fault is not the careful one")
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*Error{
		"ambiguous":                      {},
		"address (code 21211)":           {Fault: FaultAddress, Code: "21211"},
		"transient: refused":             {Fault: FaultTransient, Err: errors.New("refused")},
		"content (code 30007): filtered": {Fault: FaultContent, Code: "30007", Err: errors.New("filtered")},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNamesAreDistinct(t *testing.T) {
	t.Parallel()
	faults, outcomes := map[string]bool{}, map[string]bool{}
	for _, f := range AllFaults() {
		faults[f.String()] = true
	}
	for _, o := range AllOutcomes() {
		outcomes[o.String()] = true
	}
	if len(faults) != len(AllFaults()) || len(outcomes) != len(AllOutcomes()) || outcomes["invalid"] {
		t.Errorf("names are shared: %v, %v", faults, outcomes)
	}
	for _, k := range AllKinds() {
		if got, err := ParseKind(string(k)); err != nil || got != k {
			t.Errorf("%s reads as %s: %v", k, got, err)
		}
	}
	if _, err := ParseKind("fax"); err == nil {
		t.Error("fax is a channel")
	}
}

// The set a correction goes to, and the set that is still to be sent.
func TestReachedAndFinal(t *testing.T) {
	t.Parallel()
	reached := map[Outcome]bool{Sending: true, Accepted: true, Delivered: true, Confirmed: true, Ambiguous: true}
	open := map[Outcome]bool{Pending: true, Sending: true}
	for _, o := range AllOutcomes() {
		if o.Reached() != reached[o] || o.Final() == open[o] {
			t.Errorf("%v: reached %v, final %v", o, o.Reached(), o.Final())
		}
	}
}

func TestMasks(t *testing.T) {
	t.Parallel()
	const number, key = "+84912345678", "0f1e2d3c4b5a6978"
	v := struct {
		To  Address
		Key Secret
		All []Address
	}{number, key, []Address{number}}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("sent", "to", v.To, "key", v.Key, "all", v)
	}
	text := string(raw) + log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text += fmt.Sprintf(verb, v)
	}
	for _, word := range []string{number, key, fmt.Sprintf("%x", number), fmt.Sprintf("%x", key)} {
		if strings.Contains(text, word) {
			t.Errorf("%s shows in %s", word, text)
		}
	}
	if v.To.Reveal() != number || v.Key.Reveal() != key || Secret("").String() != "" {
		t.Error("what is revealed is not what was kept")
	}
}
