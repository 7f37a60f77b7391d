package historytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"loa/channels"
)

// Params is what a run promised to keep to. Durations are nanoseconds in JSON.
type Params struct {
	Workers          int             `json:"workers"`         // of all processes, per channel
	Concurrency      int             `json:"concurrency"`     // W: calls a worker has open at most
	RatePerSecond    map[string]int  `json:"rate_per_second"` // by provider
	TerminalDeadline time.Duration   `json:"terminal"`        // from approval; until then an open recipient is unknown, not lost
	StopWithin       time.Duration   `json:"stop_within"`     // from the stop's commit to the last start; 1 s when zero
	YieldWithin      time.Duration   `json:"yield_within"`    // from an Extreme backlog to the last bulletin's start; 1 s when zero
	StepUp           time.Duration   `json:"step_up"`         // age of a signer's proof of identity; 5 min when zero
	ClockError       time.Duration   `json:"clock_error"`     // how far the ledger's times may be off, as when the nodes' clocks differ
	MaxCopies        int             `json:"max_copies"`      // accepted sends per person, channel and revision; 2 when zero
	WithoutBooks     []channels.Kind `json:"without_books"`   // channels whose provider keeps none: the ledger's word is taken
	NotApplicable    []string        `json:"not_applicable"`  // "I13": the run has no such part
	Unrecorded       []Fact          `json:"unrecorded"`      // facts of a signature that this deployment does not have
	Acts             map[Kind]string `json:"acts"`            // audit act of a submit, approval and cancel; Loa's own when nil
	AuditLast        string          `json:"audit_last"`      // seal of the last record, kept elsewhere: finds a chain cut short
}

// Fact is a part of a signature that may be waived.
type Fact string

// The facts.
const (
	FactDevice Fact = "device"
	FactStepUp Fact = "step_up"
)

func (p Params) complete() Params {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&p.StopWithin, time.Second)
	set(&p.YieldWithin, time.Second)
	set(&p.StepUp, 5*time.Minute)
	if p.MaxCopies == 0 {
		p.MaxCopies = 2
	}
	if p.Acts == nil {
		p.Acts = map[Kind]string{KindSubmit: "alert.submit", KindApproval: "alert.approve", KindCancel: "alert.stop"}
	}
	return p
}

// State is a verdict's word.
type State string

// The states.
const (
	Valid         State = "valid"
	Invalid       State = "invalid"
	Unknown       State = "unknown"
	NotApplicable State = "not applicable" // Params said so
)

// mostEvidence bounds the lines of one verdict; what is beyond is counted.
const mostEvidence = 20

// Verdict is the judgement of one invariant.
type Verdict struct {
	Invariant string
	Promise   string
	State     State
	Examined  int            // relevant facts looked at; none never makes a verdict valid
	Counts    map[string]int // what they were
	Evidence  []string       // offences if invalid, what is missing if unknown; ids only, no addresses

	offences, doubts []string
	more             int
}

func (v *Verdict) count(what string, n int) {
	if n != 0 {
		v.Counts[what] += n
	}
}

func (v *Verdict) offence(format string, args ...any) { v.note(&v.offences, format, args) }
func (v *Verdict) doubt(format string, args ...any)   { v.note(&v.doubts, format, args) }

func (v *Verdict) note(to *[]string, format string, args []any) {
	if len(*to) >= mostEvidence {
		v.more++
		return
	}
	*to = append(*to, fmt.Sprintf(format, args...))
}

func (v *Verdict) close() {
	switch {
	case len(v.offences) > 0:
		v.State, v.Evidence = Invalid, v.offences
	case len(v.doubts) > 0:
		v.State, v.Evidence = Unknown, append(v.doubts, v.Evidence...)
	case v.Examined == 0:
		v.State, v.Evidence = Unknown, append([]string{"the history has nothing to examine"}, v.Evidence...)
	default:
		v.State = Valid
	}
	if v.more > 0 {
		v.Evidence = append(v.Evidence, fmt.Sprintf("and %d more", v.more))
	}
}

