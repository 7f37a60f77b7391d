package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	smpp "loa/channels/sms/smpp/standin"
	carrier "loa/channels/sms/standin"
	push "loa/channels/webpush/standin"
)

// SecondBooks is the file of what the second carrier took, part by part.
func (r *Rig) SecondBooks() string { return filepath.Join(r.Dir, "smpp.books") }

// secondWay is the second carrier's channel of the configuration.
func (r *Rig) secondWay() string {
	return fmt.Sprintf("  - {driver: smpp, origin: %q, cost: 2, prefixes: [%s], per_second: %d, settings: {address: %q, system_id: loa, password: %s, from: %s, timeout: %s, window: %d}}\n",
		r.second, quoted(r.Options.SecondPrefixes), r.Options.PerSecond, r.second, Password, Sender, r.Options.CallTimeout, SMSWorkers*SMSWindow)
}

// secondCopies counts, by number, the whole messages that the second carrier
// took and delivered.
func (r *Rig) secondCopies() map[string]int {
	r.Helper()
	copies := map[string]int{}
	for _, m := range smpp.Messages(r.SecondParts()) {
		if m.Whole {
			copies[m.To]++
		}
	}
	return copies
}

// SecondParts are what the second carrier took and delivered.
func (r *Rig) SecondParts() []smpp.Entry {
	r.Helper()
	parts, err := smpp.ReadBooks(r.SecondBooks())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Fatal(err)
	}
	kept := parts[:0]
	for _, p := range parts {
		if p.State == "DELIVRD" {
			kept = append(kept, p)
		}
	}
	return kept
}

// TakenBy counts the messages (parts, of the second carrier) in a file of books.
func (r *Rig) TakenBy(books string) int {
	r.Helper()
	src, err := os.ReadFile(books) // #nosec G304 -- of this rig
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(src) {
		if len(line) > 1 && line[len(line)-1] == '\n' && !bytes.HasPrefix(line, []byte(`{"taken":false,`)) {
			n++
		}
	}
	return n
}

// Messages are what the first carrier took.
func (r *Rig) Messages() []carrier.Entry {
	r.Helper()
	all, err := carrier.ReadBooks(r.CarrierBooks())
	if err != nil {
		r.Fatal(err)
	}
	return all
}

// Refusals are the requests that the first carrier did not take.
func (r *Rig) Refusals() []carrier.Refusal {
	r.Helper()
	all, err := carrier.ReadRefusals(r.CarrierBooks())
	if err != nil {
		r.Fatal(err)
	}
	return all
}

// BreakCarrier replaces the first carrier's faults; the zero value mends it.
func (r *Rig) BreakCarrier(f carrier.Faults) { r.Helper(); r.post(r.carrier+"/faults", f) }

// BreakPush replaces the push service's.
func (r *Rig) BreakPush(f push.Faults) { r.Helper(); r.post(r.push+"/faults", f) }

// CarrierStats is what the first carrier has counted since it started.
func (r *Rig) CarrierStats() (s carrier.Stats) {
	r.Helper()
	resp, err := http.Get(r.carrier + "/stats") //nolint:noctx // loopback
	if err != nil {
		r.Fatal(err)
	}
	err = json.NewDecoder(resp.Body).Decode(&s)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		r.Fatal(err)
	}
	return s
}

func (r *Rig) post(url string, v any) {
	r.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		r.Fatal(err)
	}
	resp, err := http.Post(url, "application/json", strings.NewReader(string(body))) //nolint:noctx,gosec // a stand-in of this test, on loopback
	if err != nil {
		r.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusNoContent {
		r.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
}

// PushRefused counts, by status, the pushes that were not taken.
func (r *Rig) PushRefused() map[int]int {
	r.Helper()
	src, err := os.ReadFile(r.PushBooks())
	if err != nil {
		r.Fatal(err)
	}
	counts := map[int]int{}
	for line := range bytes.Lines(src) {
		var e struct {
			Taken  *bool `json:"taken"`
			Answer int   `json:"answer"`
		}
		if json.Unmarshal(line, &e) == nil && e.Taken != nil && !*e.Taken {
			counts[e.Answer]++
		}
	}
	return counts
}