func (v *Verdict) String() string {
	said := []string{fmt.Sprintf("%-3s %-14s examined %d", v.Invariant, v.State, v.Examined)}
	for _, k := range slices.Sorted(maps.Keys(v.Counts)) {
		said = append(said, fmt.Sprintf("%s %d", k, v.Counts[k]))
	}
	return strings.Join(append([]string{strings.Join(said, ", ")}, v.Evidence...), "\n      ")
}

// Report is the verdicts I1 to I14, in order.
type Report struct{ Verdicts []Verdict }

// Of gives the verdict of an invariant; nil if there is no such.
func (r *Report) Of(invariant string) *Verdict {
	for i := range r.Verdicts {
		if r.Verdicts[i].Invariant == invariant {
			return &r.Verdicts[i]
		}
	}
	return nil
}

// In lists the invariants whose verdict is the given one.
func (r *Report) In(s State) []string {
	var names []string
	for _, v := range r.Verdicts {
		if v.State == s {
			names = append(names, v.Invariant)
		}
	}
	return names
}

func (r *Report) String() string {
	var lines []string
	for i := range r.Verdicts {
		lines = append(lines, r.Verdicts[i].String())
	}
	return strings.Join(lines, "\n")
}

// invariants in order, with the promise each stands for.
var invariants = []struct {
	name, promise string
	check         func(*facts, *Params, *Verdict)
}{
	{"I1", "every eligible recipient of an approved, live alert ends in a state with a reason", (*facts).noLoss},
	{"I2", "every message a provider took belongs to an approved revision and one of its recipients", (*facts).noPhantom},
	{"I3", "a second copy only after an ambiguous attempt, never of a bulletin", (*facts).noDuplicate},
	{"I4", "after a stop no call starts later than allowed", (*facts).stopped},
	{"I5", "no call starts at or after the expiry", (*facts).expired},
	{"I6", "no test or exercise reaches the public", (*facts).testNotLive},
	{"I7", "Extreme and Severe need two people", (*facts).twoPeople},
	{"I8", "nobody outside the alert's and the approvers' areas", (*facts).inside},
	{"I9", "calls in any second within 1.05 of the limit", (*facts).rate},
	{"I10", "bulletins give way to Extreme", (*facts).priority},
	{"I11", "no call starts under a stale fence", (*facts).fencing},
	{"I12", "a correction goes to exactly those who may have been reached", (*facts).correction},
	{"I13", "an app misses nothing unflagged and is shown nothing twice", (*facts).appStream},
	{"I14", "the audit chain holds, and its records come before the effects", (*facts).auditChain},
}

// Check judges a history. A history that cannot be read whole makes every
// verdict unknown.
func Check(h History, p Params) Report {
	p = p.complete()
	f, err := gather(h)
	var r Report
	for _, inv := range invariants {
		v := Verdict{Invariant: inv.name, Promise: inv.promise, Counts: map[string]int{}}
		switch {
		case slices.Contains(p.NotApplicable, inv.name):
			v.State = NotApplicable
		case err != nil:
			v.State, v.Evidence = Unknown, []string{"the history cannot be read: " + err.Error()}
		default:
			inv.check(f, &p, &v)
			v.close()
		}
		r.Verdicts = append(r.Verdicts, v)
	}
	return r
}

// ParamsFile is where CheckDir finds the parameters of a run.
const ParamsFile = "params.json"

// WriteParams leaves the parameters of a run in its folder.
func WriteParams(folder string, p Params) error {
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("historytest: %w", err)
	}
	return os.WriteFile(filepath.Join(folder, ParamsFile), append(raw, '\n'), 0o600)
}

// CheckDir judges what recorders left in a folder, by the parameters that lie
// there.
func CheckDir(folder string) (Report, error) {
	raw, err := os.ReadFile(filepath.Join(folder, ParamsFile)) //nolint:gosec // the test names the folder
	if err != nil {
		return Report{}, fmt.Errorf("historytest: %w", err)
	}
	var p Params
	if err := json.Unmarshal(raw, &p); err != nil {
		return Report{}, fmt.Errorf("historytest: %s: %w", ParamsFile, err)
	}
	return Check(ReadDir(folder), p), nil
}
